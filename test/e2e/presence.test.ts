// Owns the end-to-end test of what is not a message: receipts, typing, presence, last seen, and the answers to LIST, INFO
// and HISTORY.
// Invariant: real sockets, a real store; receipts survive everything, typing and presence nothing.
// Must not: conclude from silence without a later frame on the same way that must have come after it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { connect } from '../../client/index.js';
import { AUDIENCE, OP, PRECISION, ROLE, T } from '../../transport/frames.js';
import { RawClient, testNode, text, token } from './harness.js';
import { ask, change, create, cursors, results, say, until } from './talk.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const receiptsOf = (client: RawClient): string[] =>
  client.frames.flatMap((frame) => (frame.type === T.RECEIPT ? [`${frame.delivered}/${frame.read}`] : []));

test('typing reaches the other members, not the own devices, not strangers, and is not kept', async (t) => {
  const { url } = await testNode(t);
  const [ada, phone, bob, eve] = await Promise.all([
    RawClient.join(url, 'ada', 'desk'),
    RawClient.join(url, 'ada', 'phone'),
    RawClient.join(url, 'bob', '1'),
    RawClient.join(url, 'eve', '1'),
  ]);
  const chat = await ada.direct('bob');
  await say(ada, chat);
  ada.send({ type: T.TYPING, chat, on: true });
  eve.send({ type: T.TYPING, chat, on: true });
  ada.send({ type: T.TYPING, chat, on: false });
  await bob.next(T.TYPING_OF, (frame) => frame.on);
  await bob.next(T.TYPING_OF, (frame) => !frame.on);
  await say(ada, chat);
  for (const client of [phone, bob]) await client.next(T.MESSAGE, (frame) => frame.seq === 2);
  for (const client of [ada, phone, bob, eve]) assert.ok(!client.frames.some((frame) => frame.type === T.TYPING_OF));
  const late = await RawClient.join(url, 'bob', '2');
  await late.next(T.MESSAGE, (frame) => frame.seq === 2);
  assert.ok(!late.frames.some((frame) => frame.type === T.TYPING_OF));
});

test('who was removed hears nothing any more: no messages, typing, receipts', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const bob = await RawClient.join(url, 'bob', '1');
  const eve = await RawClient.join(url, 'eve', '1');
  const chat = await create(ada, ['bob', 'eve']);
  await change(ada, chat, OP.removed, ['eve']);
  await eve.next(T.EVENT, (frame) => frame.op === OP.removed);
  eve.frames.length = 0;
  ada.send({ type: T.TYPING, chat, on: true });
  const seq = await say(ada, chat);
  bob.send({ type: T.READ, chat, seq });
  await ada.next(T.RECEIPT, (frame) => frame.read === seq);
  // What a removed member says of it moves nothing, and its own way to the server still works.
  eve.send({ type: T.READ, chat, seq });
  eve.send({ type: T.TYPING, chat, on: true });
  eve.send({ type: T.SYNC, entries: [{ chat, seq, read: seq, flags: 1 }], more: false, backfill: 0 });
  await eve.next(T.SYNCED);
  assert.deepEqual(await cursors(ada, chat), { ada: '0/0', bob: `${seq}/${seq}` });
  assert.equal((await ask(eve, (r) => ({ type: T.INFO, r, chat }))).type, T.ERROR);
  assert.deepEqual(
    eve.frames.map(({ type }) => type),
    [T.CERT],
  );
  assert.ok(!bob.frames.some((frame) => frame.type === T.TYPING_OF && frame.user === 'eve'));
});

