// Owns the tests of the end of watches between nodes: who may not see a user's presence any more is told nothing of it, whatever became
// of the word that said so.
// Invariant: whole nodes and real clients in virtual time; the chat, its members and who watches them live on a node each.
// Must not: test that watches begin (unheard.test.ts, nodes.test.ts), or who may see whom (presence.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { shardOfUser } from '../../cluster/shard-actors.js';
import { shardOfChat } from '../../cluster/shards.js';
import { type Device, NodeScene } from './node-scene.js';

const [CHAT, MEMBERS, WATCHER] = ['n1', 'n2', 'n3'];
const REST_MS = 150_000;

interface Party {
  readonly scene: NodeScene;
  /** Made the group. */
  readonly owner: Device;
  /** Live on a node of their own, connected there. */
  readonly members: Device[];
  /** Has the group open. */
  readonly watcher: Device;
  readonly group: string;
  /** What the watcher was told of the members since it was last asked. */
  told(): string[];
}

/** A user whose actor lives on that node. */
function userOf(scene: NodeScene, node: string, prefix: string): string {
  const { placement } = scene.node(CHAT).wiring;
  for (let i = 0; ; i += 1) if (placement.owner(shardOfUser(`${prefix}${i}`))?.node === node) return `${prefix}${i}`;
}

async function party(seed: number): Promise<Party> {
  const scene = new NodeScene(seed);
  await scene.settled(CHAT, MEMBERS, WATCHER);
  const owner = scene.device('ada', 'phone', CHAT);
  const members = ['bob', 'cleo'].map((prefix) => scene.device(userOf(scene, MEMBERS, prefix), 'phone', MEMBERS));
  const watcher = scene.device(userOf(scene, WATCHER, 'eve'), 'phone', WATCHER);
  await scene.until(() => scene.devices.every(({ online }) => online), 5_000, 'all are online');
  const names = [...members, watcher].map(({ user }) => user);
  let group = '';
  const owned = (): string | undefined =>
    group === '' ? undefined : scene.node(CHAT).wiring.placement.owner(shardOfChat(group))?.node;
  while (owned() !== CHAT) group = await scene.group(owner, 'all', names);
  const heard: string[] = [];
  watcher.session!.on('presence', ({ user, online, precision }) => {
    if (precision === 'exact') heard.push(`${user}${online ? '+' : '-'}`);
  });
  await scene.run(500);
  watcher.session!.group(group).watch(true);
  const all = (): boolean => members.every(({ user }) => watcher.presence.get(user) === true);
  await scene.until(all, 5_000, 'the members are shown');
  return { scene, owner, members, watcher, group, told: () => heard.splice(0) };
}

const remove = ({ owner, group, watcher }: Party): void =>
  void owner
    .session!.group(group)
    .remove([watcher.user])
    .catch(() => undefined);

/** Members go and come back. */
async function move({ scene, members }: Party): Promise<void> {
  for (const member of [...members]) member.session!.close();
  await scene.run(1_000);
  for (const { user } of members) scene.device(user, 'desk', MEMBERS);
  await scene.until(() => scene.devices.slice(-members.length).every(({ online }) => online), 5_000, 'they are back');
  await scene.run(1_000);
}

test('who is removed while nothing fails is told nothing from then on', async () => {
  const all = await party(1);
  await move(all);
  assert.ok(all.told().length > 0, 'a member is');
  remove(all);
  await all.scene.run(500);
  all.told();
  await move(all);
  assert.deepEqual(all.told(), []);
});

test('while the members\u2019 actors rest', async () => {
  const all = await party(2);
  const { scene, members } = all;
  for (const member of members) member.session!.close();
  await scene.run(REST_MS);
  const awake = members.filter(({ user }) => scene.node(MEMBERS).wiring.users.lookup(user) !== undefined);
  assert.deepEqual(awake, []);
  remove(all);
  await scene.run(500);
  all.told();
  await move(all);
  assert.deepEqual(all.told(), []);
});

test('over a link that breaks before the members\u2019 node hears of it', async () => {
  const all = await party(3);
  const { scene } = all;
  scene.wires.clog(CHAT, MEMBERS, true);
  remove(all);
  await scene.run(300);
  scene.wires.cut(CHAT, MEMBERS);
  scene.wires.clog(CHAT, MEMBERS, false);
  await scene.run(5_000);
  all.told();
  await move(all);
  assert.deepEqual(all.told(), []);
});

test('while the chat\u2019s node has no link with the watcher\u2019s', async () => {
  const all = await party(4);
  const { scene } = all;
  scene.wires.clog(CHAT, WATCHER, true);
  scene.wires.cut(CHAT, WATCHER);
  await scene.run(300);
  remove(all);
  await scene.run(300);
  scene.wires.clog(CHAT, WATCHER, false);
  await scene.run(5_000);
  all.told();
  await move(all);
  assert.deepEqual(all.told(), []);
});

test('by a chat whose node is killed before anybody heard of it', async () => {
  const all = await party(5);
  const { scene, owner, group, watcher } = all;
  for (const node of [MEMBERS, WATCHER]) scene.wires.clog(CHAT, node, true);
  let removed = false;
  void owner
    .session!.group(group)
    .remove([watcher.user])
    .then(() => {
      removed = true;
    });
  await scene.until(() => removed, 1_000, 'the removal is durable');
  scene.kill(CHAT);
  for (const node of [MEMBERS, WATCHER]) scene.wires.clog(CHAT, node, false);
  await scene.run(8_000);
  all.told();
  await move(all);
  assert.deepEqual(all.told(), []);
});

test('of who was blocked while his actor rested', async () => {
  const all = await party(6);
  const { scene, members, watcher } = all;
  const [bob, cleo] = members.map(({ user }) => user);
  for (const member of members) member.session!.close();
  await scene.run(REST_MS);
  assert.equal(scene.node(MEMBERS).wiring.users.lookup(bob!), undefined);
  void watcher.session!.block(bob!);
  await scene.run(500);
  all.told();
  await move(all);
  assert.deepEqual([...new Set(all.told())], [`${cleo}+`]);
});

test('in a group that has grown too large to be shown person by person', async () => {
  const all = await party(7);
  const { scene, owner, group } = all;
  const many = Array.from({ length: LIMITS.watches }, (_, i) => `many${i}`);
  void owner.session!.group(group).add(many);
  await scene.run(3_000);
  all.told();
  await move(all);
  assert.deepEqual(all.told(), []);
});
