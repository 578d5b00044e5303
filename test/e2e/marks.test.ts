// Owns the end-to-end test of marks: set and told, in order, paged, over restarts; and what cleared and hidden entries are
// left out of.
// Invariant: real sockets, a real store.
// Must not: look into rows: what a client is told is what counts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { MARK_OP, OP, type Plain, type ServerFrame, T } from '../../transport/frames.js';
import { ask, newId, RawClient, refusal, testNode, token, utf8 } from './harness.js';

type Chat = Uint8Array;
type Row = [Chat, number, number, number, number, number, number, number[]];

const key = (chat: Chat): string => Buffer.from(chat).toString('hex');

async function mark(client: RawClient, chat: Chat, op: number, value: number, seqs: number[] = []): Promise<number> {
  const [version] = await ask(client, { type: T.MARK, r: client.request(), chat, op, value, seqs });
  return version as number;
}

function marking(client: RawClient, chat: Chat, op: number, value: number, seqs: number[] = []): Promise<string> {
  return refusal(client, { type: T.MARK, r: client.request(), chat, op, value, seqs });
}

/** All marks above `since`, page by page. */
async function marks(client: RawClient, since = 0, limit = 500): Promise<Row[]> {
  const all: Row[] = [];
  for (let from = since; ; ) {
    const [page, more] = (await ask(client, { type: T.MARKS, r: client.request(), since: from, limit })) as [
      Row[],
      0 | 1,
    ];
    all.push(...page);
    from = page.at(-1)?.[1] ?? from;
    if (!more) return all;
  }
}

async function send(client: RawClient, chat: Chat, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) client.send({ type: T.SEND, chat, id: newId(), body: utf8('x') });
  for (let i = 0; i < count; i += 1) await client.next(T.SENT);
}

/** Numbers of what HISTORY shows, in pages of `limit`. */
async function history(client: RawClient, chat: Chat, limit = 100): Promise<number[]> {
  const seqs: number[] = [];
  for (let before = 0; ; ) {
    const r = client.request();
    client.send({ type: T.HISTORY, r, chat, before, limit });
    const page = await client.next(T.PAGE, (frame) => frame.r === r);
    seqs.unshift(...page.rows.map(({ seq }) => seq));
    if (!page.more) return seqs;
    before = page.rows[0]!.seq;
  }
}

/** What a client holds by docs/wire.md §3: numbers it was sent, and up to where it has everything. */
function holds(frames: readonly ServerFrame[], chat: Chat): { readonly got: number[]; readonly have: number } {
  const got: number[] = [];
  let have = 0;
  const named = frames.find((frame) => frame.type === T.CHAT && key(frame.chat) === key(chat));
  const alias = named?.type === T.CHAT ? named.alias : -1;
  for (const frame of frames) {
    if (frame.type === T.CERT) {
      for (const entry of frame.entries) if (key(entry.chat) === key(chat)) have = Math.max(have, entry.start - 1);
    } else if (frame.type === T.MESSAGE || frame.type === T.EVENT) {
      if (frame.chat !== alias && (typeof frame.chat === 'number' || key(frame.chat) !== key(chat))) continue;
      assert.equal(frame.seq, have + 1, 'in order, and no gap without a CERT');
      have = frame.seq;
      got.push(frame.seq);
    }
  }
  return { got, have };
}