test('presence: online, offline with last seen, several devices as one, and no blip when a device takes over', async (t) => {
  const first = await testNode(t);
  const ada = await RawClient.join(first.url, 'ada', '1');
  const chat = await ada.direct('bob');
  await say(ada, chat);
  ada.send({ type: T.WATCH, chat, on: true });
  const before = await ada.next(T.PRESENCE);
  assert.deepEqual([before.online, before.lastSeen], [false, 0]);
  const bob = await RawClient.join(first.url, 'bob', '1');
  assert.equal((await ada.next(T.PRESENCE)).online, true);
  const phone = await RawClient.join(first.url, 'bob', '2');
  const again = await RawClient.join(first.url, 'bob', '2');
  await phone.closing();
  const began = Date.now();
  bob.close();
  await bob.closing();
  await say(ada, chat);
  await again.next(T.MESSAGE, (frame) => frame.seq === 2);
  assert.ok(!ada.frames.some((frame) => frame.type === T.PRESENCE), 'bob was there all the time');
  again.cut();
  const gone = await ada.next(T.PRESENCE);
  assert.equal(gone.online, false);
  assert.ok(gone.lastSeen >= began && gone.lastSeen <= Date.now());
  ada.send({ type: T.WATCH, chat, on: false });
  const back = await RawClient.join(first.url, 'bob', '1');
  await back.next(T.MESSAGE);
  await say(ada, chat);
  assert.ok(!ada.frames.some((frame) => frame.type === T.PRESENCE), 'not watched any more');
  back.close();
  await back.closing();
  await first.stop();
  const second = await testNode(t, { folder: first.folder });
  const later = await RawClient.join(second.url, 'ada', '1');
  later.send({ type: T.WATCH, chat, on: true });
  const kept = await later.next(T.PRESENCE);
  assert.equal(kept.online, false);
  assert.ok(kept.lastSeen >= gone.lastSeen, 'last seen is kept');
});

test('a watcher that is gone leaves no trace, and users nobody watches leave memory', async (t) => {
  const { url, node } = await testNode(t, { settings: { fanOutThreshold: 100, passivateMs: 60 } });
  const eve = await RawClient.join(url, 'eve', '1');
  const users = Array.from({ length: 40 }, (_, i) => `u${i}`);
  const ada = await RawClient.join(url, 'ada', '1');
  const chat = await create(ada, users);
  const strange = await create(eve, ['zoe']);
  ada.send({ type: T.WATCH, chat: strange, on: true });
  ada.send({ type: T.WATCH, chat, on: true });
  for (let i = 0; i < users.length; i += 1) await ada.next(T.PRESENCE);
  assert.equal(node.users.lookup('zoe'), undefined, 'strangers watch nobody');
  ada.cut();
  while (node.users.size > 1) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(node.runtime.stats().cells.user, 1);
});

test('a watch goes by chats: ending one keeps the other, and who leaves watches nobody and is watched by nobody', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const eve = await RawClient.join(url, 'eve', '1');
  const direct = await ada.direct('bob');
  await say(ada, direct);
  const group = await create(ada, ['bob', 'eve']);
  const online = (client: RawClient, on: boolean): Promise<unknown> =>
    client.next(T.PRESENCE, (frame) => frame.online === on);
  ada.send({ type: T.WATCH, chat: direct, on: true });
  await online(ada, false);
  ada.send({ type: T.WATCH, chat: group, on: true });
  await online(ada, false);
  await online(ada, true);
  eve.send({ type: T.WATCH, chat: group, on: true });
  await online(eve, true);
  await online(eve, false);
  ada.send({ type: T.WATCH, chat: group, on: false });
  await change(ada, group, OP.removed, ['eve']);
  const bob = await RawClient.join(url, 'bob', '1');
  await online(ada, true);
  eve.cut();
  await change(ada, group, OP.left, []);
  bob.cut();
  await online(ada, false);
  const named = new Map(ada.frames.flatMap((frame) => (frame.type === T.USER ? [[frame.alias, frame.user]] : [])));
  for (const frame of ada.frames) assert.ok(frame.type !== T.PRESENCE, `of ${JSON.stringify([...named])}`);
  assert.ok(!eve.frames.some((frame) => frame.type === T.PRESENCE));
});

