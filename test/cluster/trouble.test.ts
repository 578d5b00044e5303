// Owns the tests of a cluster under a store, clocks and nodes that misbehave.
// Invariant: virtual time; whatever happens, what was answered is there, epochs rise by one, and in the end every shard is open once.
// Must not: depend on which node is faster.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { dirtyKey } from '../../storage/cluster-keys.js';
import { chatKey } from '../../storage/keys.js';
import { encodeDirty } from '../../storage/rows.js';
import { Scene, type SceneNode } from './scene.js';
import type { Fault, Kind } from './shared-store.js';

const evictions = (nodes: readonly SceneNode[]): number => nodes.reduce((sum, node) => sum + node.status.evictions, 0);

test('a store that stands still for all evicts nobody, and nothing is answered meanwhile', async () => {
  for (const ms of [1_000, 2_000, 20_000]) {
    const scene = new Scene(ms);
    const nodes = await scene.settled('n1', 'n2', 'n3', 'n4');
    await scene.run(300);
    const grants = scene.store.grants.length;
    const resume = scene.store.rows.stall();
    await scene.run(ms);
    if (ms > 1_500)
      assert.ok(
        nodes.every(({ cluster }) => cluster.lapsed),
        'every lease is over',
      );
    resume();
    await scene.run(3_000);
    assert.deepEqual([evictions(nodes), scene.store.grants.length], [0, grants]);
    assert.ok(nodes.every(({ cluster, starts }) => !cluster.lapsed && starts === 1));
    await scene.check();
  }
});

test('a store that is slow for all, but goes on, evicts nobody', async () => {
  const scene = new Scene();
  const nodes = await scene.settled('n1', 'n2', 'n3');
  for (const node of nodes) scene.store.delay.set(node.name, [300, 700]);
  await scene.run(30_000);
  assert.equal(evictions(nodes), 0);
  await scene.check();
});

test('a store that is slow for one: it answers nothing without a lease, and comes back when it is quick again', async () => {
  const scene = new Scene();
  const [n1, n2, n3] = await scene.settled('n1', 'n2', 'n3');
  scene.store.delay.set('n1', [1_000, 1_100]);
  await scene.run(2_500);
  const { acks } = n1;
  await scene.run(8_000);
  // Its beats arrive, each with the answer a second late: nobody takes it for dead, and it does not trust itself.
  assert.deepEqual([evictions([n1, n2, n3]), n1.cluster.lapsed, n1.acks], [0, true, acks]);
  scene.store.delay.delete('n1');
  await scene.run(3_000);
  assert.ok(n1.acks > acks && !n1.cluster.lapsed);
  assert.equal(n1.starts, 1);
  await scene.check();
});

test('a store that takes no writes of one node: it is evicted, and the others go on', async () => {
  const scene = new Scene();
  const [n1, n2, n3] = await scene.settled('n1', 'n2', 'n3');
  scene.store.fault = (_, node) => (node === 'n1' ? 'store_unavailable' : undefined);
  await scene.until(() => scene.allOpen([n2, n3]), 5_000, 'it is out');
  scene.store.fault = () => undefined;
  await scene.until(() => n1.starts > 1 && scene.balanced([n1, n2, n3]), 15_000, 'it is back');
  await scene.check();
});

test('clocks that jump, either way, evict nobody', async () => {
  const scene = new Scene();
  const nodes = await scene.settled('n1', 'n2', 'n3');
  scene.pace = 1_000;
  // Of some beats the next comes later than the jumping node looks again.
  for (const node of nodes.slice(1)) scene.store.delay.set(node.name, [1, 700]);
  for (let times = 0; times < 40; times += 1) {
    nodes[0].behind -= [3_600_000, -3_600_000, 10_000, -10_000][times % 4]!;
    await scene.run(730);
  }
  assert.equal(evictions(nodes), 0);
  assert.deepEqual(
    nodes.map(({ starts }) => starts),
    [1, 1, 1],
  );
  await scene.check();
});

test('a node that comes and goes moves the shards of others less each time', async () => {
  const scene = new Scene();
  const [n1, n2] = await scene.settled('n1', 'n2');
  const moves = (): number => n1.status.moves + n2.status.moves;
  const before = moves();
  scene.pace = 1_000;
  for (let times = 0; times < 12; times += 1) {
    const flapping = scene.add('n3');
    await scene.run(2_600);
    flapping.kill();
    await scene.run(2_400);
  }
  // Its own share once, and then hardly any: each time it would have to stay longer.
  assert.ok(moves() - before < 24, `${moves() - before} moves`);
  const stays = scene.add('n3');
  await scene.until(() => scene.balanced([n1, n2, stays]), LIMITS.joinRestMostMs + 5_000, 'trusted in the end');
  await scene.check();
});

