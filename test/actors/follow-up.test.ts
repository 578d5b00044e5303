// Owns the tests of what a connection tells its chats for its client, where a chat cannot take it.
// Invariant: the order of events is the test's, never the machine's.
// Must not: repeat connection.test.ts, which has what is told after a SYNC.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { T } from '../../transport/frames.js';
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
