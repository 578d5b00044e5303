// Owns the tests of a client that does not read, on a manual clock: what the node holds for it.
// Invariant: the socket keeps what it is given until the test says that it was read.
// Must not: measure memory (test/e2e/slow-reader.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { chatKey } from '../../storage/keys.js';
import { T } from '../../transport/frames.js';
import { encodeMessageRow } from '../../transport/row.js';
import { ChatScene, DIRECT } from './chat-scene.js';
import { Client } from './client-scene.js';
import { oneEntry } from './delivery.js';

const GROUP = Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? 2 : 7));
const info = { chat: GROUP, key: chatKey(GROUP), kind: 2, pair: null, title: 'crew' } as const;

/** What is sent to it stays in its socket. */
function deafen(client: Client): void {
  const send = client.send.bind(client);
  client.send = (bytes) => {
    client.waiting += bytes.length;
    return send(bytes);
  };
}

test('a burst within one slice: the socket is given no more than it may buffer, the rest waits in the log', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  deafen(client);
  const row = encodeMessageRow('bob', scene.id(), 0, new Uint8Array(LIMITS.body));
  for (let seq = 1; seq <= 40; seq += 1) {
    client.ref!.tell(oneEntry({ info, seq, row }));
  }
  await scene.settle();
  assert.ok(client.of(T.MESSAGE).length > 1);
  assert.ok(client.waiting <= LIMITS.buffered + LIMITS.frame, `${client.waiting} bytes`);
});

test('who asks and does not read the answers: one at a time is read, and none while the socket is full', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  for (let i = 0; i < 4; i += 1) scene.send(ada.ref, { body: new Uint8Array(LIMITS.body) });
  await scene.settle();
  const client = await Client.join(scene, 'bob/1', 0);
  deafen(client);
  for (let r = 1; r <= LIMITS.window; r += 1) client.say({ type: T.HISTORY, r, chat: DIRECT, before: 0, limit: 4 });
  client.say({ type: T.HISTORY, r: 99, chat: DIRECT, before: 0, limit: 4 });
  await scene.settle();
  assert.deepEqual(
    client.of(T.ERROR).map(({ r, code }) => [r, code]),
    [[99, 'busy']],
  );
  const answered = (): number => client.of(T.PAGE).length;
  const first = answered();
  assert.ok(first >= 1 && client.waiting < LIMITS.buffered + LIMITS.pageBytes + LIMITS.frame, `${client.waiting}`);
  // With and without the socket's own word.
  client.waiting = 0;
  client.drained();
  await scene.settle();
  const second = answered();
  assert.ok(second > first && second < LIMITS.window);
  client.waiting = 0;
  await scene.pass(LIMITS.retryMs + 10);
  assert.ok(answered() > second);
  while (answered() < LIMITS.window) {
    client.waiting = 0;
    await scene.pass(LIMITS.retryMs + 10);
  }
  assert.deepEqual(
    client.of(T.PAGE).map(({ r }) => r),
    Array.from({ length: LIMITS.window }, (_, at) => at + 1),
  );
});