/** Everything of a fresh device, once it holds all up to `head`. */
async function fresh(url: string, user: string, device: string, chat: Chat, head: number): Promise<number[]> {
  const client = await RawClient.open(url);
  client.send({ type: T.HELLO, version: 1, token: await token(user, device), credit: 10_000, agent: '' });
  client.sync([]);
  const began = performance.now();
  while (holds(client.frames, chat).have < head) {
    assert.ok(performance.now() - began < 5_000, `${holds(client.frames, chat).have} of ${head}`);
    await client.changed();
  }
  client.close();
  await client.closing();
  return holds(client.frames, chat).got;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test('each kind of mark: told to the other device, asked for by one that was away, the same after a restart', async (t) => {
  const at = await testNode(t);
  const phone = await RawClient.join(at.url, 'ada', 'phone');
  const laptop = await RawClient.join(at.url, 'ada', 'laptop');
  const chat = await phone.direct('bob');
  await send(phone, chat, 5);
  const until = 2 ** 41;
  const steps: [number, number, number[]][] = [
    [MARK_OP.muted, until, []],
    [MARK_OP.pinned, 7, []],
    [MARK_OP.archived, 1, []],
    [MARK_OP.unread, 1, []],
    [MARK_OP.hidden, 0, [4, 2, 4]],
    [MARK_OP.cleared, 2, []],
  ];
  for (const [at, [op, value, seqs]] of steps.entries()) {
    assert.equal(await mark(phone, chat, op, value, seqs), at + 1);
    // Once more changes nothing, and is told to nobody.
    assert.equal(await mark(phone, chat, op, value, seqs), at + 1);
    // Who asked is told as well, before its answer: it may have given up waiting for that.
    for (const device of [laptop, phone]) assert.equal((await device.next(T.MARKED)).version, at + 1);
  }
  const whole: Row = [chat, 6, until, 7, 1, 1, 2, [4]];
  const plain = (rows: Row[]): Plain[] => rows.map(([id, ...rest]) => [key(id), ...rest]);
  assert.deepEqual(plain(await marks(laptop)), plain([whole]));
  assert.deepEqual(await marks(laptop, 6), []);
  assert.equal([...phone.frames, ...laptop.frames].filter(({ type }) => type === T.MARKED).length, 0);
  await mark(laptop, chat, MARK_OP.pinned, 0);
  assert.equal((await phone.next(T.MARKED)).pinned, 0);
  await at.stop();
  const next = await testNode(t, { folder: at.folder });
  const back = await RawClient.join(next.url, 'ada', 'tablet');
  assert.deepEqual(plain(await marks(back)), plain([[chat, 7, until, 0, 1, 1, 2, [4]]]));
  assert.equal(await mark(back, chat, MARK_OP.muted, 0), 8);
  const bob = await RawClient.join(next.url, 'bob', 'phone');
  assert.deepEqual(await marks(bob), [], 'they are hers alone');
});

test('what is wrong with a MARK or MARKS is told, and changes nothing', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const chat = await ada.direct('bob');
  assert.equal(await marking(ada, chat, MARK_OP.muted, 1), 'unknown_chat', 'it has no message yet');
  await send(ada, chat, 3);
  const eve = await RawClient.join(url, 'eve', 'phone');
  assert.equal(await marking(eve, chat, MARK_OP.muted, 1), 'unknown_chat');
  const many = range(1, LIMITS.markSeqs + 1);
  for (const [op, value, seqs] of [
    [0, 0, []],
    [7, 0, []],
    [MARK_OP.archived, 2, []],
    [MARK_OP.unread, 2, []],
    [MARK_OP.pinned, 2 ** 53 - 1, []],
    [MARK_OP.cleared, 4, []],
    [MARK_OP.hidden, 0, []],
    [MARK_OP.hidden, 0, [0]],
    [MARK_OP.hidden, 0, [4]],
    [MARK_OP.hidden, 0, many],
  ] as [number, number, number[]][]) {
    assert.equal(await marking(ada, chat, op, value, seqs), 'bad_request', `${op} ${value} ${seqs.length}`);
  }
  for (const limit of [0, LIMITS.marksRows + 1]) {
    assert.equal(await refusal(ada, { type: T.MARKS, r: ada.request(), since: 0, limit }), 'bad_request');
  }
  assert.deepEqual(await marks(ada), []);
});

test('two devices mark at once: versions without a gap, each told of the other, and both end with the same', async (t) => {
  const { url } = await testNode(t);
  const phone = await RawClient.join(url, 'ada', 'phone');
  const laptop = await RawClient.join(url, 'ada', 'laptop');
  const chats: Chat[] = [];
  for (let i = 0; i < 5; i += 1) {
    const chat = await phone.direct(`u${i}`);
    await send(phone, chat, 1);
    chats.push(chat);
  }
  const each = 60;
  const run = async (client: RawClient, offset: number): Promise<number[]> =>
    Promise.all(range(1, each).map((i) => mark(client, chats[(i + offset) % 5]!, MARK_OP.pinned, 10 * i + offset)));
  // Pages are read meanwhile: each has its marks in order, and what moves on meanwhile is not lost.
  const seen = new Map<string, Row>();
  const page = async (): Promise<void> => {
    for (let since = 0; since < 2 * each; ) {
      const rows = await marks(phone, since, 2);
      assert.deepEqual(
        rows.map((row) => row[1]),
        rows.map((row) => row[1]).sort((a, b) => a - b),
      );
      for (const row of rows) seen.set(key(row[0]), row);
      since = rows.at(-1)?.[1] ?? since;
    }
  };
  const [one, two] = await Promise.all([run(phone, 0), run(laptop, 3), page()]);
  assert.deepEqual(
    [...one, ...two].sort((a, b) => a - b),
    range(1, 2 * each),
  );
  const end = await marks(phone);
  assert.deepEqual(await marks(laptop), end);
  assert.deepEqual(
    [...seen.values()].sort((a, b) => a[1] - b[1]),
    end,
    'who paged meanwhile has the same',
  );
  // And who only listened: what it set itself and what it was told, the newest of each chat.
  const told = new Map<string, number>();
  for (const frame of phone.frames) {
    if (frame.type === T.MARKED) told.set(key(frame.chat), Math.max(frame.version, told.get(key(frame.chat)) ?? 0));
  }
  for (const [chat, version] of end) {
    if (two.includes(version)) assert.equal(told.get(key(chat)), version);
    else assert.ok(one.includes(version));
  }
});