test('receipts reach the sender who is there, who comes later, and after a restart; each device has its own', async (t) => {
  const first = await testNode(t);
  const ada = await RawClient.join(first.url, 'ada', '1');
  const chat = await ada.direct('bob');
  for (let i = 0; i < 6; i += 1) await say(ada, chat);
  const [bob, phone] = [await RawClient.join(first.url, 'bob', '1'), await RawClient.join(first.url, 'bob', '2')];
  bob.send({ type: T.ACK, chat, seq: 3 });
  assert.deepEqual(((r) => [r.delivered, r.read])(await ada.next(T.RECEIPT)), [3, 0]);
  phone.send({ type: T.READ, chat, seq: 5 });
  assert.deepEqual(((r) => [r.delivered, r.read])(await ada.next(T.RECEIPT)), [5, 5]);
  assert.deepEqual(((r) => [r.delivered, r.read])(await bob.next(T.RECEIPT, (r) => r.read > 0)), [5, 5]);
  // Backwards, again, and beyond the end.
  bob.send({ type: T.ACK, chat, seq: 1 });
  bob.send({ type: T.READ, chat, seq: 4 });
  bob.send({ type: T.ACK, chat, seq: 2 ** 53 - 1 });
  assert.deepEqual(((r) => [r.delivered, r.read])(await ada.next(T.RECEIPT)), [6, 5]);
  assert.deepEqual(await cursors(ada, chat), { ada: '0/0', bob: '6/5' });
  ada.cut();
  phone.send({ type: T.READ, chat, seq: 6 });
  await until(bob, chat, { ada: '0/0', bob: '6/6' });
  const back = await RawClient.join(first.url, 'ada', '1', null);
  back.send({ type: T.SYNC, entries: [{ chat, seq: 6, read: 6, flags: 0 }], more: false, backfill: 0 });
  await back.next(T.SYNCED);
  await until(bob, chat, { ada: '6/6', bob: '6/6' });
  assert.deepEqual(receiptsOf(back), [], 'not asked for');
  back.send({ type: T.SYNC, entries: [{ chat, seq: 6, read: 6, flags: 1 }], more: false, backfill: 0 });
  await back.next(T.RECEIPT, (frame) => frame.delivered === 6 && frame.read === 6);
  await first.stop();
  const second = await testNode(t, { folder: first.folder });
  const late = await RawClient.join(second.url, 'ada', '2', null);
  late.send({ type: T.SYNC, entries: [{ chat, seq: 6, read: 0, flags: 1 }], more: false, backfill: 0 });
  const names: string[] = [];
  for (let i = 0; i < 2; i += 1) {
    const { user, delivered, read } = await late.next(T.RECEIPT);
    const named = late.frames.find((frame) => frame.type === T.USER && frame.alias === user);
    names.push(named?.type === T.USER ? named.user : `${user}`);
    assert.deepEqual([delivered, read], [6, 6]);
  }
  assert.deepEqual(names.sort(), ['ada', 'bob']);
});

test('receipts of a burst of acknowledgements from many devices never go back', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const chat = await ada.direct('bob');
  const devices = await Promise.all(Array.from({ length: 5 }, (_, i) => RawClient.join(url, 'bob', `${i}`)));
  const count = 60;
  for (let seq = 1; seq <= count; seq += 1) {
    await say(ada, chat);
    for (const [at, device] of devices.entries()) {
      const value = Math.max(1, seq - at * 3);
      device.send(at % 2 === 0 ? { type: T.READ, chat, seq: value } : { type: T.ACK, chat, seq: value });
    }
  }
  await until(ada, chat, { ada: '0/0', bob: `${count}/${count}` });
  while (receiptsOf(ada).at(-1) !== `${count}/${count}`) await ada.changed();
  let [delivered, read] = [0, 0];
  for (const frame of ada.frames) {
    if (frame.type !== T.RECEIPT) continue;
    assert.ok(frame.delivered >= delivered && frame.read >= read);
    [delivered, read] = [frame.delivered, frame.read];
  }
});

