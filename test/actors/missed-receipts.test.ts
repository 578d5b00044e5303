// Owns the tests of receipts that move while a connection's client is being certified.
// Invariant: the order of events is the test's, never the machine's.
// Must not: repeat connection.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChatInfo } from '../../actors/messages.js';
import { T } from '../../transport/frames.js';
import { ChatScene, DIRECT, DIRECT_KEY } from './chat-scene.js';
import { Client } from './client-scene.js';

test('a receipt that comes while a SYNC is answered is told afterwards, though the vector did not ask for it', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  scene.send(client.ref!);
  await scene.settle();
  client.frames.length = 0;
  scene.holding = true;
  client.say({ type: T.SYNC, entries: [{ chat: DIRECT, seq: 1, read: 0, flags: 0 }], more: false, backfill: 0 });
  await scene.settle();
  const position = { user: 'bob', device: '1', delivered: 1, read: 0 } as const;
  scene.fabric.chats.tell(DIRECT_KEY, { type: 'cursor', ...position });
  await scene.settle();
  const direct: ChatInfo = { chat: DIRECT, key: DIRECT_KEY, kind: 1, pair: ['ada', 'bob'], title: '' };
  client.ref!.tell({ type: 'receipt', info: direct, ...position });
  await scene.settle();
  const passed = (): unknown[] => {
    const heard = scene.users.get('ada')?.heard ?? [];
    return heard.flatMap((message) =>
      message.type === 'pass' && message.news.type === 'receipt' ? [message.news] : [],
    );
  };
  assert.deepEqual(passed(), []);
  scene.release();
  await scene.settle();
  // By way of the user, whose actor is none here.
  assert.deepEqual(
    passed().map((news) => ({ ...(news as typeof position), info: null })),
    [{ type: 'receipt', ...position, device: '', info: null }],
  );
});
