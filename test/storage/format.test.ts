// Owns the tests of the version of rows that a store has: which stores are opened, and how it rises under one node.
// Invariant: a memory store and a clock of the test's.
// Must not: repeat what several nodes do (test/cluster/upgrade.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { decodeFormat, encodeFormat, FORMAT_KEY, FORMATS, isNew, readable } from '../../storage/format.js';
import { openMemory } from '../../storage/memory.js';
import { StoredFormat } from '../../storage/stored-format.js';
import { ManualWorld } from '../actors/manual-world.js';

const code = (expected: string) => (error: unknown) =>
  error instanceof Error && 'code' in error && error.code === expected;

test('which stores a build opens', () => {
  const range = { low: 2, high: 3 };
  for (const version of [2, 3]) assert.equal(readable(encodeFormat(version), 'x', range), version);
  assert.throws(() => readable(encodeFormat(4), 'x', range), code('store_newer'));
  assert.throws(() => readable(encodeFormat(1), 'x', range), code('store_older'));
  assert.throws(() => readable(undefined, 'x', range), code('store_older'));
  for (const text of ['', '0', '1.5', 'x'])
    assert.throws(() => readable(Buffer.from(text), 'x'), code('store_corrupt'));
  assert.equal(isNew(undefined, true, 'x'), true);
  assert.equal(isNew(encodeFormat(FORMATS.high), false, 'x'), false);
  assert.throws(() => isNew(undefined, false, 'x'), code('store_corrupt'));
});

test('a node that is alone writes later rows only after a while, and so do others from their start on', async () => {
  const world = new ManualWorld();
  const store = openMemory({ world });
  const formats = { low: 1, high: 3 };
  const format = new StoredFormat(store, world, formats);
  await format.read();
  format.alone();
  await passed(world, LIMITS.formatRestMs - 1);
  assert.equal(format.version, 1);
  await passed(world, 2);
  assert.equal(format.version, 3);
  assert.equal(decodeFormat(await reading(world, store.get(FORMAT_KEY))), 3);
  const next = new StoredFormat(store, world, formats);
  await reading(world, next.read());
  assert.equal(next.version, 3);
  await assert.rejects(reading(world, new StoredFormat(store, world, { low: 1, high: 2 }).read()), code('store_newer'));
});

/** Time passes, and what waits for the store goes on. */
async function passed(world: ManualWorld, ms: number): Promise<void> {
  world.advance(ms);
  for (let turn = 0; turn < 20; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    world.advance(0);
  }
}

async function reading<T>(world: ManualWorld, read: Promise<T>): Promise<T> {
  const [answer] = await Promise.allSettled([read, passed(world, 0)]);
  if (answer.status === 'rejected') throw answer.reason;
  return answer.value;
}
