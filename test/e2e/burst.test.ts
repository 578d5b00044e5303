// Owns the proof that what honest clients do at once, after a pause or a reconnect, neither ends their connection nor turns
// them in circles, and that what a client sets in motion at others counts for as much as it costs.
// Invariant: the limits of rates are the product's own where they are what is tested.
// Must not: measure throughput (npm run bench).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_QUOTAS } from '../../actors/allowances.js';
import { LIMITS } from '../../actors/limits.js';
import { OP, type ServerFrame, T } from '../../transport/frames.js';
import { newId, RawClient, testNode, token, utf8 } from './harness.js';
import { ask, create } from './talk.js';

const quotas = { ...DEFAULT_QUOTAS, loopback: false };
const crowd = (count: number): string[] => Array.from({ length: count }, (_, at) => `u${at}`);

test('all that a device may send at once goes to a group of any size, and the sender is no flood', async (t) => {
  const { url } = await testNode(t, { settings: { quotas } });
  const ada = await RawClient.join(url, 'ada', 'a1');
  const chat = await create(ada, crowd(LIMITS.members - 1));
  for (let i = 0; i < LIMITS.sendBurst; i += 1) ada.send({ type: T.SEND, chat, id: newId(), body: utf8('x') });
  const answered: ServerFrame[] = [];
  while (answered.length < LIMITS.sendBurst) {
    answered.push(await ada.next([T.SENT, T.FAILED]));
  }
  // Each costs 103 tokens; those that found none are to come again.
  assert.ok(answered.filter(({ type }) => type === T.SENT).length > LIMITS.frameBurst / (LIMITS.members / 10));
  ada.send({ type: T.PING, n: 7 });
  assert.equal((await ada.next(T.PONG)).n, 7);
  const refused = await ask(ada, (r) => ({ type: T.INFO, r, chat }));
  assert.ok(refused.type === T.ERROR && refused.code === 'rate_limited', 'it is told to wait');
  assert.equal(ada.closed, null);
});

test('changes of a large group count by its members, as messages do', async (t) => {
  const { url } = await testNode(t, { settings: { quotas } });
  const ada = await RawClient.join(url, 'ada', 'a1');
  const chat = await create(ada, crowd(LIMITS.members - 1));
  let changed = 0;
  for (;;) {
    const args = [`title ${changed}`];
    const answer = await ask(ada, (r) => ({ type: T.CHANGE, r, chat, id: newId(), op: OP.title, users: [], args }));
    if (answer.type === T.ERROR) {
      assert.equal(answer.code, 'rate_limited');
      break;
    }
    changed += 1;
    assert.ok(changed < LIMITS.sendBurst, 'before the rate of messages alone ends it');
  }
});

test('users who are looked up for a group count, also where it is refused', async (t) => {
  const { url } = await testNode(t, { settings: { quotas } });
  const [mallory, bob] = [await RawClient.join(url, 'mallory', 'm1'), await RawClient.join(url, 'bob', 'b1')];
  await ask(bob, (r) => ({ type: T.BLOCK, r, user: 'mallory', on: true }));
  const users = ['bob', ...crowd(LIMITS.members - 2)];
  const codes: string[] = [];
  for (let i = 0; i < 20; i += 1) {
    const answer = await ask(mallory, (r) => ({ type: T.CREATE, r, id: newId(), title: 'x', users }));
    codes.push(answer.type === T.ERROR ? answer.code : 'made');
  }
  assert.ok(codes.includes('rate_limited'), `${codes}`);
});

test('who wants the receipts of all chats at once gets them, and is not told to resync for it', async (t) => {
  const [groups, members] = [110, 40];
  assert.ok(groups * members > LIMITS.userMailbox, 'more than the user can be told at once');
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'a1');
  const names = crowd(members);
  const others = await Promise.all(names.map((user) => RawClient.join(url, user, 'd1')));
  const chats: Uint8Array[] = [];
  for (let i = 0; i < groups; i += 1) chats.push(await create(ada, names));
  for (const other of others) for (const chat of chats) other.send({ type: T.ACK, chat, seq: 1 });
  for (const other of others) {
    other.send({ type: T.PING, n: 1 });
    await other.next(T.PONG);
    other.close();
  }
  const phone = await RawClient.open(url);
  phone.send({ type: T.HELLO, version: 1, token: await token('ada', 'a2'), credit: 1_000, agent: 'test' });
  const entries = chats.map((chat) => ({ chat, seq: 1, read: 1, flags: 1 }));
  phone.send({ type: T.SYNC, entries, more: false, backfill: 0 });
  await phone.next(T.SYNCED);
  const receipts = (): number => phone.frames.filter(({ type }) => type === T.RECEIPT).length;
  const deadline = performance.now() + 10_000;
  while (receipts() < groups * members && performance.now() < deadline) await sleep(20);
  assert.ok(receipts() >= groups * members, `${receipts()} receipts`);
  assert.equal(phone.frames.filter(({ type }) => type === T.RESYNC).length, 0);
});

