// Owns the tests of the list of chats and of the user's marks: order, other devices, restarts, lost pushes.
// Invariant: the clock moves by hand.
// Must not: reach into the client.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import type { Session } from '../../client/session.js';
import { MemoryStore } from '../../client/store-memory.js';
import { MARK_OP, OP } from '../../transport/frames.js';
import { ManualWorld } from '../actors/manual-world.js';
import { advance, bench, live, settle } from './bench.js';
import { FakeServer } from './fake-server.js';

const names = async (session: Session): Promise<string[]> => (await session.chats()).map(({ name }) => name);

describe('chats', () => {
  test('pinned ones stand first, then the newest; each with its position, count and marks', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    for (const [i, user] of ['ann', 'bob', 'cleo', 'dan'].entries()) {
      await advance(world, 1_000);
      for (let n = 0; n <= i; n++) server.post(server.chat(user), 'x');
    }
    await settle(world);
    assert.deepEqual(await names(session), ['dan', 'cleo', 'bob', 'ann']);
    await session.direct('ann').pin();
    await session.direct('bob').archive();
    await session.direct('cleo').mute();
    await session.direct('dan').mute(world.wall() + 60_000);
    await session.direct('dan').markUnread();
    session.direct('cleo').read(2);
    await advance(world, 1_000);
    await session.direct('bob').send('me');
    await settle(world);
    const list = (await session.chats()).map(({ name, head, read, unread, muted, pinned, archived, markedUnread }) => {
      const until = muted === Number.MAX_SAFE_INTEGER ? 'ever' : muted > 0;
      return [name, head, read, unread, until, pinned > 0, archived, markedUnread];
    });
    assert.deepEqual(list, [
      ['ann', 1, 0, 1, false, true, false, false],
      ['bob', 3, 0, 2, false, false, true, false],
      ['dan', 4, 0, 4, true, false, false, true],
      ['cleo', 3, 2, 1, 'ever', false, false, false],
    ]);
    await session.direct('bob').pin(5);
    await session.direct('ann').pin(4);
    assert.deepEqual((await names(session)).slice(0, 2), ['bob', 'ann']);
    await session.direct('ann').pin(false);
    assert.deepEqual((await names(session)).slice(0, 2), ['bob', 'dan']);
  });

  test('a restart without a server finds all of it', async (t) => {
    const store = new MemoryStore();
    const first = await bench({ store });
    const { world, server } = first;
    live(t, world);
    for (const user of ['ann', 'bob']) for (let n = 0; n < 3; n++) server.post(server.chat(user), 'x');
    await settle(world);
    await first.session.direct('ann').pin();
    await first.session.direct('bob').deleteForMe([2]);
    first.session.direct('ann').read(1);
    server.event(server.chat('bob'), OP.expiry, [3_600]);
    await advance(world, 500);
    const before = (await first.session.chats()).map(({ chat: _, ...rest }) => rest);
    await first.session.close();
    server.up = false;
    const { session } = await bench({ world, server, store, offline: true });
    assert.deepEqual(
      (await session.chats()).map(({ chat: _, ...rest }) => rest),
      before,
    );
    assert.deepEqual(
      before.map(({ name, unread, head }) => `${name} ${unread} of ${head}`),
      ['ann 2 of 3', 'bob 2 of 4'],
    );
    assert.equal(session.direct('bob').expiry, 3_600);
    assert.deepEqual(session.direct('bob').marks.hidden, [2]);
  });

  test('a device that begins later, with less than all, counts what it does not have', async (t) => {
    const world = new ManualWorld();
    live(t, world);
    const server = new FakeServer(world);
    const chat = server.chat('bob');
    for (let n = 0; n < 30; n++) server.post(chat, 'x');
    chat.read = 10;
    chat.start = 26;
    const { session, seen } = await bench({ world, server, backfill: 5 });
    assert.equal(seen.length, 5);
    assert.deepEqual(
      (await session.chats()).map(({ unread, read }) => [unread, read]),
      [[20, 10]],
    );
    server.account.read(chat, 20);
    await settle(world);
    assert.equal(session.direct('bob').unread, 10);
    session.direct('bob').read(28);
    assert.equal(session.direct('bob').unread, 2);
  });

  test('a count that was taken before something was deleted is not believed, and asked for once more', async (t) => {
    const world = new ManualWorld();
    live(t, world);
    const server = new FakeServer(world);
    const chat = server.chat('bob');
    for (let n = 0; n < 30; n++) server.post(chat, 'x', n < 10 ? 'alice' : 'bob');
    chat.start = 26;
    const { session } = await bench({ world, server, backfill: 5 });
    assert.equal(session.direct('bob').unread, 20);
    const late: (() => void)[] = [];
    server.intercept = (frame, connection) => {
      if (frame.type !== 11 || late.length > 0) return false;
      server.account.handle({ send: (answer) => late.push(() => connection.send(answer)) }, frame);
      return true;
    };
    server.last.cut();
    await advance(world, 5_000);
    assert.equal(late.length, 1);
    server.account.mark(chat, MARK_OP.hidden, 0, [28]);
    await settle(world);
    late[0]!();
    await settle(world);
    assert.equal(session.direct('bob').unread, 19);
    assert.equal(server.last.of(11).length, 2);
  });

  test('a server that does not count, and one that has no such list at all, do no harm', async (t) => {
    const world = new ManualWorld();
    live(t, world);
    const server = new FakeServer(world);
    server.account.counts = false;
    server.post(server.chat('bob'), 'x');
    const { session } = await bench({ world, server });
    assert.deepEqual(
      (await session.chats()).map(({ unread }) => unread),
      [1],
    );
    server.intercept = (frame) => frame.type === 11 || frame.type === 28 || frame.type === 26;
    server.last.cut();
    await advance(world, 5_000);
    assert.equal(session.state, 'online');
    const listing = session.chats();
    const failed = assert.rejects(listing, { code: 'timeout' });
    await advance(world, 20_000);
    await failed;
    assert.equal(session.direct('bob').unread, 1);
  });

  test('LIST is asked once, where something was missed, and not where nothing was', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    server.post(server.chat('bob'), 'x');
    await settle(world);
    session.direct('bob').read(1);
    await advance(world, 1_000);
    await Promise.all([session.chats(), session.chats(), session.chats()]);
    assert.equal(server.last.of(11).length, 1);
    server.last.cut();
    await advance(world, 5_000);
    await session.chats();
    assert.equal(server.last.of(11).length, 0, 'nothing was missed');
    server.last.cut();
    server.post(server.chat('bob'), 'y');
    await advance(world, 5_000);
    await session.chats();
    assert.equal(server.last.of(11).length, 1);
  });

  test('what was read elsewhere in a large group is learnt by the next list, asked for at most every 5 s', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    const chat = server.chat('all', 2);
    for (let n = 0; n < 3; n++) server.post(chat, 'x', 'bob');
    server.last.send({ type: 50, chat: chat.id, delivered: 0, read: 0 });
    await settle(world);
    await session.chats();
    const { length } = server.last.of(11);
    // Of large groups no receipt is pushed.
    chat.read = 2;
    assert.deepEqual(
      (await session.chats()).map(({ unread }) => unread),
      [3],
    );
    await advance(world, 6_000);
    assert.deepEqual(
      (await session.chats()).map(({ unread }) => unread),
      [1],
    );
    assert.deepEqual(
      (await session.chats()).map(({ unread }) => unread),
      [1],
    );
    assert.equal(server.last.of(11).length, length + 1);
  });
});

