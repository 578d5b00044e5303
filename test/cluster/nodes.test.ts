// Owns the tests of whole nodes together: clients on all of them, whatever becomes of nodes, shards and links.
// Invariant: every message that was answered reaches every device once and in order, without a reconnect where the device's node lives.
// Must not: test parts alone (router.test.ts, cluster.test.ts, links.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { UNPACED } from '../../cluster/drain.js';
import { type Device, NodeScene } from './node-scene.js';
import { onMemory } from './shared-rows.js';

const USERS = ['ada', 'bob', 'cleo', 'dan', 'eve', 'finn'];
const NODES = ['n1', 'n2', 'n3'];

interface Party {
  readonly scene: NodeScene;
  readonly devices: readonly Device[];
  readonly group: string;
  /** Everybody writes to the next one, and in the group. */
  talk(): void;
}

/** Three nodes, with a user of two devices on each two of them, who all share a group. */
async function party(seed = 1): Promise<Party> {
  const scene = new NodeScene(seed);
  await scene.settled(...NODES);
  const devices = USERS.flatMap((user, at) => [
    scene.device(user, 'phone', NODES[at % 3]!),
    scene.device(user, 'desk', NODES[(at + 1) % 3]!),
  ]);
  await scene.until(() => devices.every(({ online }) => online), 5_000, 'all are online');
  const group = await scene.group(devices[0]!, 'all', USERS.slice(1));
  const talk = (): void => {
    for (const [at, device] of devices.entries()) {
      device.send({ direct: USERS[(Math.floor(at / 2) + 1) % USERS.length]! });
      device.send({ group });
    }
  };
  return { scene, devices, group, talk };
}

test('direct chats and a group over three nodes', async () => {
  const { scene, devices, talk } = await party();
  for (let i = 0; i < 5; i += 1) {
    talk();
    await scene.run(30);
  }
  await scene.converge(5_000);
  assert.ok(devices.every(({ losses }) => losses <= 1));
});

test('a node that is back within its lease owns shards at once, and has no links before its actors are started', async () => {
  const scene = new NodeScene();
  await scene.settled(...NODES);
  const { member } = scene.node('n3').wiring;
  const before = member!.cluster.status()!.shards.filter(({ mine }) => mine).length;
  scene.kill('n3');
  await scene.run(300);
  const { wiring } = scene.start('n3');
  let early = 0;
  const owned = (): number => wiring.member!.cluster.status()?.shards.filter(({ mine }) => mine).length ?? 0;
  // Only actors that are started let themselves be told of a chat.
  const since = scene.clock.now;
  while (wiring.member!.cluster.members.length === 0 || !wiring.fabric.sweeper.due(`01${'0'.repeat(30)}`, 60_000)) {
    assert.equal(wiring.member!.cluster.members.length > 0 && wiring.member!.links.stats().length > 0, false);
    assert.ok(scene.clock.now - since < 5_000, 'its actors are started');
    early = Math.max(early, owned());
    await scene.run(0.05);
  }
  assert.equal(early, before, 'its shards are open by then');
  await scene.until(() => scene.balanced, 1_000, 'links with all');
});

/** Everybody talks for `ms`, a round each 40. */
async function meanwhile({ scene, talk }: Party, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 40) {
    talk();
    await scene.run(40);
  }
}

const losses = (devices: readonly Device[]): number[] => devices.map((device) => device.losses);

test('a node is killed: its clients go elsewhere, those of the others stay connected and miss nothing', async () => {
  const all = await party(2);
  const { scene, devices } = all;
  await meanwhile(all, 200);
  const before = losses(devices);
  const homes = devices.map((_, at) => NODES[(at % 2 === 0 ? at / 2 : (at + 1) / 2) % 3]!);
  scene.kill('n3');
  await meanwhile(all, 3_000);
  await scene.converge();
  for (const [at, device] of devices.entries()) {
    if (homes[at] !== 'n3') assert.equal(device.losses, before[at], `${device.id} stayed`);
  }
  scene.start('n3');
  await scene.until(() => scene.balanced, 20_000, 'it takes part again');
  await meanwhile(all, 400);
  await scene.converge();
});