test('marks of many chats come in pages, each once, in order of version', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const chats: Chat[] = [];
  for (let i = 0; i < 23; i += 1) {
    const chat = await ada.direct(`u${i}`);
    await send(ada, chat, 1);
    chats.push(chat);
  }
  await Promise.all(chats.map((chat) => mark(ada, chat, MARK_OP.archived, 1)));
  await mark(ada, chats[3]!, MARK_OP.archived, 0);
  for (const limit of [1, 5, 23, 500]) {
    const rows = await marks(ada, 0, limit);
    assert.deepEqual(
      rows.map((row) => row[1]),
      [1, 2, 3, ...range(5, 24)],
    );
  }
});

test('a cleared chat shows nothing of before, to no device, and goes on; the other user keeps it', async (t) => {
  const { url, node } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const chat = await ada.direct('bob');
  const bob = await RawClient.join(url, 'bob', 'phone');
  await send(ada, chat, 20);
  await mark(ada, chat, MARK_OP.cleared, 12);
  assert.equal(await mark(ada, chat, MARK_OP.cleared, 5), 1, 'never back');
  assert.deepEqual(await history(ada, chat, 3), range(13, 20));
  assert.deepEqual(await history(bob, chat, 7), range(1, 20));
  assert.deepEqual(await fresh(url, 'ada', 'laptop', chat, 20), range(13, 20));
  await mark(ada, chat, MARK_OP.cleared, 20);
  assert.deepEqual(await history(ada, chat), []);
  assert.deepEqual(await fresh(url, 'ada', 'tablet', chat, 20), []);
  await send(ada, chat, 2);
  assert.deepEqual(await history(ada, chat), [21, 22]);
  assert.deepEqual(await fresh(url, 'ada', 'tablet', chat, 22), [21, 22]);
  assert.deepEqual(await fresh(url, 'bob', 'tablet', chat, 22), range(1, 22));
  assert.equal(node.acceptor.crashes, 0);
});

test('a device that is behind catches up without what was cleared or hidden meanwhile, and is told where it goes on', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const chat = await ada.direct('bob');
  const behind = await RawClient.open(url);
  behind.send({ type: T.HELLO, version: 1, token: await token('ada', 'laptop'), credit: 0, agent: '' });
  behind.sync([]);
  await behind.next(T.SYNCED);
  const catchUp = async (head: number): Promise<readonly number[]> => {
    behind.send({ type: T.CREDIT, n: 100 });
    const began = performance.now();
    while (holds(behind.frames, chat).have < head) {
      assert.ok(performance.now() - began < 5_000, `${holds(behind.frames, chat).have} of ${head}`);
      await behind.changed();
    }
    return holds(behind.frames, chat).got;
  };
  await send(ada, chat, 9);
  await mark(ada, chat, MARK_OP.cleared, 3);
  await mark(ada, chat, MARK_OP.hidden, 0, [5, 9]);
  assert.deepEqual(await catchUp(9), [4, 6, 7, 8]);
  behind.close();
  const other = await RawClient.open(url);
  other.send({ type: T.HELLO, version: 1, token: await token('ada', 'tablet'), credit: 0, agent: '' });
  other.sync([]);
  await other.next(T.SYNCED);
  await mark(ada, chat, MARK_OP.cleared, 9);
  other.send({ type: T.CREDIT, n: 100 });
  await other.next(T.CERT, ({ entries }) => entries.some(({ start }) => start === 10));
  assert.deepEqual(holds(other.frames, chat).got, []);
});

test('hidden entries are left out everywhere, and leave the rest as it was', async (t) => {
  const { url, node } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const chat = await ada.direct('bob');
  const bob = await RawClient.join(url, 'bob', 'phone');
  const head = 150;
  await send(ada, chat, head / 3);
  await send(ada, chat, head / 3);
  await send(ada, chat, head / 3);
  const gone = new Set([1, ...range(20, 95), ...range(50, 75).map((i) => 2 * i), head]);
  await mark(ada, chat, MARK_OP.hidden, 0, [...gone]);
  const rest = range(1, head).filter((seq) => !gone.has(seq));
  for (const limit of [1, 7, 100]) assert.deepEqual(await history(ada, chat, limit), rest, `in pages of ${limit}`);
  assert.deepEqual(await fresh(url, 'ada', 'laptop', chat, head), rest);
  assert.deepEqual(await history(bob, chat), range(1, head));
  await mark(ada, chat, MARK_OP.cleared, 30);
  assert.deepEqual(
    await fresh(url, 'ada', 'tablet', chat, head),
    rest.filter((seq) => seq > 30),
  );
  assert.deepEqual(
    await history(ada, chat, 9),
    rest.filter((seq) => seq > 30),
  );
  assert.equal(node.acceptor.crashes, 0);
});

