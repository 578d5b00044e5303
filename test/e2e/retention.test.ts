// Owns the end-to-end test of retention: what clients see of a log that is emptied behind them, and what the file takes.
// Invariant: real sockets, real LMDB, a pace of milliseconds; a condition is waited for, never a time.
// Must not: repeat which entries go when (test/actors/sweep.test.ts).

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { messageKey, seqOf } from '../../storage/keys.js';
import { type ClientFrame, OP, T } from '../../transport/frames.js';
import { decodeRow } from '../../transport/row.js';
import { newId, RawClient, type TestNode, testNode, text, utf8 } from './harness.js';
import { ask, results, say } from './talk.js';

const BRISK = { restMs: 20, tickMs: 5, scanMs: 20, roundMs: 50 };
const UNTIL = { settings: { retention: { type: 'until-delivered' }, sweep: BRISK } } as const;

/** What is stored of the chat: `seq`, and `seq#op` of events. */
async function log({ node }: TestNode, chat: Uint8Array): Promise<string> {
  const range = { start: messageKey(chat, 0), end: messageKey(chat, 2 ** 48 - 1), limit: 1_000 };
  const { rows } = await node.store.range(range);
  return rows
    .map(({ key, value }) => {
      const row = decodeRow(value);
      return row.type === T.MESSAGE ? `${seqOf(key)}` : `${seqOf(key)}#${row.op}`;
    })
    .join(' ');
}