describe('marks', () => {
  test('other devices’ marks come live, and those missed after the next connect', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    const chat = server.chat('bob');
    for (let n = 0; n < 5; n++) server.post(chat, 'x');
    await settle(world);
    const news: string[] = [];
    session.on('marks', ({ chat }) => void news.push(`${chat.name} ${chat.marks.archived} ${chat.unread}`));
    session.on('deleted', ({ seqs, everyone, by }) => void news.push(`deleted ${seqs.join()} ${everyone} ${by}`));
    server.account.mark(chat, MARK_OP.archived, 1);
    server.account.mark(chat, MARK_OP.hidden, 0, [4]);
    await settle(world);
    assert.deepEqual(news.splice(0), ['bob true 5', 'bob true 4', 'deleted 4 false alice']);
    server.last.cut();
    server.account.mark(chat, MARK_OP.archived, 0);
    server.account.mark(chat, MARK_OP.cleared, 2);
    await advance(world, 5_000);
    assert.deepEqual(news.splice(0), ['bob false 2']);
    assert.deepEqual(
      server.last.of(28).map(({ since }) => since),
      [2],
      'only what is new was asked for',
    );
  });

  test('questions of the last connection that end unanswered on this one are asked again', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    const chat = server.chat('bob');
    server.post(chat, 'x');
    await settle(world);
    server.intercept = (frame) => frame.type === 28 || frame.type === 11;
    server.last.cut();
    server.account.mark(chat, MARK_OP.archived, 1);
    chat.read = 1;
    await advance(world, LIMITS.clientRequestMs - 5_000);
    server.last.cut();
    await advance(world, 5_000 - 500);
    server.intercept = undefined;
    await advance(world, 5_000);
    assert.equal(session.state, 'online');
    assert.equal(session.direct('bob').marks.archived, true);
    assert.equal(session.direct('bob').unread, 0);
  });

  test('an older server that has no answer is asked once a connection', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    server.post(server.chat('bob'), 'x');
    await settle(world);
    server.intercept = (frame) => frame.type === 28 || frame.type === 11;
    server.last.cut();
    await advance(world, 5 * LIMITS.clientRequestMs);
    assert.equal(session.state, 'online');
    assert.deepEqual([server.last.of(28).length, server.last.of(11).length], [1, 1]);
  });

  test('a lost push is noticed by the next one, also by an own change', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    const [bob, cleo] = ['bob', 'cleo'].map((user) => server.chat(user)) as [ReturnType<FakeServer['chat']>, never];
    for (const chat of [bob, cleo]) server.post(chat, 'x');
    await settle(world);
    server.account.mark(bob, MARK_OP.pinned, 7, [], true);
    await session.direct('cleo').archive();
    await settle(world);
    assert.equal(session.direct('bob').marks.pinned, 7);
    server.account.mark(bob, MARK_OP.pinned, 0, [], true);
    server.account.mark(cleo, MARK_OP.muted, 9);
    await settle(world);
    assert.deepEqual([session.direct('bob').marks.pinned, session.direct('cleo').marks.muted], [0, 9]);
    const { length } = server.last.of(28);
    await session.direct('bob').archive();
    await settle(world);
    assert.equal(server.last.of(28).length, length, 'nothing was lost, nothing is asked');
  });

  test('an own change shows what another device set before it and this one was not told', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    const chat = server.chat('bob');
    server.post(chat, 'x');
    await settle(world);
    await session.direct('bob').archive();
    server.account.mark(chat, MARK_OP.pinned, 7, [], true);
    // Changes nothing, so the version is the other device's.
    await session.direct('bob').archive();
    const { archived, pinned } = session.direct('bob').marks;
    assert.deepEqual({ archived, pinned }, { archived: true, pinned: 7 });
  });

  test('an older state never replaces a newer one', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    const chat = server.chat('bob');
    server.post(chat, 'x');
    await settle(world);
    const mark = { type: 53, chat: chat.id, muted: 0, pinned: 0, archived: false, unread: false, cleared: 0 } as const;
    server.last.send({ ...mark, version: 8, archived: true, hidden: [] });
    server.last.send({ ...mark, version: 7, hidden: [] });
    await settle(world);
    assert.equal(session.direct('bob').marks.archived, true);
  });

  test('what is hidden before it was handed out is not counted; reading ends the mark `unread`', async (t) => {
    const { server, world, session } = await bench({ listen: false });
    live(t, world);
    const chat = server.chat('bob');
    let handled = (): void => {};
    session.on(
      'message',
      () =>
        new Promise<void>((resolve) => {
          handled = resolve;
        }),
    );
    for (let n = 0; n < 3; n++) server.post(chat, 'x');
    await settle(world);
    server.account.mark(chat, MARK_OP.hidden, 0, [2, 3]);
    server.account.mark(chat, MARK_OP.unread, 1);
    for (let n = 0; n < 3; n++) {
      await settle(world);
      handled();
    }
    await settle(world);
    assert.equal(session.direct('bob').unread, 1);
    session.direct('bob').read(3);
    await settle(world);
    assert.equal(session.direct('bob').marks.unread, false);
    assert.equal(server.account.marks(chat).unread, false);
  });

  test('what was deleted for oneself on another device before it came is not shown here any more', async (t) => {
    const { server, world, session, seen } = await bench();
    const events: number[] = [];
    session.on('event', ({ seq }) => void events.push(seq));
    live(t, world);
    const chat = server.chat('bob');
    server.post(chat, 'one');
    await settle(world);
    // The other device read these from the store, and was faster than their chat.
    server.account.mark(chat, MARK_OP.hidden, 0, [2, 3]);
    await settle(world);
    server.post(chat, 'two');
    server.event(chat, OP.expiry, [60]);
    server.post(chat, 'four');
    await settle(world);
    const bob = session.direct('bob');
    assert.deepEqual([seen, events], [['bob:1:one', 'bob:4:four'], []]);
    assert.deepEqual([bob.head, bob.unread, bob.expiry], [4, 2, 60], 'what a hidden event changes counts');
  });

  test('clear takes all that is known, and hundreds of single ones go in frames that the server takes', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    const chat = server.chat('bob');
    for (let n = 0; n < 4; n++) server.post(chat, 'x');
    await settle(world);
    await session.direct('bob').clear();
    assert.equal(server.account.marks(chat).cleared, 4);
    assert.equal(session.direct('bob').unread, 0);
    await session.direct('bob').deleteForMe(Array.from({ length: 1_500 }, (_, i) => i + 5));
    assert.deepEqual(
      server.last.of(27).map(({ seqs }) => seqs.length),
      [0, 1_000, 500],
    );
  });

  test('after RESYNC marks and blocks are asked for again: what told of them may be lost', async () => {
    const { server, world } = await bench();
    const asked = (): number[] =>
      server.last.frames.map(({ type }) => type).filter((type) => type === 26 || type === 28);
    await settle(world);
    const before = asked().length;
    server.last.send({ type: 46 });
    await settle(world);
    assert.deepEqual(asked().slice(before).sort(), [26, 28]);
  });

  test('a RESYNC right behind an answer: that is from before, and both are asked for once more', async () => {
    const { server, world } = await bench();
    await settle(world);
    const asked = (): { readonly r: number; readonly type: number }[] =>
      server.last.frames.flatMap((frame) => (frame.type === 26 || frame.type === 28 ? [frame] : []));
    const before = asked().length;
    server.last.intercept = ({ type }) => type === 26 || type === 28;
    server.last.send({ type: 46 });
    await settle(world);
    const open = asked().slice(before);
    assert.equal(open.length, 2);
    for (const { r, type } of open) server.last.send({ type: 41, r, results: type === 28 ? [[], false] : [[]] });
    server.last.send({ type: 46 });
    await settle(world);
    assert.deepEqual(
      asked()
        .slice(before + 2)
        .map(({ type }) => type)
        .sort(),
      [26, 28],
    );
  });

  test('after RESYNC what was read on another device is asked for, where something is unread here', async () => {
    const { server, world, session } = await bench();
    const chat = server.chat('bob');
    server.post(chat, 'x');
    await settle(world);
    assert.equal(session.direct('bob').unread, 1);
    // The RECEIPT that said so was lost.
    chat.read = 1;
    server.last.send({ type: 46 });
    await settle(world);
    assert.equal(session.direct('bob').unread, 0);
  });

  test('own messages of another device that were missed: their receipts are asked for, once', async () => {
    const { server, world } = await bench();
    const chat = server.chat('bob');
    server.post(chat, 'x');
    await settle(world);
    server.last.cut();
    for (const text of ['a', 'b']) server.post(chat, text, server.user);
    await advance(world, 10_000);
    assert.equal(server.last.of(12).length, 1);
    // Live, they come by themselves.
    server.post(chat, 'c', server.user);
    await settle(world);
    assert.equal(server.last.of(12).length, 1);
  });
});
