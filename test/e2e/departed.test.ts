// Owns the end-to-end test of reading on in a group that one has left: what LIST tells afterwards.
// Invariant: real sockets, a real store; both for a chat that saw the user leave and for one that woke later.
// Must not: test what a member who left may see (membership.test.ts).

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OP, type Plain, T } from '../../transport/frames.js';
import { ask, newId, RawClient, testNode, utf8 } from './harness.js';

/** `[head, delivered, read, unread]` of the client's only chat. */
async function stand(client: RawClient): Promise<readonly Plain[]> {
  const [rows] = (await ask(client, { type: T.LIST, r: client.request(), after: null, limit: 1 })) as [Plain[][]];
  const [, , , head, delivered, read, , unread] = rows[0]!;
  return [head!, delivered!, read!, unread!];
}

/** Says READ, and waits until LIST tells as much: nobody else is told of it. */
async function read(client: RawClient, chat: Uint8Array, seq: number, upTo: number): Promise<readonly Plain[]> {
  client.send({ type: T.READ, chat, seq });
  for (const deadline = Date.now() + 5_000; ; ) {
    const now = await stand(client);
    if (now[2] === upTo) return now;
    assert.ok(Date.now() < deadline, `read up to ${now[2]}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('who left reads what came before, and no more is unread; nobody else is told, and a return goes on from there', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-e2e-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const first = await testNode(t, { folder });
  let ada = await RawClient.join(first.url, 'ada', 'phone');
  let bob = await RawClient.join(first.url, 'bob', 'phone', null);
  const create = { type: T.CREATE, r: ada.request(), id: newId(), title: 'crew', users: ['bob'] } as const;
  const [chat] = (await ask(ada, { ...create, users: ['bob'] })) as [Uint8Array];
  const change = (op: number): Promise<readonly Plain[]> =>
    ask(ada, { type: T.CHANGE, r: ada.request(), chat, id: newId(), op, users: ['bob'], args: [] });
  const say = async (): Promise<void> => {
    ada.send({ type: T.SEND, chat, id: newId(), body: utf8('x') });
    await ada.next(T.SENT);
  };
  for (let i = 0; i < 5; i += 1) await say();
  await change(OP.removed);
  await say();
  assert.deepEqual(await stand(bob), [7, 0, 0, 5]);
  assert.deepEqual(await read(bob, chat, 3, 3), [7, 3, 3, 3]);
  bob.send({ type: T.READ, chat, seq: 2 });
  assert.deepEqual(await read(bob, chat, 4, 4), [7, 4, 4, 2]);
  assert.ok(!ada.frames.some(({ type }) => type === T.RECEIPT), 'nobody else is told');

  await first.stop();
  const second = await testNode(t, { folder });
  ada = await RawClient.join(second.url, 'ada', 'phone');
  bob = await RawClient.join(second.url, 'bob', 'phone', null);
  assert.deepEqual(await stand(bob), [7, 4, 4, 2]);
  assert.deepEqual(await read(bob, chat, 99, 7), [7, 7, 7, 0], 'not beyond the end of the stay');
  const eve = await RawClient.join(second.url, 'eve', 'phone', null);
  eve.send({ type: T.READ, chat, seq: 3 });
  await change(OP.added);
  await say();
  assert.deepEqual((await stand(bob)).slice(1), [7, 7, 1]);
  const info = await ask(ada, { type: T.INFO, r: ada.request(), chat });
  assert.deepEqual(info[3], [
    ['ada', 3, 0, 0],
    ['bob', 1, 7, 7],
  ]);
  const eves = await ask(eve, { type: T.LIST, r: eve.request(), after: null, limit: 1 });
  assert.deepEqual(eves, [[], 0], 'a stranger who says that he has read it gains nothing');
});
