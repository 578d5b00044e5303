// Owns the tests of what is being read for a client while it is deleted or hidden.
// Invariant: when a read ends is the test's; what is told live comes to the connection before that.
// Must not: repeat stream.test.ts and history.test.ts, which have what a read shows.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UNMARKED } from '../../storage/account-rows.js';
import { messageKey } from '../../storage/keys.js';
import { OP, T } from '../../transport/frames.js';
import { ChatScene, DIRECT } from './chat-scene.js';
import { Client } from './client-scene.js';

/** Ada and bob, and bob's message, which is number 1. What is read of their log waits for `open`. */
async function scenery(): Promise<{ scene: ChatScene; bob: Client; reads: () => number; open: () => Promise<void> }> {
  const scene = await ChatScene.open();
  const bob = await Client.join(scene, 'bob/1');
  bob.say({ type: T.DIRECT, r: 1, user: 'ada' });
  bob.say({ type: T.SEND, chat: DIRECT, id: scene.id(), body: new Uint8Array(3) });
  await scene.settle();
  const range = scene.store.range.bind(scene.store);
  let ready = (): void => {};
  const opened = new Promise<void>((resolve) => {
    ready = resolve;
  });
  let reads = 0;
  const from = messageKey(DIRECT, 0);
  scene.store.range = async (query) => {
    const page = await range(query);
    // Certificates read the newest row alone.
    const entries = Buffer.compare(query.start, from) >= 0 && Buffer.compare(query.start, messageKey(DIRECT, 9)) < 0;
    if (!entries || query.limit === 1) return page;
    reads += 1;
    await opened;
    return page;
  };
  const open = (): Promise<void> => {
    ready();
    return scene.settle();
  };
  return { scene, bob, reads: () => reads, open };
}

/** What the chat told ada's user so far goes on to this connection. */
function pass(scene: ChatScene, { ref }: Client): Promise<void> {
  for (const news of scene.users.get('ada')!.heard.splice(0)) if (news.type === 'delivery') ref!.tell(news);
  return scene.settle();
}

test('HISTORY shows nothing that was deleted while it was read', async () => {
  const { scene, bob, open } = await scenery();
  const ada = new Client(scene);
  ada.say({ type: T.HELLO, version: 1, token: 'ada/1', credit: 100, agent: '' });
  await scene.settle();
  for (const news of scene.users.get('ada')!.heard) if (news.type === 'register') ada.ref = news.connection;
  ada.say({ type: T.HISTORY, r: 1, chat: DIRECT, before: 0, limit: 10 });
  await scene.settle();
  bob.say({ type: T.CHANGE, r: 2, chat: DIRECT, id: scene.id(), op: OP.deleted, users: [], args: [1] });
  await scene.settle();
  await pass(scene, ada);
  await open();
  const [page] = ada.of(T.PAGE);
  assert.deepEqual(
    page?.rows.map((row) => [row.seq, row.type === T.EVENT ? row.op : 0]),
    [
      [1, OP.erased],
      [2, OP.deleted],
    ],
  );
});

test('nor does the stream bring it', async () => {
  const { scene, bob, reads, open } = await scenery();
  const ada = await Client.join(scene, 'ada/1');
  assert.equal(reads(), 1);
  bob.say({ type: T.CHANGE, r: 2, chat: DIRECT, id: scene.id(), op: OP.deleted, users: [], args: [1] });
  await scene.settle();
  await pass(scene, ada);
  await open();
  assert.equal(ada.of(T.MESSAGE).length, 0);
  assert.deepEqual(
    ada.of(T.EVENT).map(({ seq, op }) => [seq, op]),
    [
      [1, OP.erased],
      [2, OP.deleted],
    ],
  );
});

test('what is read of a chat that its user marks meanwhile is read again', async () => {
  const { scene, reads, open } = await scenery();
  const ada = await Client.join(scene, 'ada/1');
  const before = reads();
  ada.ref!.tell({ type: 'marked', chat: DIRECT, marks: UNMARKED });
  await scene.settle();
  await open();
  assert.equal(ada.of(T.MARKED).length, 1);
  assert.deepEqual([ada.of(T.MESSAGE).length, reads() > before], [1, true]);
});