test('a node that comes takes its shards over from the others, and gives them back as it leaves', async () => {
  const all = await party(3);
  const { scene, devices } = all;
  const before = losses(devices);
  scene.start('n4');
  for (let i = 0; i < 100 && !scene.balanced; i += 1) await meanwhile(all, 40);
  await scene.until(() => scene.balanced, 20_000, 'it has its share');
  await scene.converge();
  scene.node('n1').wiring.member!.cluster.drain({ ...UNPACED, clients: 0.001 });
  await meanwhile(all, 2_000);
  await scene.until(() => held(scene, 'n1') === 0, 10_000, 'n1 has nothing any more');
  await scene.converge();
  assert.deepEqual(losses(devices), before, 'nobody had to reconnect');
});

const held = (scene: NodeScene, name: string): number =>
  scene
    .node(name)
    .wiring.member!.cluster.status()!
    .shards.filter(({ mine }) => mine).length;

test('a node stops in order: its shards and clients go first, also to a node that has just come; sends hardly wait', async () => {
  const all = await party(7);
  const { scene, devices } = all;
  await meanwhile(all, 200);
  await scene.converge();
  scene.start('n4');
  await scene.until(() => scene.node('n3').wiring.member!.cluster.members.length === 4, 1_000, 'it is there');
  for (const device of devices) device.slowest = 0;
  const [took] = await Promise.all([scene.stop('n3'), meanwhile(all, 3_000)]);
  await scene.converge();
  const slowest = Math.max(...devices.map((device) => device.slowest));
  // A real engine takes its transactions in an order of its own, and some anew.
  assert.ok(slowest < (onMemory() ? 300 : 1_000), `${slowest} ms`);
  assert.ok(took < LIMITS.evacuateMs, `${took} ms`);
  const { taken, lost } = scene.node('n1').wiring.member!.cluster.status()!;
  assert.ok(taken > 0 && lost === 0);
});

test('links break, again and again, in both directions or one: what was under way is made good', async () => {
  const all = await party(4);
  const { scene, devices } = all;
  const before = losses(devices);
  for (let round = 0; round < 6; round += 1) {
    const [a, b] = [NODES[round % 3]!, NODES[(round + 1) % 3]!];
    await meanwhile(all, 80);
    if (round % 2 === 0) scene.wires.cut(a, b);
    else scene.wires.clog(a, b, true);
    await meanwhile(all, round % 2 === 0 ? 80 : 1_700);
    scene.wires.clog(a, b, false);
  }
  await scene.converge();
  assert.deepEqual(losses(devices), before, 'nobody had to reconnect');
});

test('a node stands still until others have taken its shards, and goes on as if nothing were', async () => {
  const all = await party(5);
  const { scene } = all;
  await meanwhile(all, 120);
  const { process } = scene.node('n2');
  process.freeze();
  await meanwhile(all, 4_000);
  await scene.until(() => held(scene, 'n1') + held(scene, 'n3') === 32, 10_000, 'the others have all');
  process.thaw();
  await meanwhile(all, 2_000);
  await scene.converge();
  await scene.until(() => scene.balanced, 20_000, 'it takes part again');
  await scene.converge();
});

test('presence crosses nodes, and is right again after a node is gone, a link broke and a shard moved', async () => {
  const all = await party(6);
  const { scene, devices } = all;
  all.talk();
  await scene.converge();
  const watcher = devices[0]!;
  const others = USERS.slice(1);
  watcher.session!.group(all.group).watch(true);
  const told = (user: string, online: boolean): boolean => watcher.presence.get(user) === online;
  const right = (): boolean =>
    others.every((user) => {
      const mine = devices.filter((device) => device.user === user);
      return told(
        user,
        mine.some(({ online }) => online),
      );
    });
  await scene.until(right, 5_000, 'who is online is told');
  for (const device of devices) if (device.user === 'cleo') device.session!.close();
  await scene.until(() => told('cleo', false), 5_000, 'who leaves is told');
  scene.kill('n2');
  await scene.run(3_000);
  for (const device of devices) if (device.user === 'dan') device.session!.close();
  await scene.until(right, 15_000, 'after a node is gone');
  scene.wires.cut('n1', 'n3');
  await scene.run(300);
  for (const device of devices) if (device.user === 'eve') device.session!.close();
  await scene.until(right, 15_000, 'after a break');
  scene.node('n3').wiring.member!.cluster.drain({ ...UNPACED, clients: 0.001 });
  await scene.until(() => held(scene, 'n3') === 0, 20_000, 'n3 has nothing any more');
  for (const device of devices) if (device.user === 'finn') device.session!.close();
  await scene.until(right, 15_000, 'after a move');
});