test('HISTORY: both bounds, page by page, across stays, and what asks for nonsense', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const chat = await create(ada, ['bob']);
  for (let seq = 2; seq <= 240; seq += 1) {
    if (seq === 50) await change(ada, chat, OP.removed, ['bob']);
    else if (seq === 120) await change(ada, chat, OP.added, ['bob']);
    else await say(ada, chat, `${seq}`);
  }
  const bob = await RawClient.join(url, 'bob', '1', null);
  const page = async (before: number, limit: number): Promise<{ seqs: number[]; more: boolean }> => {
    const frame = await ask(bob, (r) => ({ type: T.HISTORY, r, chat, before, limit }));
    assert.equal(frame.type, T.PAGE);
    if (frame.type !== T.PAGE) return { seqs: [], more: false };
    for (const row of frame.rows) if (row.type === 34) assert.equal(text(row.body), `${row.seq}`);
    return { seqs: frame.rows.map(({ seq }) => seq), more: frame.more };
  };
  const visible = Array.from({ length: 240 }, (_, at) => at + 1).filter((seq) => seq <= 50 || seq >= 120);
  const all: number[] = [];
  for (let before = 0, more = true; more; ) {
    const found = await page(before, 33);
    assert.ok(found.seqs.length > 0 && found.seqs.length <= 33);
    all.unshift(...found.seqs);
    before = found.seqs[0]!;
    more = found.more;
  }
  assert.deepEqual(all, visible);
  assert.deepEqual(await page(1, 10), { seqs: [], more: false });
  assert.deepEqual(await page(2, 10), { seqs: [1], more: false });
  assert.deepEqual(await page(121, 2), { seqs: [50, 120], more: true });
  assert.deepEqual((await page(2 ** 53 - 1, 1)).seqs, [240]);
  for (const limit of [0, LIMITS.historyRows + 1]) {
    const refused = await ask(bob, (r) => ({ type: T.HISTORY, r, chat, before: 0, limit }));
    assert.equal(refused.type === T.ERROR && refused.code, 'bad_request');
  }
  const eve = await RawClient.join(url, 'eve', '1');
  const foreign = await ask(eve, (r) => ({ type: T.HISTORY, r, chat, before: 0, limit: 10 }));
  assert.equal(foreign.type === T.ERROR && foreign.code, 'unknown_chat');
});

test('a page of large bodies is cut by size, and the next one goes on', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const chat = await ada.direct('bob');
  for (let i = 0; i < 12; i += 1) await say(ada, chat, 'y'.repeat(LIMITS.body));
  const seqs: number[] = [];
  for (let before = 0, more = true; more; ) {
    const frame = await ask(ada, (r) => ({ type: T.HISTORY, r, chat, before, limit: 100 }));
    if (frame.type !== T.PAGE) throw new Error('no page');
    assert.ok(frame.rows.length >= 1 && frame.rows.length < 12);
    seqs.unshift(...frame.rows.map(({ seq }) => seq));
    before = seqs[0]!;
    more = frame.more;
  }
  assert.deepEqual(
    seqs,
    Array.from({ length: 12 }, (_, at) => at + 1),
  );
});

