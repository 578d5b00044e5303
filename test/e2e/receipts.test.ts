// Owns the end-to-end test of receipts beyond the simple case: reading ahead of delivery, takeovers, restarts, large
// groups, and who has a message.
// Invariant: real sockets, a real store; every position that is told is one that the store holds.
// Must not: conclude from silence without a later frame on the same way that must have come after it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OP, T } from '../../transport/frames.js';
import { newId, RawClient, testNode, utf8 } from './harness.js';
import { ask, change, create, cursors, results, say, until } from './talk.js';

const LARGE = { settings: { fanOutThreshold: 3, passivateMs: 60_000 } };

const receipt = async (client: RawClient): Promise<string> => {
  const { delivered, read } = await client.next(T.RECEIPT);
  return `${delivered}/${read}`;
};

/** Waits for this tally; every one before it must be lower. */
async function tally(client: RawClient, delivered: number, read: number): Promise<void> {
  for (;;) {
    const frame = await client.next(T.TALLY);
    assert.ok(frame.delivered <= delivered && frame.read <= read, `${frame.delivered}/${frame.read}`);
    if (frame.delivered === delivered && frame.read === read) return;
  }
}

async function receipts(client: RawClient, chat: Uint8Array, seq: number) {
  const found = await results(client, (r) => ({ type: T.RECEIPTS, r, chat, seq }));
  const [delivered, read, members, devices] = found as [number, number, [string, number][], [string, number][]];
  return { delivered, read, members: Object.fromEntries(members), devices: Object.fromEntries(devices) };
}

const sync = (client: RawClient, chat: Uint8Array, seq: number, flags: number): void =>
  client.send({ type: T.SYNC, entries: [{ chat, seq, read: 0, flags }], more: false, backfill: 0 });

test('read before delivered: it implies delivery, ends at the newest entry, and a later ACK takes nothing back', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const chat = await ada.direct('bob');
  for (let i = 0; i < 5; i += 1) await say(ada, chat);
  const bob = await RawClient.join(url, 'bob', '1');
  // Of what bob was not even sent yet: no credit.
  const slow = await RawClient.join(url, 'bob', '2', [], 0);
  slow.send({ type: T.READ, chat, seq: 4 });
  assert.equal(await receipt(ada), '4/4');
  bob.send({ type: T.ACK, chat, seq: 2 });
  bob.send({ type: T.READ, chat, seq: 3 });
  bob.send({ type: T.READ, chat, seq: 1_000 });
  assert.equal(await receipt(ada), '5/5');
  // The claim of 1,000 was cut, not kept: what comes later is not read.
  assert.equal(await say(ada, chat), 6);
  assert.deepEqual(await cursors(ada, chat), { ada: '0/0', bob: '5/5' });
  const { devices } = await receipts(bob, chat, 6);
  assert.deepEqual(devices, { 1: 5, 2: 4 });
});

test('READ races the message: whichever comes first, the reader stands at most at the newest entry', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const bob = await RawClient.join(url, 'bob', '1');
  const chat = await ada.direct('bob');
  await say(ada, chat);
  for (let seq = 2; seq <= 60; seq += 1) {
    bob.send({ type: T.READ, chat, seq });
    ada.send({ type: T.SEND, chat, id: newId(), body: utf8('x') });
    await ada.next(T.SENT);
    const { bob: at = '' } = await cursors(ada, chat);
    const [delivered = 0, read = 0] = at.split('/').map(Number);
    assert.ok(read <= delivered && delivered <= seq, `${at} at ${seq}`);
    bob.send({ type: T.READ, chat, seq });
    await until(ada, chat, { ada: '0/0', bob: `${seq}/${seq}` });
  }
  let last = 0;
  for (const frame of ada.frames) {
    if (frame.type !== T.RECEIPT) continue;
    assert.ok(frame.read >= last);
    last = frame.read;
  }
});

test('receipts across a takeover and a restart: the newer connection goes on where the older one stood', async (t) => {
  const first = await testNode(t);
  const ada = await RawClient.join(first.url, 'ada', '1');
  const chat = await ada.direct('bob');
  for (let i = 0; i < 4; i += 1) await say(ada, chat);
  const older = await RawClient.join(first.url, 'bob', '1');
  older.send({ type: T.READ, chat, seq: 2 });
  assert.equal(await receipt(ada), '2/2');
  const newer = await RawClient.join(first.url, 'bob', '1', [[chat, 3]]);
  assert.equal(await older.closing(), 4409);
  assert.equal(await receipt(ada), '3/2');
  newer.send({ type: T.READ, chat, seq: 1 });
  newer.send({ type: T.READ, chat, seq: 4 });
  assert.equal(await receipt(ada), '4/4');
  await first.stop();
  const second = await testNode(t, { folder: first.folder });
  const back = await RawClient.join(second.url, 'ada', '1', null);
  sync(back, chat, 4, 1);
  assert.equal(await receipt(back), '4/4');
  const { members, delivered, read } = await receipts(back, chat, 4);
  assert.deepEqual([members, delivered, read], [{ bob: 2 }, 1, 1]);
});

