// Owns the tests of blocks between nodes: what is sent after the answer does not pass, also where the chat's node cannot hear of it.
// Invariant: whole nodes and real clients in virtual time; who blocks, who is blocked and their chat live on a node each.
// Must not: test blocks on one node (test/e2e/blocks.test.ts), or presence (watch-end.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { shardOfUser } from '../../cluster/shard-actors.js';
import { shardOfChat } from '../../cluster/shards.js';
import { chatKey, directChat } from '../../storage/keys.js';
import { type Device, NodeScene } from './node-scene.js';

const [HOME, CHAT, OTHER] = ['n1', 'n2', 'n3'];
/** After which a link that says nothing counts as broken. */
const SILENCE_MS = LIMITS.linkBeatMs * (LIMITS.linkBeats + 1);

interface Pair {
  readonly scene: NodeScene;
  /** Blocks. */
  readonly ada: Device;
  readonly bob: Device;
}

async function pair(seed: number): Promise<Pair> {
  const scene = new NodeScene(seed);
  await scene.settled(HOME, CHAT, OTHER);
  const { placement } = scene.node(HOME).wiring;
  const lives = (shard: number): string | undefined => placement.owner(shard)?.node;
  const names = Array.from({ length: 500 }, (_, i) => `user${i}`);
  const ada = names.find((name) => lives(shardOfUser(name)) === HOME)!;
  const chatOf = (name: string): string => chatKey(directChat(ada, name));
  const bob = names.find((name) => lives(shardOfUser(name)) === OTHER && lives(shardOfChat(chatOf(name))) === CHAT)!;
  const made = { ada: scene.device(ada, 'phone', HOME), bob: scene.device(bob, 'phone', OTHER) };
  await scene.until(() => scene.devices.every(({ online }) => online), 5_000, 'both are online');
  const all = { scene, ...made };
  // The chat is awake from here on.
  assert.equal(await send(all, 'before'), 'sent');
  return all;
}

/** Bob's message to Ada: what became of it. */
async function send({ scene, ada, bob }: Pair, body: string): Promise<string> {
  let outcome = '';
  bob
    .session!.direct(ada.user)
    .send(body)
    .then(
      () => {
        outcome = 'sent';
      },
      (error: { code: string }) => {
        outcome = error.code;
      },
    );
  await scene.until(() => outcome !== '', 5_000, `${body} is answered`);
  return outcome;
}

async function block({ scene, ada, bob }: Pair): Promise<void> {
  let done = false;
  void ada.session!.block(bob.user).then(() => {
    done = true;
  });
  await scene.until(() => done, 1_000, 'the block is answered');
}

test('a link\u2019s way after the answer', async () => {
  const all = await pair(1);
  await block(all);
  await all.scene.run(10);
  assert.equal(await send(all, 'after'), 'blocked');
});

test('while the chat\u2019s node has no link with that of who blocks, and when it has one again', async () => {
  const all = await pair(2);
  const { scene, ada, bob } = all;
  for (const [from, to] of [[HOME, CHAT] as const, [CHAT, HOME] as const]) scene.wires.clog(from, to, true);
  await scene.run(SILENCE_MS);
  assert.equal(await send(all, 'meanwhile'), 'sent');
  await block(all);
  assert.equal(await send(all, 'after'), 'blocked');
  for (const [from, to] of [[HOME, CHAT] as const, [CHAT, HOME] as const]) scene.wires.clog(from, to, false);
  await scene.run(3_000);
  assert.equal(await send(all, 'long after'), 'blocked');
  void ada.session!.unblock(bob.user);
  await scene.run(100);
  assert.equal(await send(all, 'at last'), 'sent');
});

test('whose node is killed as soon as it has answered, before the chat\u2019s has heard', async () => {
  const all = await pair(3);
  const { scene } = all;
  scene.wires.clog(HOME, CHAT, true);
  await block(all);
  scene.kill(HOME);
  await scene.run(SILENCE_MS);
  scene.wires.clog(HOME, CHAT, false);
  assert.equal(await send(all, 'after'), 'blocked');
  await scene.run(5_000);
  assert.equal(await send(all, 'long after'), 'blocked');
});