test('LIST page by page, INFO with roles, and neither for strangers', async (t) => {
  const { url } = await testNode(t, { settings: { fanOutThreshold: 3, passivateMs: 60_000 } });
  const ada = await RawClient.join(url, 'ada', '1');
  const expected = new Map<string, unknown[]>();
  const direct = await ada.direct('bob');
  await say(ada, direct);
  expected.set(hex(direct), [1, 'ada', 1, 1, 1]);
  const small = await create(ada, ['bob']);
  await say(ada, small);
  expected.set(hex(small), [2, 'crew', 2, 0, 0]);
  const large = await create(ada, ['bob', 'c', 'd', 'e']);
  for (let i = 0; i < 4; i += 1) await say(ada, large);
  expected.set(hex(large), [2, 'crew', 5, 0, 0]);
  const left = await create(ada, ['bob']);
  await change(ada, left, OP.removed, ['bob']);
  for (let i = 0; i < 4; i += 1) await say(ada, left);
  expected.set(hex(left), [2, 'crew', 2, 0, 0]);
  const bob = await RawClient.join(url, 'bob', '1', null);
  bob.send({ type: T.READ, chat: direct, seq: 1 });
  await until(ada, direct, { ada: '0/0', bob: '1/1' });
  const found = new Map<string, unknown[]>();
  for (let after: Uint8Array | null = null, more = true; more; ) {
    const start: Uint8Array | null = after;
    const [chats, rest] = await results(bob, (r) => ({ type: T.LIST, r, after: start, limit: 3 }));
    for (const [chat, ...fields] of chats as [Uint8Array, ...unknown[]][]) {
      assert.ok(!found.has(hex(chat)));
      found.set(hex(chat), fields.slice(0, 5));
      after = chat;
    }
    more = rest === true || rest === 1;
  }
  assert.deepEqual(new Map([...found].sort()), new Map([...expected].sort()));
  const [kind, name, head, members] = await results(bob, (r) => ({ type: T.INFO, r, chat: small }));
  assert.deepEqual([kind, name, head], [2, 'crew', 2]);
  assert.deepEqual(members, [
    ['ada', ROLE.owner, 0, 0],
    ['bob', ROLE.member, 0, 0],
  ]);
  const eve = await RawClient.join(url, 'eve', '1');
  for (const chat of [direct, large, left, Buffer.alloc(16, 1)]) {
    const refused = await ask(eve, (r) => ({ type: T.INFO, r, chat }));
    assert.equal(refused.type === T.ERROR && refused.code, 'unknown_chat');
  }
  for (const limit of [0, LIMITS.listRows + 1]) {
    const refused = await ask(eve, (r) => ({ type: T.LIST, r, after: null, limit }));
    assert.equal(refused.type === T.ERROR && refused.code, 'bad_request');
  }
});

test('the SDK: a watch asked for before the first message works from that message on', async (t) => {
  const { url } = await testNode(t);
  const bob = await connect({ url, token: await token('bob', 'b1') });
  const ada = await connect({ url, token: await token('ada', 'a1') });
  t.after(() => Promise.all([ada.close(), bob.close()]));
  const seen: string[] = [];
  const online = new Promise<void>((resolve) => {
    ada.on('presence', ({ user, online }) => {
      seen.push(`${user} ${online}`);
      resolve();
    });
  });
  const chat = ada.direct('bob');
  chat.watch(true);
  await chat.send('hello');
  await online;
  assert.deepEqual(seen, ['bob true']);
});

test('a client that falls silent is offline, and does not type any more', async (t) => {
  const { url } = await testNode(t, { transport: 'ws', idleMs: 1_000 });
  const ada = await RawClient.join(url, 'ada', '1');
  const bob = await RawClient.join(url, 'bob', '1');
  const chat = await ada.direct('bob');
  await say(ada, chat);
  const beat = setInterval(() => ada.socket.ping(), 200);
  t.after(() => clearInterval(beat));
  ada.send({ type: T.WATCH, chat, on: true });
  assert.equal((await ada.next(T.PRESENCE)).online, true);
  bob.send({ type: T.TYPING, chat, on: true });
  assert.equal((await ada.next(T.TYPING_OF)).on, true);
  const began = Date.now();
  // From here on bob says nothing.
  const gone = await ada.next(T.PRESENCE);
  assert.deepEqual([gone.online, gone.precision], [false, PRECISION.exact]);
  assert.ok(gone.lastSeen >= began);
  assert.equal((await ada.next(T.TYPING_OF)).on, false);
  assert.equal(await bob.closing(), 1006);
  assert.deepEqual([LIMITS.heartbeatMs, LIMITS.idleMs], [30_000, 60_000]);
});

