// Owns the proof of the node's tables of allowances.
// Invariant: the clock moves only when told.
// Must not: go through connections (test/e2e/limits.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Allowances } from '../../actors/allowances.js';
import { LIMITS } from '../../actors/limits.js';
import { NO_QUOTAS } from '../quotas.js';
import { ManualWorld } from './manual-world.js';

function table(quotas: Partial<typeof NO_QUOTAS>): { world: ManualWorld; allowances: Allowances } {
  const world = new ManualWorld();
  return { world, allowances: new Allowances(world, { ...NO_QUOTAS, ...quotas }) };
}

test('each kind counts for itself, each user for themselves', () => {
  const { world, allowances } = table({ newDirects: 2, newGroups: 1 });
  assert.deepEqual(
    [1, 2, 3].map(() => allowances.claim('newDirects', 'ada')),
    [0, 0, 1_800_000],
  );
  assert.equal(allowances.claim('newGroups', 'ada'), 0);
  assert.equal(allowances.claim('newDirects', 'bob'), 0);
  assert.equal(allowances.refused.newDirects, 1);
  world.time += 1_800_000;
  assert.equal(allowances.claim('newDirects', 'ada'), 0);
});

test('what was refused costs nothing', () => {
  const { world, allowances } = table({ deviceSends: 1 });
  for (let i = 0; i < LIMITS.sendBurst; i += 1) assert.equal(allowances.claim('deviceSends', 'a'), 0);
  for (let i = 0; i < 50; i += 1) assert.equal(allowances.claim('deviceSends', 'a'), 1_000);
  world.time += 999;
  assert.equal(allowances.wait('deviceSends', 'a'), 1);
  world.time += 1;
  assert.equal(allowances.claim('deviceSends', 'a'), 0);
});

test('a rate above the burst raises the burst: a second of it passes at once', () => {
  const { allowances } = table({ deviceSends: 500 });
  for (let i = 0; i < 500; i += 1) assert.equal(allowances.claim('deviceSends', 'a'), 0);
  assert.equal(allowances.wait('deviceSends', 'a'), 2);
});

test('without a limit nothing is remembered', () => {
  const { allowances } = table({});
  for (let i = 0; i < 1_000; i += 1) assert.equal(allowances.claim('userSends', `u${i % 7}`), 0);
  assert.equal(allowances.size, 0);
});

test('buckets that are full again are forgotten as others come', () => {
  const { world, allowances } = table({ badLogins: 1 });
  for (let round = 0; round < 20; round += 1) {
    for (let i = 0; i < 500; i += 1) allowances.take('badLogins', `${round}.${i}`);
    world.time += 2_000;
  }
  assert.ok(allowances.size <= 501, `${allowances.size}`);
});

test('a table is bounded; of those in use, the longest known gives way', () => {
  const { allowances } = table({ badLogins: 1 });
  for (let i = 0; i < LIMITS.badLoginBurst; i += 1) allowances.take('badLogins', 'eve');
  for (let i = 0; i < 2 * LIMITS.allowances; i += 1) allowances.take('badLogins', `${i}`);
  assert.equal(allowances.size, LIMITS.allowances);
  assert.equal(allowances.wait('badLogins', 'eve'), 0);
});
