// Owns the tests of how members and senders are told of what one append made durable.
// Invariant: what is told is looked at as the users' and connections' actors get it.
// Must not: look at links (test/cluster/router.test.ts), or at what clients are sent (stream.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Entry } from '../../actors/entry.js';
import { FanOut } from '../../actors/fan-out.js';
import { LIMITS } from '../../actors/limits.js';
import { idText } from '../../actors/message-id.js';
import { type Delivery, lastOf, type UserMessage } from '../../actors/messages.js';
import { Roster } from '../../actors/roster.js';
import { UNSET } from '../../storage/rows.js';
import { OP } from '../../transport/frames.js';
import { ChatScene, DIRECT, DIRECT_KEY, type Ear, told } from './chat-scene.js';

/** First and last number of each delivery, and who joined with it. */
const runs = (ear: Ear<UserMessage>): (number | string)[][] =>
  ear.heard
    .filter((news): news is Delivery => news.type === 'delivery')
    .map((news) => [news.seq, lastOf(news), ...news.joined]);

test('entries of one append are told in one message, and their sender hears of all of them in one', async () => {
  const scene = await ChatScene.open();
  const [phone, tablet, bob] = [scene.connection(), scene.connection(), scene.user('bob')];
  const first = scene.send(phone.ref);
  await scene.settle();
  for (let i = 0; i < 3; i += 1) scene.send(phone.ref);
  const other = scene.send(tablet.ref);
  const last = scene.send(phone.ref);
  await scene.settle();
  assert.deepEqual(runs(bob), [
    [1, 1],
    [2, 6],
  ]);
  const news = bob.heard.at(-1) as Delivery;
  assert.deepEqual(
    news.entries.map(({ origin }) => (origin === phone.ref ? 'phone' : 'tablet')),
    ['phone', 'phone', 'phone', 'tablet', 'phone'],
  );
  const members = 2;
  assert.deepEqual(phone.heard, [
    { type: 'sent', n: first, seq: 1, members, count: 1 },
    { type: 'sent', n: first + 1, seq: 2, members, count: 3 },
    { type: 'sent', n: last, seq: 6, members, count: 1 },
  ]);
  assert.deepEqual(tablet.heard, [{ type: 'sent', n: other, seq: 5, members, count: 1 }]);
});

test('a change of members is told by itself: those before it go to who was there, those after it to who is', async () => {
  const scene = await ChatScene.open();
  const [line, bob, eve] = [scene.connection(), scene.user('bob'), scene.user('eve')];
  const key = await scene.group(line.ref, ['bob']);
  const [before] = runs(bob).at(-1)!;
  const chats = scene.fabric.chats;
  let n = 0;
  const say = (): void => {
    const id = scene.id();
    const body = new Uint8Array(1);
    n += 1;
    const send = { n, id, idText: idText(id), after: null, body, pair: null };
    chats.tell(key, { type: 'send', user: 'ada', connection: line.ref, ...send });
  };
  const change = (op: number, users: readonly string[]): void => {
    const asker = { user: 'ada', connection: line.ref, r: 7 };
    chats.tell(key, { type: 'change', asker, id: scene.id(), op, users, args: [] });
  };
  bob.heard.length = 0;
  say();
  say();
  change(OP.added, ['eve']);
  say();
  say();
  change(OP.removed, ['eve']);
  say();
  await scene.settle();
  const at = Number(before);
  assert.deepEqual(runs(bob), [
    [at + 1, at + 2],
    [at + 3, at + 3, 'eve'],
    [at + 4, at + 5],
    [at + 6, at + 6],
    [at + 7, at + 7],
  ]);
  assert.deepEqual(told(eve), [at + 3, at + 4, at + 5, at + 6]);
});

test('who sent and asked in a row is answered in that order', async () => {
  const scene = await ChatScene.open();
  const line = scene.connection();
  const key = await scene.group(line.ref, ['bob']);
  line.heard.length = 0;
  const tell = (n: number, ask: boolean): void => {
    const id = scene.id();
    const asker = { user: 'ada', connection: line.ref, r: n };
    const send = { n, id, idText: idText(id), after: null, body: new Uint8Array(1), pair: null };
    if (ask) scene.fabric.chats.tell(key, { type: 'change', asker, id, op: OP.title, users: [], args: ['new'] });
    else scene.fabric.chats.tell(key, { type: 'send', user: 'ada', connection: line.ref, ...send });
  };
  for (const [n, ask] of [false, false, true, false].entries()) tell(n, ask);
  await scene.settle();
  assert.deepEqual(
    line.heard.map((heard) => (heard.type === 'sent' ? [heard.n, heard.count] : heard.type)),
    [[0, 2], 'answer', [3, 1]],
  );
});

test('an entry that was not told leaves a hole, and gives no other its number', async () => {
  const scene = await ChatScene.open();
  const bob = scene.user('bob');
  const info = { chat: DIRECT, key: DIRECT_KEY, kind: 1, pair: ['ada', 'bob'] as const, title: '' };
  const row = { ...UNSET, kind: 1, created: 1, title: '', large: false, members: [] };
  const roster = new Roster(info, row, null, 100);
  roster.audience.add('bob');
  const fanOut = new FanOut(scene.fabric, DIRECT_KEY);
  for (const seq of [7, 9, 10]) {
    const entry = new Entry('ada', scene.id(), '', 0, Uint8Array.of(seq), null, null);
    entry.seq = seq;
    fanOut.entry(entry, roster);
  }
  fanOut.flush(roster);
  await scene.settle();
  assert.deepEqual(
    (bob.heard as Delivery[]).map(({ seq, entries }) => [seq, ...entries.map(({ row }) => row[0])]),
    [
      [7, 7],
      [9, 9, 10],
    ],
  );
});

test('a long append is told in several, by number and by bytes', async () => {
  const scene = await ChatScene.open();
  const [line, bob] = [scene.connection(), scene.user('bob')];
  scene.send(line.ref);
  await scene.settle();
  bob.heard.length = 0;
  for (let i = 0; i < LIMITS.runEntries + 1; i += 1) scene.send(line.ref);
  await scene.settle();
  assert.deepEqual(runs(bob), [
    [2, LIMITS.runEntries + 1],
    [LIMITS.runEntries + 2, LIMITS.runEntries + 2],
  ]);
  bob.heard.length = 0;
  const body = new Uint8Array(LIMITS.body / 2);
  for (let i = 0; i < 5; i += 1) scene.send(line.ref, { body });
  await scene.settle();
  const from = LIMITS.runEntries + 3;
  assert.deepEqual(runs(bob), [
    [from, from + 1],
    [from + 2, from + 3],
    [from + 4, from + 4],
  ]);
  assert.ok(scene.fabric.chats.lookup(DIRECT_KEY)?.alive);
});
