// Owns the tests of the line of reads that clients wait for.
// Invariant: the order and the turns are counted on a manual clock.
// Must not: read a real store.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { ReadLine } from '../../actors/read-line.js';
import type { RangePage, Reader } from '../../storage/store.js';
import { ManualWorld } from './manual-world.js';

const key = (n: number): Uint8Array => Uint8Array.of(n);
/** Lets promises that are settled have their consequences. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Scene implements Reader {
  readsAtOnce = 1;
  readonly world = new ManualWorld();
  readonly line = new ReadLine(this.world, () => this);
  readonly read: number[] = [];
  under = 0;
  most = 0;
  /** ms that each read takes. */
  cost = 0;

  async get(at: Uint8Array): Promise<Uint8Array | undefined> {
    this.under += 1;
    this.most = Math.max(this.most, this.under);
    this.read.push(at[0]!);
    this.world.time += this.cost;
    // Over a network an answer comes in a later turn.
    await (this.readsAtOnce === 1 ? Promise.resolve() : settle());
    this.under -= 1;
    if (at[0] === 13) throw new Error('unlucky');
    return at;
  }

  range(): Promise<RangePage> {
    throw new Error('not running');
  }
}

test('first come, first served, one at a time; a read that fails fails for itself', async () => {
  const scene = new Scene();
  const answers = Array.from({ length: 20 }, (_, n) => scene.line.get(key(n)).catch((error: unknown) => `${error}`));
  const broken = scene.line.range({ start: key(0), end: key(1), limit: 1 }).catch((error: unknown) => `${error}`);
  assert.equal(scene.line.busy, true);
  const seen = await Promise.all(answers);
  assert.deepEqual(
    scene.read,
    Array.from({ length: 20 }, (_, n) => n),
  );
  assert.equal(scene.most, 1);
  assert.deepEqual(seen[12], key(12));
  assert.equal(seen[13], 'Error: unlucky');
  assert.equal(await broken, 'Error: not running');
  assert.equal(scene.line.busy, false);
  assert.deepEqual(await scene.line.get(key(1)), key(1), 'the line goes on');
});

test('a store that is read over a network has several reads at once, no more than it wants, begun in order', async () => {
  const scene = new Scene();
  scene.readsAtOnce = 3;
  const answers = Array.from({ length: 12 }, (_, n) => scene.line.get(key(n)));
  assert.deepEqual(
    await Promise.all(answers),
    Array.from({ length: 12 }, (_, n) => key(n)),
  );
  assert.deepEqual(
    scene.read,
    Array.from({ length: 12 }, (_, n) => n),
  );
  assert.equal(scene.most, 3);
  await settle();
  assert.equal(scene.line.busy, false);
});

test('after some ms of reading everything else has its turn, and who asks again is behind who waits', async () => {
  const scene = new Scene();
  scene.cost = LIMITS.readsMs / 4;
  let greedy = 0;
  const again = async (): Promise<void> => {
    for (; greedy < 100; greedy += 1) await scene.line.get(key(1));
  };
  const all = again();
  const modest = scene.line.get(key(2));
  await settle();
  assert.equal(scene.read.length, 4, 'as many as fit');
  assert.equal(scene.world.deferred, 1);
  await modest;
  assert.equal(scene.read.indexOf(2), 1);
  for (let turns = 0; greedy < 100; turns += 1) {
    assert.ok(turns < 30);
    scene.world.turn();
    await settle();
  }
  await all;
});
