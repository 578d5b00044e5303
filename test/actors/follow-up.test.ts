// Owns the tests of what a connection tells its chats for its client, where a chat cannot take it.
// Invariant: the order of events is the test's, never the machine's.
// Must not: repeat connection.test.ts, which has what is told after a SYNC.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { chatFromKey, inboxKey } from '../../storage/keys.js';
import { decodeInbox } from '../../storage/rows.js';
import { OP, T } from '../../transport/frames.js';
import { ChatScene, DIRECT } from './chat-scene.js';
import { Client } from './client-scene.js';

test('a position that a resting chat could not take is told when it is back, and once', async () => {
  const scene = await ChatScene.open();
  const ada = await Client.join(scene, 'ada/1');
  const bob = await Client.join(scene, 'bob/1');
  bob.say({ type: T.DIRECT, r: 1, user: 'ada' });
  bob.say({ type: T.SEND, chat: DIRECT, id: scene.id(), body: new Uint8Array(3) });
  await scene.settle();
  const told = (): unknown[] =>
    scene.users
      .get('bob')!
      .heard.flatMap((message) =>
        message.type === 'receipt' ? [[message.user, message.delivered, message.read]] : [],
      );
  scene.resting = true;
  ada.say({ type: T.ACK, chat: DIRECT, seq: 1 });
  ada.say({ type: T.READ, chat: DIRECT, seq: 1 });
  await scene.pass(5 * LIMITS.retryMs);
  assert.deepEqual(told(), []);
  scene.resting = false;
  await scene.pass(2 * LIMITS.retryMs);
  assert.deepEqual(told(), [['ada', 1, 1]]);
});

test('a position that a chat had not written when it broke off is told again; one that it had written is not', async () => {
  const scene = await ChatScene.open({ threshold: 2 });
  const ada = await Client.join(scene, 'ada/1');
  const bob = await Client.join(scene, 'bob/1');
  const key = await scene.group(ada.ref!, ['bob', 'cleo']);
  const chat = chatFromKey(key);
  const stored = async (): Promise<unknown> => {
    const { delivered, read } = decodeInbox((await scene.memory.get(inboxKey('bob', chat)))!);
    return { delivered, read };
  };
  for (let seq = 2; seq <= 4; seq += 1) {
    ada.say({ type: T.SEND, chat, id: scene.id(), body: new Uint8Array(3) });
    await scene.settle();
  }
  bob.say({ type: T.ACK, chat, seq: 2 });
  await scene.settle();
  assert.deepEqual(await stored(), { delivered: 2, read: 0 });
  // Gathered, as the group is large.
  bob.say({ type: T.ACK, chat, seq: 4 });
  bob.say({ type: T.READ, chat, seq: 3 });
  await scene.settle();
  scene.runtime.exit(scene.chats.get(key)!, { type: 'killed' });
  await scene.pass(2 * LIMITS.retryMs + LIMITS.cursorMs);
  assert.deepEqual(await stored(), { delivered: 4, read: 3 });
  // At rest it is written: nobody wakes the chat for it.
  await scene.pass(2 * LIMITS.passivateMs);
  assert.equal(scene.fabric.chats.lookup(key), undefined);
});

test('what who left a group has read meanwhile counts from his next SYNC on', async () => {
  const scene = await ChatScene.open();
  const ada = await Client.join(scene, 'ada/1');
  const key = await scene.group(ada.ref!, ['bob']);
  const chat = chatFromKey(key);
  for (const op of [0, OP.left]) {
    const asker = { user: 'bob', connection: ada.ref!, r: 9 };
    const [id, users, args] = [scene.id(), [], []];
    if (op === OP.left) scene.fabric.chats.tell(key, { type: 'change', asker, id, op, users, args });
    else ada.say({ type: T.SEND, chat, id, body: new Uint8Array(3) });
    await scene.settle();
  }
  const bob = await Client.join(scene, 'bob/1');
  bob.say({ type: T.SYNC, entries: [{ chat, seq: 3, read: 9, flags: 0 }], more: false, backfill: 0 });
  await scene.pass(2 * LIMITS.followMs);
  const { delivered, read } = decodeInbox((await scene.memory.get(inboxKey('bob', chat)))!);
  assert.deepEqual({ delivered, read }, { delivered: 3, read: 3 });
  const { appends } = scene.log.stats();
  bob.say({ type: T.SYNC, entries: [{ chat, seq: 3, read: 9, flags: 0 }], more: false, backfill: 0 });
  await scene.pass(2 * LIMITS.followMs);
  assert.equal(scene.log.stats().appends, appends, 'told once');
});

test('what a client says while its vector is answered is told, also where the chat could not take it', async () => {
  const scene = await ChatScene.open();
  const ada = await Client.join(scene, 'ada/1');
  for (let i = 0; i < 3; i += 1) scene.send(scene.connection().ref, { user: 'bob' });
  await scene.settle();
  ada.say({ type: T.SYNC, entries: [{ chat: DIRECT, seq: 1, read: 0, flags: 0 }], more: false, backfill: 0 });
  scene.resting = true;
  ada.say({ type: T.READ, chat: DIRECT, seq: 3 });
  await scene.settle();
  scene.resting = false;
  await scene.pass(3 * LIMITS.retryMs);
  const { delivered, read } = decodeInbox((await scene.memory.get(inboxKey('ada', DIRECT)))!);
  assert.deepEqual({ delivered, read }, { delivered: 3, read: 3 });
});