test('a large group: one tally in place of receipts, right through leaving, joining and a restart', async (t) => {
  const first = await testNode(t, LARGE);
  const ada = await RawClient.join(first.url, 'ada', '1');
  const chat = await create(ada, ['b', 'c', 'd']);
  for (let i = 0; i < 4; i += 1) await say(ada, chat);
  const [b, c, d] = await Promise.all(['b', 'c', 'd'].map((user) => RawClient.join(first.url, user, '1')));
  b!.send({ type: T.READ, chat, seq: 5 });
  c!.send({ type: T.READ, chat, seq: 5 });
  d!.send({ type: T.ACK, chat, seq: 3 });
  await tally(ada, 3, 0);
  d!.send({ type: T.READ, chat, seq: 4 });
  await tally(ada, 4, 4);
  // Who leaves holds nobody back, who joins counts from there.
  await change(d!, chat, OP.left, []);
  await tally(ada, 5, 5);
  await change(ada, chat, OP.added, ['e']);
  assert.equal(await say(ada, chat), 8);
  b!.send({ type: T.READ, chat, seq: 8 });
  c!.send({ type: T.READ, chat, seq: 8 });
  // e came with 7.
  await tally(ada, 6, 6);
  for (const client of [ada, b!, c!, d!]) assert.ok(!client.frames.some(({ type }) => type === T.RECEIPT));
  await until(ada, chat, { ada: '0/0', b: '8/8', c: '8/8', e: '0/0' });
  await first.stop();
  const second = await testNode(t, { ...LARGE, folder: first.folder });
  const back = await RawClient.join(second.url, 'ada', '1', null);
  sync(back, chat, 8, 1);
  await tally(back, 6, 6);
  const e = await RawClient.join(second.url, 'e', '1');
  e.send({ type: T.READ, chat, seq: 8 });
  await tally(back, 8, 8);
  assert.ok(!back.frames.some(({ type }) => type === T.TALLY), 'and nothing after it');
});

test('a large group in a burst: at most one tally a second and connection, the last one right', async (t) => {
  const { url } = await testNode(t, LARGE);
  const ada = await RawClient.join(url, 'ada', '1');
  const users = Array.from({ length: 20 }, (_, at) => `u${at}`);
  const chat = await create(ada, users);
  const readers = await Promise.all(users.map((user) => RawClient.join(url, user, '1')));
  const began = performance.now();
  for (let seq = 2; seq <= 60; seq += 1) {
    await say(ada, chat);
    for (const reader of readers) reader.send({ type: T.READ, chat, seq });
  }
  await tally(ada, 60, 60);
  const seconds = (performance.now() - began) / 1_000;
  for (const reader of readers) {
    const own = reader.frames.filter(({ type }) => type === T.TALLY);
    assert.ok(own.length <= seconds + 1, `${own.length} in ${seconds} s`);
    assert.ok(!reader.frames.some(({ type }) => type === T.RECEIPT || type === T.TYPING_OF));
  }
});

test('RECEIPTS of a small group and a direct chat; of nothing, and by strangers, none', async (t) => {
  const { url } = await testNode(t);
  const [ada, bob] = [await RawClient.join(url, 'ada', '1'), await RawClient.join(url, 'bob', '1')];
  const chat = await create(ada, ['bob', 'eve']);
  await say(bob, chat);
  ada.send({ type: T.READ, chat, seq: 2 });
  await until(bob, chat, { ada: '2/2', bob: '0/0', eve: '0/0' });
  assert.deepEqual(await receipts(bob, chat, 2), {
    delivered: 1,
    read: 1,
    members: { ada: 2, eve: 0 },
    devices: { 1: 0 },
  });
  assert.deepEqual((await receipts(ada, chat, 2)).devices, { 1: 2 });
  const eve = await RawClient.join(url, 'zoe', '1');
  const code = async (client: RawClient, seq: number, of = chat): Promise<string> => {
    const answer = await ask(client, (r) => ({ type: T.RECEIPTS, r, chat: of, seq }));
    return answer.type === T.ERROR ? answer.code : '';
  };
  assert.deepEqual(
    [await code(eve, 2), await code(ada, 0), await code(ada, 3), await code(ada, 2, new Uint8Array(16).fill(1))],
    ['unknown_chat', 'bad_request', 'bad_request', 'unknown_chat'],
  );
});
