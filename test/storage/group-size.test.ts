// Owns the tests of how many commits go into one transaction.
// Invariant: none touches a store.
// Must not: test what a commit answers (contract.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { GroupSize } from '../../storage/group-size.js';

test('a group that was not written is tried again in halves, and the size is full again once one is written', () => {
  const size = new GroupSize();
  assert.equal(size.failed(100), true);
  assert.equal(size.most, 50);
  assert.equal(size.failed(50), true);
  assert.equal(size.most, 25);
  size.written();
  assert.equal(size.most, LIMITS.groupCommits);
});

test('no transaction is larger than the limit, however many commits waited for one that could not begin', () => {
  const size = new GroupSize();
  assert.equal(size.failed(LIMITS.storeQueue), true);
  assert.equal(size.most, LIMITS.groupCommits);
});

test('a single commit, and a group after some tries, is answered; as long as nothing is written no other group is divided', () => {
  const size = new GroupSize();
  assert.equal(size.failed(1), false);
  for (let tries = 0; tries < LIMITS.storeHalves; tries += 1) assert.equal(size.failed(200), true);
  assert.equal(size.last, true);
  assert.equal(size.failed(200), false);
  assert.equal(size.most, LIMITS.groupCommits);
  assert.equal(size.failed(200), false);
  size.written();
  assert.equal(size.failed(200), true);
});
