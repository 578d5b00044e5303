// Owns the proof that a node's start does not grow with what it stores: 1,000,000 messages, ready within a second.
// Invariant: the rows are those that the product writes, by its own encoders.
// Must not: take a slow machine for a slow start: the best of three counts, and a node with nothing to store starts beside it.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { idText } from '../../actors/message-id.js';
import { encodeIdPage } from '../../storage/id-page.js';
import { chatRowKey, directChat, idPageKey, inboxKey, messageKey } from '../../storage/keys.js';
import { openLmdb } from '../../storage/lmdb.js';
import { encodeChat, encodeInbox, UNSET } from '../../storage/rows.js';
import { STORE_LIMITS, type Write } from '../../storage/store.js';
import { CHAT_KIND, ROLE, T } from '../../transport/frames.js';
import { encodeMessageRow } from '../../transport/row.js';
import { RawClient, text, utf8 } from './harness.js';
import { Home } from './process.js';

const CHATS = 4_000;
const EACH = 250;
/** ms from the start of the process to `weft ready`; or, where a node without a message takes nearly as long, this much of its time. */
const READY = 1_000;
const BESIDE_EMPTY = 1.5;
/** Wall ms of the first message. */
const LONG_AGO = Date.UTC(2024, 0, 1);

/** UUIDv7 of a message, by its place. */
function idOf(chat: number, seq: number): Uint8Array {
  const id = Buffer.alloc(16);
  id.writeUIntBE(LONG_AGO + seq * 60_000, 0, 6);
  id[6] = 0x70;
  id[8] = 0x80;
  id.writeUInt32BE(chat, 12);
  return id;
}

const bodyOf = (chat: number, seq: number): string => `message ${seq} of chat ${chat} ${'·'.repeat(30)}`;
const usersOf = (chat: number): [string, string] => [`u${chat}`, `u${chat + 1}`];

/** What the product would have written for one direct chat. */
function* rowsOf(number: number): Generator<Write> {
  const users = usersOf(number);
  const chat = directChat(...users);
  let ids = '';
  for (let seq = 1; seq <= EACH; seq += 1) {
    const from = users[seq % 2]!;
    const id = idOf(number, seq);
    yield { key: messageKey(chat, seq), value: encodeMessageRow(from, id, 5, utf8(bodyOf(number, seq))) };
    ids += idText(id);
    if (seq % LIMITS.idPage > 0) continue;
    const page = { highest: idText(id), first: seq - LIMITS.idPage + 1, ids };
    yield { key: idPageKey(chat, LONG_AGO + seq * 60_000 + 5, seq), value: encodeIdPage(page) };
    ids = '';
  }
  const members = users.map((user) => ({ user, role: ROLE.member }));
  const row = { ...UNSET, kind: CHAT_KIND.direct, created: LONG_AGO, large: false, members };
  yield { key: chatRowKey(chat), value: encodeChat(row) };
  for (const [at, user] of users.entries()) {
    const view = {
      kind: CHAT_KIND.direct,
      large: false,
      hot: false,
      wrote: true,
      head: EACH,
      at: LONG_AGO + EACH * 60_000,
      delivered: EACH,
      read: EACH,
      spans: [{ from: 1, until: 0 }],
      devices: [{ device: 'd', delivered: EACH }],
      name: users[1 - at]!,
    };
    yield { key: inboxKey(user, chat), value: encodeInbox(view) };
  }
}

/** Commits as large as the store takes, some on their way at a time. */
async function fill(path: string): Promise<void> {
  const store = await openLmdb({ path });
  const order = Array.from({ length: CHATS }, (_, number) => number).sort((a, b) =>
    Buffer.compare(directChat(...usersOf(a)), directChat(...usersOf(b))),
  );
  const under: Promise<void>[] = [];
  let writes: Write[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    const commit = store.commit({ checks: [], writes });
    writes = [];
    bytes = 0;
    under.push(commit.then(({ outcome }) => assert.equal(outcome, 'committed')));
    if (under.length >= 16) await under.shift();
  };
  for (const number of order) {
    for (const write of rowsOf(number)) {
      writes.push(write);
      bytes += write.key.length + write.value!.length;
    }
    if (bytes > STORE_LIMITS.transaction * 0.8) await flush();
  }
  await flush();
  await Promise.all(under);
  await store.close();
}

test('with 1,000,000 messages a node is ready within a second, and the oldest are at hand', async (t) => {
  const home = new Home(t);
  const began = performance.now();
  await fill(join(home.data, 'store'));
  t.diagnostic(`${CHATS * EACH} messages written in ${Math.round(performance.now() - began)} ms`);

  const times: number[] = [];
  const empty: number[] = [];
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
    const nothing = await new Home(t).start();
    empty.push(nothing.readyMs);
    await nothing.stop('SIGKILL');
    const node = await home.start();
    times.push(node.readyMs);
    await node.stop(signal);
  }
  const took = `ready after ${times.map(Math.round).join(', ')} ms, without a message after ${empty.map(Math.round).join(', ')} ms`;
  t.diagnostic(took);
  assert.ok(Math.min(...times) < Math.max(READY, BESIDE_EMPTY * Math.min(...empty)), took);
  const node = await home.start();

  for (const number of [0, CHATS >> 1, CHATS - 1]) {
    const [user, other] = usersOf(number);
    const client = await RawClient.join(node.url, user, 'd');
    const chat = await client.direct(other);
    const r = client.request();
    client.send({ type: T.HISTORY, r, chat, before: 11, limit: 10 });
    const { rows, more } = await client.next(T.PAGE);
    const texts = rows.map((row) => (row.type === T.MESSAGE ? text(row.body) : ''));
    assert.deepEqual(
      texts,
      Array.from({ length: 10 }, (_, at) => bodyOf(number, at + 1)),
    );
    assert.equal(more, false);
    // The even ones are this user's.
    for (const seq of [2, 100, EACH]) {
      client.send({ type: T.SEND, chat, id: idOf(number, seq), body: utf8(bodyOf(number, seq)) });
      assert.equal((await client.next(T.SENT)).seq, seq);
    }
    client.close();
  }
  await node.stop('SIGTERM');
});
