// Owns the tests of who is a member and who owns what: joining, leaving, dying, freezing and coming back.
// Invariant: virtual time; every scene ends with what was answered held against the store.
// Must not: reach into the cluster; it is seen through its contract and the store.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { UNPACED } from '../../cluster/drain.js';
import { chatKey } from '../../storage/keys.js';
import { chatOf, Scene } from './scene.js';

/** ms of the store in a failover: a few reads and commits, one after the other. */
const STORE_MS = 70;
const FAILOVER_MS = LIMITS.leaseMs + 3 * LIMITS.beatMs + STORE_MS;

test('one node takes every shard at once; others that join get their shares, a few at a time', async () => {
  const scene = new Scene();
  // Something is always under way when a shard moves.
  scene.pace = 20;
  for (const name of ['n1', 'n2']) scene.store.delay.set(name, [30, 60]);
  const first = scene.add('n1');
  await scene.until(() => scene.allOpen([first]), 1_000, 'n1 has all');
  const second = scene.add('n2');
  let open: number = LIMITS.shards;
  const took = await scene.until(
    () => {
      open = Math.min(open, first.mine.length + second.mine.length);
      return scene.balanced([first, second]);
    },
    10_000,
    'half of them',
  );
  assert.ok(took > LIMITS.joinRestMs, 'a newcomer waits');
  assert.ok(open >= LIMITS.shards - 2 * LIMITS.handOvers, `most shards serve all the time: ${open}`);
  // Nothing was taken from anybody: what is handed over is sealed first, and each reads the grants as they are.
  for (const { status } of [first, second]) assert.deepEqual([status.lost, status.stale], [0, 0]);
  assert.equal(first.status.moves, 16);
  await scene.run(1_000);
  await scene.check();
});

test('a killed node: its shards are open elsewhere within the bound, and only they have moved', async () => {
  for (let seed = 1; seed <= 6; seed += 1) {
    const scene = new Scene(seed);
    const [dead, ...rest] = await scene.settled('n1', 'n2', 'n3');
    await scene.run(seed * 37);
    const grants = scene.store.grants.length;
    const orphans = dead.mine;
    dead.kill();
    const last = scene.store.beats.get('n1')!;
    await scene.until(() => scene.allOpen(rest), 10_000, 'all are open');
    const took = scene.clock.now - last;
    assert.ok(took <= FAILOVER_MS, `seed ${seed}: ${took} ms since its last beat`);
    assert.ok(scene.store.grants.length - grants >= orphans.length);
    // Each chat of which it might not have told is asked to.
    const asked = new Set(rest.flatMap(({ recovered }) => recovered));
    for (const shard of orphans) assert.ok(asked.has(chatKey(chatOf(shard))));
    assert.ok(scene.store.grants.slice(grants).filter(({ node }) => node === 'n1').length === 0);
    await scene.run(3_000);
    assert.ok(scene.balanced(rest));
    await scene.check();
  }
});

test('a node that stops says so: nobody waits for its lease', async () => {
  const scene = new Scene();
  const [n1, n2, n3] = await scene.settled('n1', 'n2', 'n3');
  const stopped = n1.stop();
  const took = await scene.until(() => scene.allOpen([n2, n3]), 1_000, 'its shards are taken');
  assert.ok(took < LIMITS.beatMs, `${took} ms`);
  await stopped;
  assert.deepEqual([n2.status.evictions, n3.status.evictions], [0, 0]);
  await scene.check();
});

test('killed and started again at once: a new incarnation takes its shards without waiting for the lease', async () => {
  const scene = new Scene();
  const [n1, n2] = await scene.settled('n1', 'n2');
  const { incarnation } = n1.status;
  const { moves } = n2.status;
  n1.kill();
  await scene.run(20);
  const again = scene.add('n1');
  const took = await scene.until(() => again.cluster.status() !== null && scene.allOpen([again, n2]), 1_000, 'open');
  assert.ok(took < LIMITS.beatMs, `${took} ms`);
  assert.ok(again.status.incarnation > incarnation);
  assert.deepEqual([n2.status.evictions, n2.status.moves], [0, moves]);
  await scene.run(500);
  await scene.check();
});

