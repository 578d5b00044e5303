// Owns the tests of what is changed in chats: roles, settings, invites, deletions, and the events that tell of it.
// Invariant: the server is the fake one; rights are the real one's business.
// Must not: reach into the client.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inviteBytes, inviteText } from '../../client/invite.js';
import type { GroupEvent } from '../../client/message.js';
import { MemoryStore } from '../../client/store-memory.js';
import { OP, type Plain } from '../../transport/frames.js';
import { advance, bench, live, settle } from './bench.js';

/** What an event says, without its stamp. */
function said({ chat: _chat, seq: _seq, id: _id, at: _at, own: _own, read: _read, type: _type, ...rest }: GroupEvent) {
  return rest;
}

describe('changes', () => {
  test('each is one CHANGE with an id of its own, and its own event is not handed out', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    const events: string[] = [];
    session.on('event', ({ change }) => void events.push(change));
    const group = await session.createGroup({ title: 'tea', members: ['bob', 'cleo'] });
    await group.promote(['bob']);
    await group.demote(['bob']);
    await group.passOwnership('bob');
    await group.rename('coffee');
    await group.setAvatar('https://x/y.png');
    await group.setAnnounceOnly(true);
    await group.approve(['dan']);
    await group.decline(['eve', 'fay']);
    await group.setExpiry(86_400);
    const { seq } = await group.send('oops');
    assert.deepEqual(await group.deleteForEveryone(seq), { seq: 12 });
    await settle(world);
    const asked = server.last.of(9).map(({ op, users, args }) => [op, users, args]);
    assert.deepEqual(asked, [
      [OP.role, ['bob'], [2]],
      [OP.role, ['bob'], [1]],
      [OP.owner, ['bob'], []],
      [OP.title, [], ['coffee']],
      [OP.avatar, [], ['https://x/y.png']],
      [OP.announce, [], [1]],
      [OP.added, ['dan'], []],
      [OP.declined, ['eve', 'fay'], []],
      [OP.expiry, [], [86_400]],
      [OP.deleted, [], [seq]],
    ]);
    assert.equal(new Set(server.last.of(9).map(({ id }) => Buffer.from(id).toString('hex'))).size, 10);
    assert.deepEqual(events, []);
    const { name, avatar, announceOnly, expiry, head } = group;
    assert.deepEqual([name, avatar, announceOnly, expiry, head], ['coffee', 'https://x/y.png', true, 86_400, 12]);
  });

  test('a chat that is watched is watched anew when its user is a member again', async () => {
    const { server, world, session } = await bench();
    const chat = server.chat('tea', 2);
    server.event(chat, OP.created, ['tea', ['alice', 'bob']], 'cleo');
    await settle(world);
    session.group(Buffer.from(chat.id).toString('hex')).watch(true);
    server.event(chat, OP.removed, [['alice']], 'cleo');
    server.event(chat, OP.added, [['bob']], 'cleo');
    await settle(world);
    assert.equal(server.last.of(14).length, 1);
    server.event(chat, OP.added, [['alice']], 'cleo');
    await settle(world);
    assert.equal(server.last.of(14).length, 2);
  });

  test('who comes back to a group asks who has read meanwhile what he wrote before, and only then', async () => {
    const { server, world, session } = await bench();
    const chat = server.chat('tea', 2);
    const infos = (): number => server.last.of(12).length;
    server.event(chat, OP.created, ['tea', ['alice', 'bob']], 'cleo');
    server.event(chat, OP.removed, [['alice']], 'cleo');
    server.event(chat, OP.added, [['alice']], 'cleo');
    await settle(world);
    const before = infos();
    const sent = session.group(Buffer.from(chat.id).toString('hex')).send('hm');
    await settle(world);
    await sent;
    server.event(chat, OP.removed, [['alice']], 'cleo');
    await settle(world);
    assert.equal(infos(), before);
    server.event(chat, OP.added, [['alice']], 'cleo');
    await settle(world);
    assert.equal(infos(), before + 1);
  });

  test('who wrote to a group before he learned that somebody came asks at the next SYNC how far all are', async () => {
    const { server, world, session } = await bench();
    const chat = server.chat('tea', 2);
    server.event(chat, OP.created, ['tea', ['alice']], 'alice');
    await settle(world);
    const push = server.push.bind(server);
    server.push = () => undefined;
    server.event(chat, OP.added, [['bob']], 'alice');
    const sent = session.group(Buffer.from(chat.id).toString('hex')).send('hm');
    await settle(world);
    assert.deepEqual(await sent, { seq: 3 });
    server.last.send({ type: 46 });
    await settle(world);
    server.push = push;
    const [entry] = [...server.last.of(6).at(-1)!.entries];
    assert.deepEqual([entry!.seq, entry!.flags], [1, 1]);
  });

  test('one whose answer is lost is done when its event has come', async () => {
    const { server, world, session } = await bench();
    const chat = server.chat('tea', 2);
    server.post(chat, 'x', 'bob');
    await settle(world);
    const group = session.group(chat.id);
    const events: string[] = [];
    session.on('event', ({ change }) => void events.push(change));
    server.last.intercept = (frame) => {
      if (frame.type !== 9) return false;
      chat.rows.push({ from: session.user, id: frame.id, body: new Uint8Array(), op: OP.title, args: ['coffee'] });
      server.push();
      return true;
    };
    const renaming = group.rename('coffee');
    await settle(world);
    let done = false;
    renaming.then(() => {
      done = true;
    });
    await settle(world);
    assert.equal(done, true, 'at once, not when the answer is given up');
    assert.deepEqual(await renaming, { seq: 2 });
    assert.deepEqual([group.name, events], ['coffee', []]);
  });

  for (const restart of [false, true]) {
    const when = restart ? ', also after a restart in between' : '';
    test(`an answer that overtakes others’ changes: in the end each has counted in its turn${when}`, async (t) => {
      const store = new MemoryStore();
      const first = await bench({ store, listen: false });
      const { server, world } = first;
      live(t, world);
      let { session } = first;
      const chat = server.chat('tea', 2);
      const rows = (from: string, op: number, args: readonly Plain[], id = server.newId()): number =>
        chat.rows.push({ from, id, body: new Uint8Array(), op, args });
      rows('cleo', OP.created, ['tea', ['alice', 'bob']]);
      server.echo = true;
      let handle = (): void => {};
      session.on('event', () => new Promise<void>((resolve) => (handle = resolve)));
      server.push();
      await settle(world);
      handle();
      await settle(world);
      server.last.intercept = (frame) => {
        if (frame.type !== 9) return false;
        const args = frame.users.length > 0 ? [[...frame.users]] : frame.args;
        server.last.send({ type: 41, r: frame.r, results: [rows(session.user, frame.op, args, frame.id)] });
        return true;
      };
      rows('bob', OP.title, ['theirs']);
      rows('bob', OP.left, []);
      const group = session.group(chat.id);
      const state = (): unknown => [session.group(chat.id).name, session.group(chat.id).tick(9).of];
      await group.add(['bob']);
      await group.rename('ours');
      assert.deepEqual(state(), ['ours', 2], 'for who waits, at once');
      server.push();
      await settle(world);
      assert.equal(group.name, 'theirs', 'the first of the two, while its listener is at work');
      if (restart) {
        await session.close();
        ({ session } = await bench({ world, server, store, listen: false }));
        session.on('event', () => {});
      }
      for (let n = 0; n < 3; n++) {
        handle();
        await settle(world);
      }
      assert.deepEqual(state(), ['ours', restart ? undefined : 2]);
    });
  }

  test('others’ changes come as events, in order, and are taken in', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    const chat = server.chat('tea', 2);
    const events: object[] = [];
    const told: string[] = [];
    session.on('event', (event) => void events.push(said(event)));
    session.on('deleted', ({ seqs, by, everyone }) => void told.push(`deleted ${seqs.join()} by ${by} ${everyone}`));
    session.on('expired', ({ first, last }) => void told.push(`expired ${first}-${last}`));
    server.event(chat, OP.created, ['tea', ['alice', 'bob']], 'cleo');
    for (let n = 0; n < 3; n++) server.post(chat, 'x', 'bob');
    server.event(chat, OP.role, [['bob'], 2], 'cleo');
    server.event(chat, OP.title, ['coffee'], 'bob');
    server.event(chat, OP.avatar, ['ref'], 'bob');
    server.event(chat, OP.announce, [1], 'bob');
    server.event(chat, OP.invite, [2], 'bob');
    server.event(chat, OP.asked, [], 'dan');
    server.event(chat, OP.declined, [['dan']], 'bob');
    server.event(chat, OP.expiry, [60], 'bob');
    server.event(chat, OP.joined, [], 'eve');
    server.event(chat, OP.owner, [['bob']], 'cleo');
    server.event(chat, 99, [{}.toString(), 5], 'bob');
    await settle(world);
    assert.equal(session.group(Buffer.from(chat.id).toString('hex')).unread, 3);
    server.event(chat, OP.deleted, [3], 'bob');
    server.event(chat, OP.expired, [2, 2], 'bob');
    await settle(world);
    assert.deepEqual(events, [
      { from: 'cleo', change: 'created', users: ['alice', 'bob'], title: 'tea' },
      { from: 'cleo', change: 'role', users: ['bob'], role: 'admin' },
      { from: 'bob', change: 'title', users: [], title: 'coffee' },
      { from: 'bob', change: 'avatar', users: [], avatar: 'ref' },
      { from: 'bob', change: 'announce', users: [], on: true },
      { from: 'bob', change: 'invite', users: [], mode: 'approval' },
      { from: 'dan', change: 'asked', users: [] },
      { from: 'bob', change: 'declined', users: ['dan'] },
      { from: 'bob', change: 'expiry', users: [], seconds: 60 },
      { from: 'eve', change: 'joined', users: [] },
      { from: 'cleo', change: 'owner', users: ['bob'] },
      { from: 'bob', change: 'other', users: ['[object Object]'] },
      { from: 'bob', change: 'deleted', users: [], target: 3 },
      { from: 'bob', change: 'expired', users: [], first: 2, last: 2 },
    ]);
    assert.deepEqual(told, ['deleted 3 by bob true', 'expired 2-2']);
    const group = session.group(Buffer.from(chat.id).toString('hex'));
    const { name, avatar, announceOnly, expiry, unread } = group;
    assert.deepEqual([name, avatar, announceOnly, expiry, unread], ['coffee', 'ref', true, 60, 1]);
    const { items } = await group.history({ limit: 100 });
    assert.deepEqual(
      items.slice(0, 4).map((item) => (item.type === 'event' ? `${item.change} of ${item.from}` : item.text)),
      ['created of cleo', 'x', 'erased of bob', 'x'],
    );
  });

  test('a listener of `deleted` that fails to store holds back what follows, as one of `message` does', async (t) => {
    const { server, world, session, seen } = await bench();
    live(t, world);
    const chat = server.chat('bob');
    let stored = (): void => {};
    session.on(
      'deleted',
      () =>
        new Promise<void>((resolve) => {
          stored = resolve;
        }),
    );
    server.post(chat, 'a');
    server.event(chat, OP.deleted, [1]);
    server.post(chat, 'b');
    await advance(world, 1_000);
    assert.equal(seen.at(-1), 'bob:1:a');
    assert.equal(server.last.of(3).at(-1)?.seq, 1);
    stored();
    await advance(world, 1_000);
    assert.equal(seen.at(-1), 'bob:3:b');
  });

  test('INFO and RECEIPTS in full; of an older server, with what it tells', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    const chat = server.chat('tea', 2);
    server.post(chat, 'x', 'bob');
    await settle(world);
    const group = session.group(chat.id);
    const member = ['bob', 3, 1, 1];
    let info: unknown[] = [2, 'tea', 1, [member], 'ref', 1, 60, 2, ['dan']];
    server.intercept = (frame, connection) => {
      if (frame.type !== 12) return false;
      connection.send({ type: 41, r: frame.r, results: info as never });
      return true;
    };
    const members = [{ user: 'bob', role: 'owner', delivered: 1, read: 1 }];
    const base = { kind: 'group', name: 'tea', head: 1, members };
    const { announceOnly, ...rest } = await group.info();
    assert.deepEqual(rest, { ...base, avatar: 'ref', expiry: 60, inviteMode: 'approval', waiting: ['dan'] });
    assert.deepEqual([announceOnly, group.announceOnly, group.avatar], [true, true, 'ref']);
    info = info.slice(0, 4);
    assert.deepEqual((await group.info()).waiting, []);
    info = [2, 7];
    await assert.rejects(group.info(), { code: 'bad_response' });
    assert.deepEqual(await group.receipts(1), {
      delivered: 1,
      read: 0,
      members: [{ user: 'bob', state: 'delivered' }],
      devices: [{ device: 'phone', delivered: 1 }],
    });
  });

  test('ticks of a large group follow its TALLY, and never go back', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    const group = await session.createGroup({ title: 'all', members: ['bob', 'cleo'] });
    const { seq } = await group.send('x');
    const tallies: string[] = [];
    session.on('tally', ({ delivered, read }) => void tallies.push(`${delivered} ${read} ${group.tick(seq).state}`));
    for (const [delivered, read] of [
      [1, 1],
      [2, 1],
      // Late, from the node that had the chat before.
      [1, 1],
      [2, 2],
      [1, 2],
    ] as const) {
      server.last.send({ type: 50, chat: server.find(1)!.id, delivered, read });
    }
    server.last.send({ type: 51, chat: server.find(1)!.id, count: 17 });
    await settle(world);
    assert.deepEqual(tallies, ['1 1 sent', '2 1 delivered', '2 2 read']);
    assert.deepEqual(group.tick(seq), { state: 'read', delivered: 2, read: 2, of: 2 });
  });
});

