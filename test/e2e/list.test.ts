// Owns the end-to-end test of LIST: what it tells of each chat, unread counts under races, pages and their early end.
// Invariant: real sockets, a real store; a count is compared with a recount from HISTORY, and with what can be true.
// Must not: wait for a count to become right: it is, or is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { encodeProfile } from '../../storage/account-rows.js';
import { profileKey } from '../../storage/keys.js';
import { MARK_OP, OP, type Plain, T } from '../../transport/frames.js';
import { ask, newId, RawClient, testNode, utf8 } from './harness.js';

type Chat = Uint8Array;

interface Entry {
  readonly chat: string;
  readonly kind: number;
  readonly name: string;
  readonly head: number;
  readonly delivered: number;
  readonly read: number;
  readonly at: number;
  readonly unread: number;
  readonly muted: number;
  readonly pinned: number;
  readonly archived: number;
  readonly flagged: number;
  readonly avatar: string;
}

const key = (chat: Chat): string => Buffer.from(chat).toString('hex');

function entryOf(row: readonly Plain[]): Entry {
  const [chat, kind, name, head, delivered, read, at, unread, muted, pinned, archived, flagged, avatar] = row;
  const numbers = { kind, head, delivered, read, at, unread, muted, pinned, archived, flagged } as Record<
    string,
    number
  >;
  return { chat: key(chat as Chat), name, avatar, ...numbers } as Entry;
}

/** Pages of LIST, each with at most `limit` chats. */
async function pages(client: RawClient, limit = 500): Promise<Entry[][]> {
  const all: Entry[][] = [];
  for (let after: Chat | null = null; ; ) {
    const [rows, more] = (await ask(client, { type: T.LIST, r: client.request(), after, limit })) as [Plain[][], 0 | 1];
    all.push(rows.map(entryOf));
    if (more === 0) return all;
    assert.ok(rows.length > 0, 'a page leads on');
    after = rows.at(-1)![0] as Chat;
  }
}

async function list(client: RawClient): Promise<Map<string, Entry>> {
  return new Map((await pages(client)).flat().map((entry) => [entry.chat, entry]));
}

async function send(client: RawClient, chat: Chat, count: number, body = utf8('x')): Promise<void> {
  for (let sent = 0; sent < count; sent += 50) {
    const some = Math.min(50, count - sent);
    for (let i = 0; i < some; i += 1) client.send({ type: T.SEND, chat, id: newId(), body });
    for (let i = 0; i < some; i += 1) await client.next(T.SENT);
  }
}