for (const asleep of [false, true]) {
  test(`frozen past its lease${asleep ? ', its clock with it' : ''}: evicted, answers nothing as it comes back, joins anew`, async () => {
    const scene = new Scene();
    const [n1, n2, n3] = await scene.settled('n1', 'n2', 'n3');
    await scene.run(500);
    const before = n1.status;
    const epochs = new Map(n1.mine.map((shard) => [shard, before.shards[shard]!.epoch]));
    const frozen = n1.freeze(4_000, asleep);
    await frozen;
    assert.ok(scene.allOpen([n2, n3]), 'meanwhile the others have all');
    assert.ok(n1.mine.length > 0, 'and it does not know');
    const { acks } = n1;
    for (const shard of n1.mine) n1.write(shard);
    // Without a clock that tells, it is the grant that stops it.
    if (asleep) assert.ok(!n1.cluster.lapsed);
    else assert.ok(n1.refused.get('lapsed')! > 0);
    await scene.until(() => n1.starts === 2, 1_000, 'it begins anew');
    assert.equal(n1.acks, acks, 'nothing was answered in between');
    assert.ok(scene.reports.some((report) => report.startsWith('n1 membership_lost') && report.includes('evicted')));
    if (asleep) assert.ok(before.stale === 0);
    await scene.until(
      () => n1.status.incarnation > before.incarnation && scene.balanced([n1, n2, n3]),
      10_000,
      'its share',
    );
    for (const shard of n1.mine) assert.ok(n1.status.shards[shard]!.epoch > (epochs.get(shard) ?? 0));
    assert.equal(n2.status.evictions + n3.status.evictions, 1);
    assert.equal(scene.reports.filter((report) => /^n[23] nodes_evicted .*"n1"/.test(report)).length, 1);
    await scene.run(500);
    await scene.check();
  });
}

test('frozen for less than its lease: it stays, and what was written before is answered', async () => {
  const scene = new Scene();
  const nodes = await scene.settled('n1', 'n2', 'n3');
  await scene.run(500);
  const grants = scene.store.grants.length;
  await nodes[0].freeze(LIMITS.leaseMs - LIMITS.beatMs - 50);
  await scene.run(2_000);
  assert.equal(scene.store.grants.length, grants);
  assert.deepEqual(
    nodes.map(({ starts }) => starts),
    [1, 1, 1],
  );
  await scene.check();
});

test('five nodes that start at the same moment agree, and a node that drains gives all away but stays', async () => {
  const scene = new Scene();
  const nodes = await scene.settled('n1', 'n2', 'n3', 'n4', 'n5');
  const [n1, ...rest] = nodes;
  n1.cluster.drain(UNPACED);
  await scene.until(() => scene.allOpen(rest), 10_000, 'it has none');
  assert.equal(n1.cluster.members.length, 5);
  assert.equal(n1.status.lost, 0);
  n1.cluster.stay();
  await scene.until(() => scene.balanced(nodes), 10_000, 'they come back');
  await scene.run(500);
  await scene.check();
});

test('two processes under one name: the newer one stays, the older one ends for good', async () => {
  const scene = new Scene();
  const [n1, n2] = await scene.settled('n1', 'n2');
  const twin = scene.add('n1');
  await scene.until(() => n1.replaced && scene.allOpen([twin, n2]), 5_000, 'the older one gives way');
  assert.deepEqual([n1.starts, twin.starts], [1, 1]);
  await scene.run(5_000);
  assert.deepEqual([n1.starts, twin.starts, twin.replaced], [1, 1, false]);
  await scene.check();
});

test('two processes under one name at the same moment: one of them stays', async () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const scene = new Scene(seed);
    const other = (await scene.settled('n2'))[0];
    const twins = [scene.add('n1'), scene.add('n1')];
    await scene.run(5_000);
    const [stays, ...none] = twins.filter(({ replaced }) => !replaced);
    assert.ok(stays !== undefined && none.length === 0);
    await scene.until(() => scene.balanced([stays, other]), 10_000, 'shared by two');
    await scene.check();
  }
});