describe('invites', () => {
  test('a link is made, read and joined by', async (t) => {
    const { server, world, session, seen } = await bench();
    live(t, world);
    const group = await session.createGroup({ title: 'tea', members: ['bob'] });
    const link = await group.invite('open');
    assert.match(link, /^weft:join\/[\w-]{43}$/);
    assert.deepEqual(await group.inviteLink(), { mode: 'open', link });
    server.account.inviteMode = 0;
    assert.equal(await group.invite('off'), '');
    assert.deepEqual(await group.inviteLink(), { mode: 'off', link: '' });

    const chat = server.chat('walk', 2);
    chat.start = 100;
    for (let n = 0; n < 3; n++) server.post(chat, 'before', 'bob');
    server.account.joining = chat;
    const events: string[] = [];
    session.on('event', ({ change, from, seq, own }) => void events.push(`${seq} ${change} ${from} ${own}`));
    server.account.joinState = 2;
    const asked = await session.join(link);
    assert.equal(asked.waiting, true);
    server.account.joinState = 1;
    const joined = await session.join(` ${link}\n`);
    assert.deepEqual([joined.waiting, joined.chat === asked.chat], [false, true]);
    server.post(chat, 'after', 'bob');
    await advance(world, 1_000);
    assert.deepEqual(events.at(-1), '5 joined alice true');
    assert.deepEqual(
      seen.map((line) => line.split(':').at(-1)),
      ['after'],
    );
    assert.deepEqual([...server.last.of(18)[0]!.invite], [...inviteBytes(link)]);
  });

  test('one text for each link, and no other is one', () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => i * 8);
    const link = inviteText(bytes);
    assert.deepEqual(inviteBytes(link), bytes);
    const odd = ['', 'weft:join/', link.slice(0, -1), `${link}A`, `${link}=`, link.toUpperCase(), `x${link}`];
    // The last letter's spare bits set, and the other alphabet.
    const last = link.at(-1)!;
    const spare = `${link.slice(0, -1)}${String.fromCharCode(last.charCodeAt(0) + 1)}`;
    for (const text of [...odd, spare, inviteText(new Uint8Array(32).fill(0xff)).replaceAll('_', '/')]) {
      assert.throws(() => inviteBytes(text), { code: 'bad_argument' }, text);
    }
  });
});
