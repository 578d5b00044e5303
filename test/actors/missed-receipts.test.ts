// Owns the tests of receipts that move while a connection's client is being certified.
// Invariant: the order of events is the test's, never the machine's.
// Must not: repeat connection.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import type { ChatInfo, ReceiptNews } from '../../actors/messages.js';
import { T } from '../../transport/frames.js';
import { ChatScene, DIRECT, DIRECT_KEY } from './chat-scene.js';
import { Client } from './client-scene.js';

const direct: ChatInfo = { chat: DIRECT, key: DIRECT_KEY, kind: 1, pair: ['ada', 'bob'], title: '' };

/** What the chat was asked for and told by way of the user, whose actor is none here. */
function passed(scene: ChatScene): ReceiptNews[] {
  const heard = scene.users.get('ada')?.heard ?? [];
  return heard.flatMap((message) => (message.type === 'pass' && message.news.type === 'receipt' ? [message.news] : []));
}

/** ada is connected and certified; bob has what she sent. */
async function delivered(): Promise<{ scene: ChatScene; client: Client }> {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  scene.send(client.ref!);
  await scene.settle();
  scene.fabric.chats.tell(DIRECT_KEY, { type: 'cursor', user: 'bob', device: '1', delivered: 1, read: 0 });
  await scene.settle();
  assert.deepEqual(passed(scene), []);
  return { scene, client };
}

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
  client.ref!.tell({ type: 'receipt', info: direct, ...position });
  await scene.settle();
  assert.deepEqual(passed(scene), []);
  scene.release();
  await scene.settle();
  assert.deepEqual(
    passed(scene).map((news) => ({ ...(news as typeof position), info: null })),
    [{ type: 'receipt', ...position, device: '', info: null }],
  );
});

test('receipts that did not fit the mailbox are asked for again, of their chat alone', async () => {
  const { scene, client } = await delivered();
  for (let i = 0; i < LIMITS.connectionMailbox; i += 1) {
    client.ref!.tell({ type: 'typing', info: direct, user: `u${i}`, on: true });
  }
  client.ref!.tell({ type: 'receipt', info: direct, user: 'bob', device: '1', delivered: 1, read: 0 });
  await scene.pass(2 * LIMITS.followMs);
  assert.deepEqual(client.of(T.RESYNC), []);
  assert.deepEqual(
    passed(scene).map(({ user, delivered }) => [user, delivered]),
    [['bob', 1]],
  );
});

test('receipts of more chats than are remembered: the client is asked where it stands', async () => {
  const { scene, client } = await delivered();
  for (let i = 0; i < LIMITS.connectionMailbox; i += 1) {
    client.ref!.tell({ type: 'typing', info: direct, user: `u${i}`, on: true });
  }
  for (let i = 0; i <= LIMITS.missedReceipts; i += 1) {
    const info = { ...direct, key: `${direct.key}${i}` };
    client.ref!.tell({ type: 'receipt', info, user: 'bob', device: '1', delivered: 1, read: 0 });
  }
  await scene.settle();
  assert.equal(client.of(T.RESYNC).length, 1);
});

test('receipts for which a user’s mailbox has no room are asked for again by the connection that wanted them', async () => {
  const { scene, client } = await delivered();
  const user = scene.users.get('ada')!;
  const full = { ...user, ref: { ...user.ref, tell: () => 'busy' as const } };
  scene.users.set('ada', full);
  scene.fabric.chats.tell(DIRECT_KEY, { type: 'receipts', user: 'ada', connection: client.ref! });
  await scene.pass(3 * LIMITS.retryMs);
  scene.users.set('ada', user);
  assert.deepEqual(passed(scene), []);
  await scene.pass(2 * LIMITS.retryMs);
  assert.deepEqual(client.of(T.RESYNC), []);
  assert.deepEqual(
    passed(scene).map(({ user, delivered }) => [user, delivered]),
    [['bob', 1]],
  );
});

test('a new installation, whose vector lacks the chat, is told its receipts where its user has written', async () => {
  const { scene } = await delivered();
  await Client.join(scene, 'ada/2');
  await scene.settle();
  assert.deepEqual(
    passed(scene).map(({ user, delivered }) => [user, delivered]),
    [['bob', 1]],
  );
  await Client.join(scene, 'bob/2');
  await scene.settle();
  assert.deepEqual(
    scene.users.get('bob')!.heard.filter(({ type }) => type === 'pass'),
    [],
  );
});

test('receipts asked for while the chat’s state is away after a failed append are told when it is back', async () => {
  const { scene, client } = await delivered();
  scene.faults = ['store_unavailable'];
  scene.send(client.ref!);
  await scene.pass(LIMITS.retryMs);
  assert.deepEqual(scene.reports, ['append_failed']);
  client.say({ type: T.SYNC, entries: [{ chat: DIRECT, seq: 1, read: 0, flags: 1 }], more: false, backfill: 0 });
  await scene.settle();
  assert.deepEqual(passed(scene), []);
  await scene.pass(LIMITS.reloadMs + 2 * LIMITS.retryMs);
  assert.deepEqual(
    passed(scene).map(({ user, delivered }) => [user, delivered]),
    [['bob', 1]],
  );
});

test('receipts asked of a chat that broke off before it read the question are asked for again', async () => {
  const { scene, client } = await delivered();
  const broken = (): void => scene.runtime.exit(scene.chats.get(DIRECT_KEY)!, { type: 'killed' });
  broken();
  await scene.settle();
  // Its successor wakes, and is not awake yet.
  scene.holding = true;
  client.ref!.tell({ type: 'unpassed', key: DIRECT_KEY, large: false });
  await scene.pass(2 * LIMITS.retryMs);
  assert.equal(scene.chats.get(DIRECT_KEY)!.alive, true);
  assert.deepEqual(passed(scene), []);
  broken();
  scene.release();
  await scene.pass(3 * LIMITS.retryMs);
  assert.deepEqual(
    passed(scene).map(({ user, delivered }) => [user, delivered]),
    [['bob', 1]],
  );
});