test('a hand-over whose target dies in the middle: the shard stays, and is not lost', async () => {
  const scene = new Scene();
  const [n1] = await scene.settled('n1');
  n1.closeMs = 3_000;
  const n2 = scene.add('n2');
  await scene.until(() => n1.mine.length < LIMITS.shards, 5_000, 'it hands over');
  n2.kill();
  await scene.until(() => scene.allOpen([n1]), 15_000, 'all are its own again');
  await scene.run(500);
  await scene.check();
});

test('a hand-over that hangs holds up no other shard, and no failover', async () => {
  const scene = new Scene();
  const [n1, n2] = await scene.settled('n1', 'n2');
  n1.closeMs = 1_000_000;
  const n3 = scene.add('n3');
  await scene.run(4_000);
  n2.kill();
  await scene.until(
    () => n1.mine.length + n3.mine.length >= LIMITS.shards - LIMITS.handOvers,
    5_000,
    'the rest is open',
  );
  await scene.check();
});

test('what a node left untold, and its heir too, is told by the one after them; where not all are named, everybody is asked', async () => {
  const scene = new Scene();
  const chat = new Uint8Array(16).fill(2);
  const left = encodeDirty({ chats: [{ chat, head: 3 }], more: true });
  const written = scene.store.rows.direct.commit({ checks: [], writes: [{ key: dirtyKey(5), value: left }] });
  await scene.run(10);
  await written;
  const n1 = scene.add('n1');
  n1.tells = false;
  await scene.until(
    () => n1.resyncs > 0 && n1.acks > 2 * LIMITS.shards,
    2_000,
    'it goes on, and writes sets of its own',
  );
  assert.ok(n1.recovered.includes(chatKey(chat)));
  n1.kill();
  const n2 = scene.add('n2');
  await scene.until(() => n2.recovered.includes(chatKey(chat)), 5_000, 'the next one knows');
  await scene.run(1_000);
  assert.equal(n2.resyncs, 0, 'everybody was asked already');
  assert.equal(n2.recovered.filter((key) => key === chatKey(chat)).length, 1, 'and what was told is not told again');
  await scene.check();
});

test('nodes without links find out by themselves what they were given', async () => {
  const scene = new Scene();
  scene.linked = false;
  const nodes = await scene.settled('n1', 'n2', 'n3');
  assert.ok(scene.balanced(nodes));
  await scene.run(500);
  await scene.check();
});

const KINDS: readonly Kind[] = ['join', 'beat', 'leave', 'evict', 'claim', 'give', 'append'];
const FAULTS: readonly Fault[] = [
  'conflict',
  'unknown_applied',
  'unknown_dropped',
  'unknown_late',
  'store_unavailable',
];

for (const kind of KINDS) {
  test(`every answer that a store may give to ${kind}`, async () => {
    for (const fault of FAULTS) {
      const scene = new Scene(FAULTS.indexOf(fault) + 1);
      scene.pace = 300;
      let left = 0;
      scene.store.fault = (what) => (what === kind && left-- > 0 ? fault : undefined);
      const again = (): void => {
        left = 3;
      };
      again();
      const nodes = [scene.add('n1'), scene.add('n2'), scene.add('n3')];
      // A shard that is lost is free again long before its actors have ended.
      if (kind === 'append') for (const node of nodes) node.closeMs = 400;
      await scene.until(() => scene.balanced(nodes), 20_000, `${fault}: all joined`);
      again();
      const [n1, n2, n3] = nodes as [SceneNode, SceneNode, SceneNode];
      await scene.run(1_000);
      n1.kill();
      await scene.until(() => scene.allOpen([n2, n3]), 20_000, `${fault}: one is killed`);
      again();
      const stopped = n3.stop();
      await scene.until(() => scene.allOpen([n2]), 20_000, `${fault}: one leaves`);
      await stopped;
      again();
      const n4 = scene.add('n4');
      await scene.until(() => scene.balanced([n2, n4]), 20_000, `${fault}: one joins`);
      await scene.run(1_000);
      assert.ok(scene.balanced([n2, n4]));
      await scene.check();
    }
  });
}