test('who asks for all receipts again and again gets them as fast as the rate allows', async (t) => {
  const { url } = await testNode(t, { settings: { quotas: { ...quotas, newGroups: 0 } } });
  const ada = await RawClient.join(url, 'ada', 'a1');
  const chats: Uint8Array[] = [];
  for (let i = 0; i < 50; i += 1) chats.push(await create(ada, []));
  const desk = await RawClient.join(url, 'ada', 'a3');
  for (const chat of chats) ada.send({ type: T.READ, chat, seq: 1 });
  for (let read = 0; read < chats.length; read += 1) await desk.next(T.RECEIPT);
  const phone = await RawClient.join(url, 'ada', 'a2', []);
  const entries = chats.map((chat) => ({ chat, seq: 1, read: 1, flags: 1 }));
  const began = performance.now();
  for (let i = 0; i < 8; i += 1) {
    phone.send({ type: T.SYNC, entries, more: false, backfill: 0 });
    await phone.next(T.SYNCED);
    await sleep(80);
  }
  phone.send({ type: T.PING, n: 1 });
  await phone.next(T.PONG);
  const told = phone.frames.filter(({ type }) => type === T.RECEIPT).length;
  // What each SYNC costs is missing for it, too.
  const tokens = LIMITS.frameBurst / 4 + ((performance.now() - began) * LIMITS.frameRate) / 1_000 - 7 * 55;
  assert.ok(told <= Math.max(0, tokens) / LIMITS.followGroup + 2, `${told} receipts`);
  assert.equal(phone.closed, null);
});

test('who opens many chats at once is told of each of their members', async (t) => {
  const { url } = await testNode(t);
  const [groups, members] = [6, LIMITS.watches - 1];
  assert.ok(groups * members > LIMITS.connectionMailbox);
  const ada = await RawClient.join(url, 'ada', 'a1');
  const chats: Uint8Array[] = [];
  for (let group = 0; group < groups; group += 1) {
    chats.push(
      await create(
        ada,
        crowd(members).map((user) => `${user} of ${group}`),
      ),
    );
  }
  for (const chat of chats) ada.send({ type: T.WATCH, chat, on: true });
  for (let told = 0; told < groups * members; told += 1) await ada.next(T.PRESENCE);
});

test('large bodies over the rate are refused unread, in order, and pass when they come again', async (t) => {
  const { url } = await testNode(t, { settings: { quotas } });
  const ada = await RawClient.join(url, 'ada', 'a1');
  const opened = await ask(ada, (r) => ({ type: T.DIRECT, r, user: 'bob' }));
  assert.ok(opened.type === T.OK);
  const chat = opened.results[0] as Uint8Array;
  const bodyOf = (n: number): Uint8Array => new Uint8Array(LIMITS.body).fill(n);
  const say = async (id: Uint8Array, n: number) => {
    ada.send({ type: T.SEND, chat, id, body: bodyOf(n) });
    return ada.next([T.SENT, T.FAILED]);
  };
  let [n, id] = [1, newId()];
  let answer = await say(id, n);
  while (answer.type === T.SENT) {
    [n, id] = [n + 1, newId()];
    answer = await say(id, n);
  }
  assert.equal(answer.code, 'rate_limited');
  const other = await say(newId(), 99);
  assert.ok(other.type === T.FAILED && other.code === 'busy', 'the refused one comes first');
  for (let tries = 0; answer.type === T.FAILED && tries < 3; tries += 1) {
    assert.ok(answer.code === 'rate_limited' && answer.after > 0);
    await sleep(answer.after);
    answer = await say(id, n);
  }
  assert.deepEqual([answer.type, answer.type === T.SENT && answer.seq], [T.SENT, n], JSON.stringify(answer));
  ada.send({ type: T.HISTORY, r: 7, chat, before: 0, limit: 1 });
  const page = await ada.next(T.PAGE);
  const [row] = page.rows;
  assert.ok(row?.type === T.MESSAGE && row.body.length === LIMITS.body && row.body[9] === n, 'its body is whole');
});
