// Owns the tests of who is a member and who owns what: joining, leaving, dying, freezing and coming back.
// Invariant: virtual time; every scene ends with what was answered held against the store.
// Must not: reach into the cluster; it is seen through its contract and the store.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { Scene } from './scene.js';

/** ms of the store in a failover: a few reads and commits, one after the other. */
const STORE_MS = 60;
const FAILOVER_MS = LIMITS.leaseMs + 3 * LIMITS.beatMs + STORE_MS;

test('one node takes every shard at once; others that join get their shares, a few at a time', async () => {
  const scene = new Scene();
  const first = scene.add('n1');
  await scene.until(() => first.cluster.status()?.shards.every(({ mine }) => mine) === true, 200, 'n1 has all');
  const second = scene.add('n2');
  let open: number = LIMITS.shards;
  const took = await scene.until(
    () => {
      open = Math.min(open, first.mine.length + (second.cluster.status() === null ? 0 : second.mine.length));
      return scene.balanced([first, second]);
    },
    10_000,
    'half of them',
  );
  assert.ok(took > LIMITS.joinRestMs, 'a newcomer waits');
  assert.ok(open >= LIMITS.shards - 2 * LIMITS.handOvers, `most shards serve all the time: ${open}`);
  assert.deepEqual([first.status.lost, second.status.lost], [0, 0]);
  assert.equal(first.status.moves, 16);
  await scene.run(1_000);
  await scene.check();
});

test('a killed node: its shards are open elsewhere within the bound, and only they have moved', async () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    const scene = new Scene(seed);
    const [dead, ...rest] = await scene.settled('n1', 'n2', 'n3');
    await scene.run(seed * 37);
    const grants = scene.store.grants.length;
    const orphans = dead.mine.length;
    dead.kill();
    const last = scene.store.beats.get('n1')!;
    await scene.until(() => scene.allOpen(rest), 10_000, 'all are open');
    const took = scene.clock.now - last;
    assert.ok(took <= FAILOVER_MS, `seed ${seed}: ${took} ms since its last beat`);
    assert.ok(scene.store.grants.length - grants >= orphans);
    assert.ok(scene.store.grants.slice(grants).filter(({ node }) => node === 'n1').length === 0);
    await scene.run(3_000);
    assert.ok(scene.balanced(rest));
    await scene.check();
  }
});