test('privacy while watched: a change counts at once, also for the count of a large group', async (t) => {
  const { url } = await testNode(t);
  const [ada, bob] = [await RawClient.join(url, 'ada', '1'), await RawClient.join(url, 'bob', '1')];
  const set = (audience: number): Promise<unknown[]> => results(bob, (r) => ({ type: T.PRIVACY, r, audience }));
  const direct = await ada.direct('bob');
  await say(ada, direct);
  const crowd = await create(ada, ['bob', ...Array.from({ length: LIMITS.watches }, (_, at) => `u${at}`)]);
  ada.send({ type: T.WATCH, chat: crowd, on: true });
  assert.equal((await ada.next(T.COUNT)).count, 2);
  ada.send({ type: T.WATCH, chat: direct, on: true });
  const seen = async (): Promise<[boolean, number]> => {
    const { online, precision } = await ada.next(T.PRESENCE);
    return [online, precision];
  };
  assert.deepEqual(await seen(), [true, PRECISION.exact]);
  await set(AUDIENCE.contacts);
  assert.deepEqual(await seen(), [false, PRECISION.hidden]);
  const answer = await bob.direct('ada');
  await say(bob, answer);
  assert.deepEqual(await seen(), [true, PRECISION.exact]);
  await set(AUDIENCE.nobody);
  assert.deepEqual(await seen(), [false, PRECISION.hidden]);
  ada.send({ type: T.WATCH, chat: crowd, on: true });
  assert.equal((await ada.next(T.COUNT)).count, 1);
  // He comes and goes, and is seen again when he says so.
  bob.cut();
  const back = await RawClient.join(url, 'bob', '2');
  await results(back, (r) => ({ type: T.PRIVACY, r, audience: AUDIENCE.everyone }));
  assert.deepEqual(await seen(), [true, PRECISION.exact]);
  assert.ok(!ada.frames.some((frame) => frame.type === T.PRESENCE));
});

test('a block while watched hides both from each other at once, until it is lifted', async (t) => {
  const { url } = await testNode(t);
  const [ada, bob] = [await RawClient.join(url, 'ada', '1'), await RawClient.join(url, 'bob', '1')];
  const group = await create(ada, ['bob']);
  for (const client of [ada, bob]) {
    client.send({ type: T.WATCH, chat: group, on: true });
    assert.equal((await client.next(T.PRESENCE)).precision, PRECISION.exact);
  }
  await results(bob, (r) => ({ type: T.BLOCK, r, user: 'ada', on: true }));
  for (const client of [ada, bob]) assert.equal((await client.next(T.PRESENCE)).precision, PRECISION.hidden);
  bob.cut();
  const back = await RawClient.join(url, 'bob', '2');
  back.send({ type: T.WATCH, chat: group, on: true });
  assert.equal((await back.next(T.PRESENCE)).precision, PRECISION.hidden);
  await results(back, (r) => ({ type: T.BLOCK, r, user: 'ada', on: false }));
  for (const client of [ada, back]) {
    const { online, precision } = await client.next(T.PRESENCE);
    assert.deepEqual([online, precision], [true, PRECISION.exact]);
    assert.ok(!client.frames.some((frame) => frame.type === T.PRESENCE));
  }
});

test('typing and presence write nothing to chats or to what users have of them', async (t) => {
  const { url, node } = await testNode(t);
  const [ada, bob] = [await RawClient.join(url, 'ada', '1'), await RawClient.join(url, 'bob', '1')];
  const chat = await ada.direct('bob');
  await say(ada, chat);
  await bob.next(T.MESSAGE);
  // Messages, ids, chats, inboxes, pages. A device that comes in is put on record, and a shard's dirty set names that.
  const tables = [1, 2, 3, 4, 9].map((tag) => ({ start: Uint8Array.of(tag), end: Uint8Array.of(tag + 1) }));
  const dump = async (): Promise<string[]> => {
    const pages = await Promise.all(tables.map((range) => node.store.range({ ...range, limit: 10_000 })));
    return pages.flatMap(({ rows }) => rows.map(({ key, value }) => `${hex(key)} ${hex(value)}`));
  };
  const before = await dump();
  assert.ok(before.length >= 4);
  for (const client of [ada, bob]) {
    client.send({ type: T.WATCH, chat, on: true });
    assert.equal((await client.next(T.PRESENCE)).online, true);
  }
  for (const on of [true, false]) {
    ada.send({ type: T.TYPING, chat, on });
    assert.equal((await bob.next(T.TYPING_OF)).on, on);
  }
  bob.cut();
  assert.equal((await ada.next(T.PRESENCE)).online, false);
  await RawClient.join(url, 'bob', '2');
  assert.equal((await ada.next(T.PRESENCE)).online, true);
  assert.deepEqual(await dump(), before);
});