async function becomes(here: TestNode, chat: Uint8Array, expected: string): Promise<void> {
  const deadline = performance.now() + 5_000;
  while ((await log(here, chat)) !== expected) {
    assert.ok(performance.now() < deadline, `${await log(here, chat)} instead of ${expected}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function pairOf(t: TestContext) {
  const here = await testNode(t, UNTIL);
  const [ada, bob] = [await RawClient.join(here.url, 'ada', '1'), await RawClient.join(here.url, 'bob', '1')];
  return { here, ada, bob, chat: await ada.direct('bob') };
}

const history =
  (chat: Uint8Array, before = 0, limit = 100) =>
  (r: number): ClientFrame => ({ type: T.HISTORY, r, chat, before, limit });

test('an emptied log: sync, history, lists and receipts go on over what is gone', async (t) => {
  const { here, ada, bob, chat } = await pairOf(t);
  for (let i = 1; i <= 6; i += 1) assert.equal(await say(ada, chat, `m${i}`), i);
  await bob.next(T.MESSAGE, ({ seq }) => seq === 6);
  ada.send({ type: T.ACK, chat, seq: 6 });
  bob.send({ type: T.ACK, chat, seq: 4 });
  await becomes(here, chat, '5 6');
  const page = await ask(bob, history(chat));
  assert(page.type === T.PAGE);
  assert.deepEqual([page.rows.map(({ seq }) => seq), page.more], [[5, 6], false]);
  const half = await ask(bob, history(chat, 0, 1));
  assert(half.type === T.PAGE);
  assert.deepEqual([half.rows.map(({ seq }) => seq), half.more], [[6], true]);
  const none = await ask(bob, history(chat, 5));
  assert(none.type === T.PAGE);
  assert.deepEqual([none.rows, none.more], [[], false]);

  // A device that never had anything: told at once where the log begins, and given the rest.
  const fresh = await RawClient.join(here.url, 'bob', 'fresh', []);
  const cert = fresh.frames.find((frame) => frame.type === T.CERT);
  assert.deepEqual(
    cert === undefined || cert.type !== T.CERT ? [] : [cert.entries[0]!.head, cert.entries[0]!.start],
    [6, 5],
  );
  assert.equal(text((await fresh.next(T.MESSAGE)).body), 'm5');
  assert.equal(text((await fresh.next(T.MESSAGE)).body), 'm6');
  assert.equal(fresh.frames.filter((frame) => frame.type === T.CERT).length, 1, 'and told once');

  bob.send({ type: T.READ, chat, seq: 6 });
  fresh.send({ type: T.ACK, chat, seq: 6 });
  await becomes(here, chat, `6#${OP.erased}`);
  const [, , , members] = (await results(ada, (r) => ({ type: T.INFO, r, chat }))) as [number, string, number, unknown];
  assert.deepEqual(members, [
    ['ada', 1, 6, 0],
    ['bob', 1, 6, 6],
  ]);
  const [delivered, read] = await results(ada, (r) => ({ type: T.RECEIPTS, r, chat, seq: 3 }));
  assert.deepEqual([delivered, read], [1, 1]);
  const [chats] = (await results(ada, (r) => ({ type: T.LIST, r, after: null, limit: 10 }))) as [unknown[][]];
  assert.equal(chats[0]![3], 6, 'the head');

  const late = await RawClient.join(here.url, 'ada', 'late', [[chat, 2]]);
  const told = late.frames.find((frame) => frame.type === T.CERT);
  assert.deepEqual(
    told === undefined || told.type !== T.CERT ? [] : [told.entries[0]!.head, told.entries[0]!.start],
    [6, 6],
  );
  const rest = await late.next(T.EVENT);
  assert.deepEqual([rest.seq, rest.op, rest.args], [6, OP.erased, []]);
  assert.equal(await say(bob, chat, 'm7'), 7, 'numbers go on');
  assert.equal(text((await late.next(T.MESSAGE)).body), 'm7');
});

test('a client that repeats an unanswered send after its message was swept gets the first number', async (t) => {
  const { here, ada, bob, chat } = await pairOf(t);
  const ids = Array.from({ length: 20 }, newId);
  for (const id of ids) {
    ada.send({ type: T.SEND, chat, id, body: utf8('x') });
    await ada.next(T.SENT);
  }
  ada.send({ type: T.ACK, chat, seq: 20 });
  bob.send({ type: T.ACK, chat, seq: 20 });
  await becomes(here, chat, `20#${OP.erased}`);
  await here.stop();
  const again = await testNode(t, { ...UNTIL, folder: here.folder });
  for (const device of ['1', 'other']) {
    const client = await RawClient.join(again.url, 'ada', device, [[chat, 20]]);
    for (const at of [0, 10, 19]) {
      client.send({ type: T.SEND, chat, id: ids[at]!, body: utf8('x') });
      assert.equal((await client.next(T.SENT)).seq, at + 1);
    }
  }
  assert.equal(await log(again, chat), `20#${OP.erased}`);
});

test("a chat's timer ends a message that somebody never got, and the sender is told", async (t) => {
  const here = await testNode(t, { settings: { sweep: BRISK } });
  const ada = await RawClient.join(here.url, 'ada', '1');
  const chat = await ada.direct('bob');
  await say(ada, chat, 'short');
  await results(ada, (r) => ({ type: T.CHANGE, r, chat, id: newId(), op: OP.expiry, users: [], args: [1] }));
  const told = await ada.next(T.EVENT, ({ op }) => op === OP.expired);
  assert.deepEqual([told.seq, told.args], [3, [1, 1]]);
  await becomes(here, chat, `3#${OP.erased}`);
  const bob = await RawClient.join(here.url, 'bob', '1', []);
  const rest = await bob.next(T.EVENT);
  assert.deepEqual([rest.seq, rest.op], [3, OP.erased]);
  assert.equal(bob.frames.filter((frame) => frame.type === T.MESSAGE).length, 0);
});

test('the file stays as large as what is under way, however much goes through it', async (t) => {
  const here = await testNode(t, UNTIL);
  const [ada, bob] = [
    await RawClient.join(here.url, 'ada', '1', [], 60_000),
    await RawClient.join(here.url, 'bob', '1', [], 60_000),
  ];
  const chat = await ada.direct('bob');
  const body = new Uint8Array(2_000);
  const size = (): number => statSync(join(here.folder, 'store', 'data.mdb')).size;
  const sizes: number[] = [];
  let seq = 0;
  for (let cycle = 0; cycle < 6; cycle += 1) {
    for (let sent = 0; sent < 600; sent += 60) {
      for (let i = 0; i < 60; i += 1) ada.send({ type: T.SEND, chat, id: newId(), body });
      seq += 60;
      await ada.next(T.SENT, (frame) => frame.seq === seq);
      ada.frames.length = 0;
    }
    await bob.next(T.MESSAGE, (frame) => frame.seq === seq);
    bob.frames.length = 0;
    ada.send({ type: T.ACK, chat, seq });
    bob.send({ type: T.ACK, chat, seq });
    await becomes(here, chat, `${seq}#${OP.erased}`);
    sizes.push(size());
  }
  // 1.2 MB go through in each; pages that were freed are used again.
  assert.ok(sizes.at(-1)! < sizes[1]! + 1_500_000, sizes.join(' '));
  assert.equal(here.node.sweeps.failed, 0);
});