/** Sends READ and waits until it is durable, which another member is told. */
async function read(client: RawClient, user: string, chat: Chat, seq: number, witness: RawClient): Promise<void> {
  client.send({ type: T.READ, chat, seq });
  for (;;) {
    const [, , , members] = await ask(witness, { type: T.INFO, r: witness.request(), chat });
    if ((members as [string, number, number, number][]).some(([name, , , upTo]) => name === user && upTo >= seq))
      return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Messages of others above `seq`, counted in what HISTORY shows. */
async function recount(client: RawClient, user: string, chat: Chat, seq: number): Promise<number> {
  let count = 0;
  for (let before = 0; ; ) {
    const r = client.request();
    client.send({ type: T.HISTORY, r, chat, before, limit: 100 });
    const page = await client.next(T.PAGE, (frame) => frame.r === r);
    for (const row of page.rows) if (row.type === T.MESSAGE && row.from !== user && row.seq > seq) count += 1;
    if (!page.more) return count;
    before = page.rows[0]!.seq;
  }
}

test('each chat with where it stands, what is unread, marks and avatar', async (t) => {
  const { url, node } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const bob = await RawClient.join(url, 'bob', 'phone');
  const began = Date.now();
  const direct = await ada.direct('bob');
  await bob.direct('ada');
  await send(ada, direct, 2);
  await send(bob, direct, 3);
  const profile = { version: 1, full: 0, name: 'Bob', avatar: 'https://x/b', about: '', fields: [] };
  await node.store.commit({ checks: [], writes: [{ key: profileKey('bob'), value: encodeProfile(profile) }] });
  const create = { type: T.CREATE, r: ada.request(), id: newId(), title: 'crew', users: ['bob'] } as const;
  const [group] = (await ask(ada, { ...create, users: [...create.users] })) as [Chat];
  const change = (op: number, users: string[], args: Plain[]): Promise<readonly Plain[]> =>
    ask(ada, { type: T.CHANGE, r: ada.request(), chat: group, id: newId(), op, users, args });
  await change(OP.avatar, [], ['https://x/g']);
  await send(bob, group, 4);
  const until = 2 ** 41;
  const mark = (chat: Chat, op: number, value: number): Promise<readonly Plain[]> =>
    ask(ada, { type: T.MARK, r: ada.request(), chat, op, value, seqs: [] });
  await mark(group, MARK_OP.muted, until);
  await mark(group, MARK_OP.pinned, 3);
  await mark(direct, MARK_OP.archived, 1);
  await mark(direct, MARK_OP.unread, 1);
  const listed = await list(ada);
  for (const { at } of listed.values()) assert.ok(at >= began - 5 && at <= Date.now() + 5);
  const bare = (chat: Chat): Partial<Entry> => ({ ...listed.get(key(chat))!, at: 0, chat: '' });
  const none = { delivered: 0, read: 0, muted: 0, pinned: 0, archived: 0, flagged: 0, at: 0, chat: '' };
  assert.deepEqual(bare(direct), {
    ...{ ...none, kind: 1, name: 'bob', head: 5, unread: 3, archived: 1, flagged: 1, avatar: 'https://x/b' },
  });
  assert.deepEqual(bare(group), {
    ...{ ...none, kind: 2, name: 'crew', head: 6, unread: 4, muted: until, pinned: 3, avatar: 'https://x/g' },
  });
  assert.equal((await list(bob)).get(key(direct))!.unread, 2);
  await ask(ada, { type: T.BLOCK, r: ada.request(), user: 'bob', on: true });
  assert.equal((await list(ada)).get(key(direct))!.avatar, '', 'not while one blocks the other');

  // What has been read, is gone, hidden or cleared does not count, nor do events and own messages.
  await read(ada, 'ada', direct, 3, ada);
  assert.equal((await list(ada)).get(key(direct))!.unread, 2);
  await ask(ada, { type: T.MARK, r: ada.request(), chat: direct, op: MARK_OP.hidden, value: 0, seqs: [4] });
  assert.equal((await list(ada)).get(key(direct))!.unread, 1);
  const deletion = { type: T.CHANGE, r: bob.request(), chat: group, id: newId(), op: OP.deleted, users: [], args: [5] };
  await ask(bob, deletion);
  assert.equal((await list(ada)).get(key(group))!.unread, 3);
  await ask(ada, { type: T.MARK, r: ada.request(), chat: group, op: MARK_OP.cleared, value: 4, seqs: [] });
  assert.equal((await list(ada)).get(key(group))!.unread, 1);

  // A group that one has left stands where one left it.
  await send(bob, group, 1);
  await change(OP.removed, ['bob'], []);
  await send(ada, group, 5);
  const gone = (await list(bob)).get(key(group))!;
  assert.deepEqual([gone.head, gone.unread, gone.avatar], [9, 0, '']);
});

for (const [kind, threshold] of [
  ['direct chat', 100],
  ['small group', 100],
  ['large group', 2],
] as const) {
  test(`unread while others send and the user reads, in a ${kind}: never what cannot be, and exact at rest`, async (t) => {
    const { url } = await testNode(t, { settings: { fanOutThreshold: threshold } });
    const [ada, bob] = [
      await RawClient.join(url, 'ada', 'phone'),
      await RawClient.join(url, 'bob', 'phone', [], 60_000),
    ];
    const other = await RawClient.join(url, 'bob', 'laptop', [], 60_000);
    let chat: Chat;
    if (kind === 'direct chat') {
      chat = await ada.direct('bob');
      await bob.direct('ada');
      await send(ada, chat, 1);
    } else {
      const id = newId();
      [chat] = (await ask(ada, { type: T.CREATE, r: ada.request(), id, title: 'g', users: ['bob', 'eve'] })) as [Chat];
    }
    // By the model, in messages of ada: sent and answered, or only sent; read and durable, or only said.
    const mine: number[] = kind === 'direct chat' ? [1] : [];
    let said = mine.length;
    let highestSaid = 0;
    let durable = 0;
    const above = (seq: number): number => mine.filter((number) => number > seq).length;
    let going = true;
    const sender = (async () => {
      for (let i = 0; i < 60; i += 1) {
        said += 1;
        ada.send({ type: T.SEND, chat, id: newId(), body: utf8('x') });
        mine.push((await ada.next(T.SENT)).seq);
        // Bob writes too: what one wrote oneself is never unread.
        if (i % 5 === 0) await send(bob, chat, 1);
      }
      going = false;
    })();
    const reader = (async () => {
      for (let i = 0; going; i += 1) {
        const top = mine.at(-1) ?? 0;
        const seq = i % 3 === 0 ? top : Math.floor((highestSaid + top) / 2);
        highestSaid = Math.max(highestSaid, seq);
        await read(i % 2 === 0 ? bob : other, 'bob', chat, seq, ada);
        durable = Math.max(durable, seq);
      }
    })();
    let rounds = 0;
    while (going) {
      const least = mine.length;
      const known = durable;
      const { unread } = (await list(rounds % 2 === 0 ? bob : other)).get(key(chat))!;
      const unanswered = said - mine.length;
      // At the moment of the count: no less was sent than had been answered, and no more was read than had been said by now.
      assert.ok(unread >= 0);
      assert.ok(unread <= above(known) + unanswered, `${unread} above ${known}, of ${mine.length}`);
      const least0 = mine.slice(0, least).filter((seq) => seq > highestSaid).length;
      assert.ok(unread >= least0, `${unread} of at least ${least0}`);
      rounds += 1;
    }
    await Promise.all([sender, reader]);
    assert.ok(rounds > 10, `${rounds} rounds`);
    const half = mine[Math.floor(mine.length / 2)]!;
    await read(bob, 'bob', chat, Math.max(half, highestSaid), ada);
    const at = (await list(other)).get(key(chat))!;
    assert.equal(at.unread, await recount(other, 'bob', chat, at.read));
    assert.equal(at.unread, above(at.read));
  });
}

test('nobody needs to know beyond a thousand, and own messages behind it are not counted for ever', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const bob = await RawClient.join(url, 'bob', 'phone', null);
  const chat = await ada.direct('bob');
  const unread = async (client: RawClient): Promise<number> => (await list(client)).get(key(chat))!.unread;
  await send(ada, chat, LIMITS.unread - 1);
  assert.equal(await unread(bob), LIMITS.unread - 1);
  await send(ada, chat, 1);
  assert.equal(await unread(bob), LIMITS.unread);
  await send(ada, chat, 5);
  assert.equal(await unread(bob), LIMITS.unread);
  await read(bob, 'bob', chat, 6, ada);
  assert.equal(await unread(bob), LIMITS.unread - 1);
  assert.equal(await unread(ada), 0);
});

test('pages by number and by what they cost: every chat once, in order, each page with at least one', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const bob = await RawClient.join(url, 'bob', 'phone', null);
  const chats: string[] = [];
  const big = new Uint8Array(60_000);
  const titles = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'];
  for (const title of titles) {
    const create = { type: T.CREATE, r: ada.request(), id: newId(), title, users: ['bob'] } as const;
    const [chat] = (await ask(ada, { ...create, users: ['bob'] })) as [Chat];
    chats.push(key(chat));
    await send(ada, chat, 12, big);
  }
  chats.sort();
  for (const limit of [1, 3, 7]) {
    const all = await pages(bob, limit);
    assert.deepEqual(
      all.flat().map(({ chat }) => chat),
      chats,
    );
    assert.ok(all.flat().every(({ unread }) => unread === 12));
    assert.ok(all.every((page) => page.length <= limit));
  }
  // 700 KB a chat: the second one of a page is its last.
  const costly = await pages(bob, 500);
  assert.deepEqual(
    costly.map((page) => page.length),
    [2, 2, 2, 1],
  );
  assert.deepEqual(
    (await pages(ada, 500)).map((page) => page.length).reduce((a, b) => a + b),
    7,
  );
});