test('marks of a group that one has left: cleared up to the end, not beyond', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const bob = await RawClient.join(url, 'bob', 'phone');
  const [group] = (await ask(ada, { type: T.CREATE, r: ada.request(), id: newId(), title: 'g', users: ['bob'] })) as [
    Chat,
  ];
  await send(ada, group, 3);
  const leave = { type: T.CHANGE, r: bob.request(), chat: group, id: newId(), op: OP.left, users: [], args: [] };
  assert.deepEqual(await ask(bob, leave), [5]);
  await send(ada, group, 3);
  assert.equal(await marking(bob, group, MARK_OP.cleared, 6), 'bad_request');
  await mark(bob, group, MARK_OP.hidden, 0, [5]);
  assert.deepEqual(await history(bob, group), range(1, 4));
  await mark(bob, group, MARK_OP.cleared, 5);
  assert.deepEqual(await history(bob, group), []);
  assert.deepEqual(await fresh(url, 'bob', 'laptop', group, 5), []);
});

test('what is hidden and pinned has limits, and clearing makes room', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const chat = await ada.direct('bob');
  const head = LIMITS.hidden + 10;
  for (let sent = 0; sent < head; sent += 50) await send(ada, chat, Math.min(50, head - sent));
  await mark(ada, chat, MARK_OP.hidden, 0, range(11, head));
  assert.equal(await marking(ada, chat, MARK_OP.hidden, 0, [1]), 'full');
  assert.deepEqual(await history(ada, chat), range(1, 10));
  await mark(ada, chat, MARK_OP.cleared, 11);
  assert.deepEqual(await history(ada, chat), [], 'what is left is hidden');
  await send(ada, chat, 1);
  await mark(ada, chat, MARK_OP.hidden, 0, [head + 1]);
  assert.equal((await marks(ada))[0]![7].length, LIMITS.hidden);

  const chats: Chat[] = [];
  for (let i = 0; i <= LIMITS.pinned; i += 1) chats.push(await ada.direct(`u${i}`));
  for (const some of [chats.slice(0, 50), chats.slice(50)]) {
    for (const chat of some) ada.send({ type: T.SEND, chat, id: newId(), body: utf8('x') });
    for (const _ of some) await ada.next(T.SENT);
  }
  const pin = (some: readonly Chat[]): Promise<string[]> =>
    Promise.all(some.map((pinned) => marking(ada, pinned, MARK_OP.pinned, 1)));
  const pins = [...(await pin(chats.slice(0, 50))), ...(await pin(chats.slice(50)))];
  assert.deepEqual(pins, [...Array(LIMITS.pinned).fill('granted'), 'full']);
  assert.equal(await marking(ada, chats[0]!, MARK_OP.pinned, 5), 'granted', 'another place takes no room');
  await mark(ada, chats[0]!, MARK_OP.pinned, 0);
  await mark(ada, chats[LIMITS.pinned]!, MARK_OP.pinned, 1);
});

test('the user’s actor broken off while marks fly: each that was answered is there, in order, and both devices resync', async (t) => {
  const { url, node } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const chat = await ada.direct('bob');
  await send(ada, chat, 1);
  const versions: number[] = [];
  for (let i = 1; i <= 40; i += 1) {
    const r = ada.request();
    ada.send({ type: T.MARK, r, chat, op: MARK_OP.pinned, value: i, seqs: [] });
    for (let turns = i % 7; turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
    const ref = node.users.lookup('ada');
    if (ref !== undefined && i % 2 === 0) node.runtime.exit(ref, { type: 'shutdown' });
    const answer = await ada.next([T.OK, T.ERROR], (frame) => frame.r === r);
    if (answer.type === T.ERROR) continue;
    versions.push(answer.results[0] as number);
    const [row] = await marks(ada);
    assert.deepEqual([row![1], row![3]], [versions.at(-1), i]);
  }
  assert.deepEqual(
    versions,
    [...versions].sort((a, b) => a - b),
  );
  assert.equal(new Set(versions).size, versions.length);
  await ada.next(T.RESYNC);
  assert.equal(ada.closed, null);
});
