// Owns the end-to-end test of a group's administration: every change by every role, and what it does.
// Invariant: real sockets, a real store.
// Must not: test what happens at the same moment (group-races.test.ts) or twice (group-retry.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClientFrame, INVITE_MODE, OP, ROLE, T } from '../../transport/frames.js';
import { alter, info, join, link, log, type Wish } from './group-acts.js';
import { newId, RawClient, testNode, text, utf8 } from './harness.js';
import { ask, create, results, say } from './talk.js';

const NAMES = ['ada', 'bob', 'cat', 'dan', 'eve', 'fay', 'wes', 'zoe'] as const;
type Name = (typeof NAMES)[number];
type Cast = Record<Name, RawClient>;

async function cast(url: string): Promise<Cast> {
  const clients = await Promise.all(NAMES.map((name) => RawClient.join(url, name, '1')));
  return Object.fromEntries(NAMES.map((name, at) => [name, clients[at]!])) as Cast;
}

/** Owner ada, admins bob and zoe, members cat and dan; fay was removed, wes waits for approval, eve is a stranger. */
async function group({ ada, wes }: Cast): Promise<Uint8Array> {
  const chat = await create(ada, ['bob', 'zoe', 'cat', 'dan', 'fay']);
  await alter(ada, chat, OP.role, { users: ['bob', 'zoe'], args: [ROLE.admin] });
  await alter(ada, chat, OP.removed, { users: ['fay'] });
  assert.equal(await join(wes, await link(ada, chat, INVITE_MODE.approval)), '2 5');
  return chat;
}

/** Every change, with what INFO must say after it and the event it must be. */
const CHANGES: readonly (readonly [op: number, wish: Wish, least: number, event: string, after: object])[] = [
  [OP.added, { users: ['eve', 'wes', 'cat'] }, ROLE.admin, 'added eve wes', { waiting: [] }],
  [OP.removed, { users: ['cat', 'zoe'] }, ROLE.admin, 'removed cat zoe', {}],
  [OP.left, {}, ROLE.member, 'left', {}],
  [OP.owner, { users: ['dan'] }, ROLE.owner, 'owner dan', {}],
  [OP.role, { users: ['dan'], args: [ROLE.admin] }, ROLE.admin, 'role dan 2', {}],
  [OP.role, { users: ['dan', 'zoe'], args: [ROLE.member] }, ROLE.admin, 'role zoe 1', {}],
  [OP.title, { args: ['new title'] }, ROLE.admin, 'title new title', { name: 'new title' }],
  [OP.avatar, { args: ['https://a/b'] }, ROLE.admin, 'avatar https://a/b', { avatar: 'https://a/b' }],
  [OP.announce, { args: [1] }, ROLE.admin, 'announce 1', { announce: 1 }],
  [OP.invite, { args: [INVITE_MODE.open] }, ROLE.admin, 'invite 1', { invite: 1, waiting: ['wes'] }],
  [OP.declined, { users: ['wes'] }, ROLE.admin, 'declined wes', { waiting: [] }],
  [OP.expiry, { args: [3_600] }, ROLE.admin, 'expiry 3600', { expiry: 3_600 }],
];

const ACTORS: readonly (readonly [Name, number])[] = [
  ['ada', ROLE.owner],
  ['bob', ROLE.admin],
  ['cat', ROLE.member],
  ['fay', ROLE.gone],
  ['wes', ROLE.gone],
  ['eve', ROLE.gone],
];

test('every change by every role: allowed ones are events and show in INFO, others are refused and leave no trace', async (t) => {
  const { url } = await testNode(t);
  const all = await cast(url);
  for (const [op, wish, least, event, after] of CHANGES) {
    await Promise.all(
      ACTORS.map(async ([name, role]) => {
        const chat = await group(all);
        const what = `${event} by ${name}`;
        const before = await info(all.zoe, chat);
        const answer = await alter(all[name], chat, op, wish);
        if (role < least) {
          assert.equal(answer, role === ROLE.gone ? 'unknown_chat' : 'not_allowed', what);
          assert.deepEqual(await info(all.zoe, chat), before, what);
          return;
        }
        const passes = op === OP.left && role === ROLE.owner ? [`6 ${name} owner bob`] : [];
        const witness = name === 'ada' ? all.bob : all.ada;
        assert.equal(answer, 6 + passes.length, what);
        assert.deepEqual((await log(witness, chat)).slice(5), [...passes, `${answer} ${name} ${event}`], what);
        const { roles, head, ...rest } = await info(witness, chat);
        assert.equal(head, answer, what);
        const { roles: _roles, head: _head, ...unchanged } = before;
        assert.deepEqual(rest, { ...unchanged, ...after }, what);
        assert.deepEqual(roles, rolesAfter(op, wish, name), what);
      }),
    );
  }
});

function rolesAfter(op: number, { users = [], args = [] }: Wish, by: Name): Record<string, number> {
  const { owner, admin, member } = ROLE;
  const roles = new Map<string, number>([
    ['ada', owner],
    ['bob', admin],
    ['zoe', admin],
    ['cat', member],
    ['dan', member],
  ]);
  if (op === OP.added) for (const user of users) roles.set(user, roles.get(user) ?? member);
  if (op === OP.removed) for (const user of users) roles.delete(user);
  if (op === OP.role) for (const user of users) roles.set(user, args[0] as number);
  if (op === OP.owner) roles.set('ada', admin).set(users[0]!, owner);
  if (op === OP.left && by === 'ada') roles.set('bob', owner);
  if (op === OP.left) roles.delete(by);
  return Object.fromEntries(roles);
}

test('nobody touches the owner but the owner; what makes no sense or changes nothing takes no number', async (t) => {
  const { url } = await testNode(t);
  const all = await cast(url);
  const { ada, bob } = all;
  const chat = await group(all);
  const before = await info(ada, chat);
  assert.equal(await alter(bob, chat, OP.removed, { users: ['cat', 'ada'] }), 'not_allowed');
  assert.equal(await alter(bob, chat, OP.role, { users: ['ada'], args: [1] }), 'not_allowed');
  assert.equal(await alter(ada, chat, OP.role, { users: ['ada'], args: [1] }), 'not_allowed');
  const senseless: [number, Wish][] = [
    [OP.added, {}],
    [OP.added, { users: ['bob', 'cat'] }],
    [OP.removed, {}],
    [OP.removed, { users: ['cat', 'eve'] }],
    [OP.removed, { users: ['bob'] }],
    [OP.owner, {}],
    [OP.owner, { users: ['eve'] }],
    [OP.owner, { users: ['ada'] }],
    [OP.owner, { users: ['bob', 'cat'] }],
    [OP.role, { users: ['cat'] }],
    [OP.role, { users: ['cat'], args: [0] }],
    [OP.role, { users: ['cat'], args: [3] }],
    [OP.role, { users: ['cat', 'eve'], args: [2] }],
    [OP.role, { users: ['cat', 'dan'], args: [1] }],
    [OP.role, { args: [2] }],
    [OP.title, {}],
    [OP.title, { args: [''] }],
    [OP.title, { args: [7] }],
    [OP.title, { args: ['a\nb'] }],
    [OP.title, { args: ['ü'.repeat(129)] }],
    [OP.title, { args: ['crew'] }],
    [OP.avatar, {}],
    [OP.avatar, { args: [''] }],
    [OP.avatar, { args: ['x'.repeat(513)] }],
    [OP.announce, {}],
    [OP.announce, { args: [0] }],
    [OP.announce, { args: [2] }],
    [OP.invite, {}],
    [OP.invite, { args: [3] }],
    [OP.declined, {}],
    [OP.declined, { users: ['eve'] }],
    [OP.declined, { users: ['wes', 'eve'] }],
    [OP.expiry, {}],
    [OP.expiry, { args: [0] }],
    [OP.expiry, { args: [-1] }],
    [OP.expiry, { args: [31_622_401] }],
    [OP.created, { args: ['x'] }],
    [OP.asked, {}],
    [OP.joined, {}],
    [OP.erased, {}],
    [OP.expired, { args: [1, 2] }],
    [99, {}],
  ];
  for (const [op, wish] of senseless) {
    // By bob where only the owner would find it senseless to be named.
    const by = op === OP.removed && wish.users?.[0] === 'bob' ? bob : ada;
    assert.equal(await alter(by, chat, op, wish), 'bad_request', `${op} ${JSON.stringify(wish)}`);
  }
  assert.equal(await alter(ada, chat, OP.added, { users: ['a\nb'] }), 'unknown_user');
  assert.deepEqual(await info(ada, chat), before);
});

test('announcements only: members are refused and hold nothing back, admins send; who is promoted may', async (t) => {
  const { url } = await testNode(t);
  const all = await cast(url);
  const { ada, bob, cat } = all;
  const chat = await group(all);
  const refusal = async (): Promise<string> => {
    cat.send({ type: T.SEND, chat, id: newId(), body: utf8('may I?') });
    const failed = await cat.next(T.FAILED);
    assert.equal(failed.retry, false);
    return failed.code;
  };
  await alter(bob, chat, OP.announce, { args: [1] });
  assert.equal(await refusal(), 'not_allowed');
  assert.equal(await say(bob, chat), 7);
  assert.equal(await say(ada, chat), 8);
  await alter(ada, chat, OP.role, { users: ['cat'], args: [ROLE.admin] });
  assert.equal(await say(cat, chat), 10);
  await alter(ada, chat, OP.role, { users: ['cat'], args: [ROLE.member] });
  assert.equal(await refusal(), 'not_allowed');
  await alter(bob, chat, OP.announce, { args: [0] });
  assert.equal(await say(cat, chat), 13);
});

test('a title is the name in LIST, CERT and CHAT, for those who join later too; in a large group soon', async (t) => {
  const { url } = await testNode(t, { settings: { fanOutThreshold: 3 } });
  const all = await cast(url);
  const { ada, bob, eve } = all;
  for (const users of [['bob'], ['bob', 'cat', 'dan', 'fay']]) {
    const chat = await create(ada, users);
    await alter(ada, chat, OP.title, { args: ['second'] });
    await alter(ada, chat, OP.title, { args: ['third'] });
    await alter(ada, chat, OP.added, { users: ['eve'] });
    const mine = (entry: { chat: Uint8Array }): boolean => Buffer.compare(entry.chat, chat) === 0;
    const listed = async (client: RawClient): Promise<string> => {
      const [chats] = await results(client, (r) => ({ type: T.LIST, r, after: null, limit: 10 }));
      return (chats as [Uint8Array, number, string][]).find(([id]) => mine({ chat: id }))![2];
    };
    const large = users.length > 3;
    for (const deadline = performance.now() + 5_000; large && (await listed(bob)) !== 'third'; ) {
      assert.ok(performance.now() < deadline, 'the name comes');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.deepEqual([await listed(bob), await listed(eve)], ['third', 'third']);
    for (const name of ['bob', 'eve']) {
      const late = await RawClient.join(url, name, `of ${users.length}`);
      const cert = await late.next(T.CERT, (frame) => frame.entries.some(mine));
      assert.equal(cert.entries.find(mine)!.name, 'third', name);
      assert.equal((await late.next(T.CHAT, mine)).name, 'third', name);
      late.close();
    }
  }
});

test('the expiry timer of a direct chat is set by either user, and nothing else is', async (t) => {
  const { url } = await testNode(t);
  const { ada, bob, eve } = await cast(url);
  const chat = await ada.direct('bob');
  assert.equal(await alter(ada, chat, OP.expiry, { args: [60] }), 'unknown_chat', 'it does not exist yet');
  await say(ada, chat);
  assert.equal(await alter(ada, chat, OP.expiry, { args: [60] }), 2);
  const event = await bob.next(T.EVENT);
  assert.deepEqual([event.seq, event.op, event.args], [2, OP.expiry, [60]]);
  assert.equal(await alter(bob, chat, OP.expiry, { args: [60] }), 'bad_request');
  assert.equal((await info(bob, chat)).expiry, 60);
  assert.equal(await alter(bob, chat, OP.expiry, { args: [0] }), 3);
  assert.equal((await info(ada, chat)).expiry, 0);
  assert.equal(await alter(eve, chat, OP.expiry, { args: [9] }), 'unknown_chat');
  for (const op of [OP.added, OP.removed, OP.left, OP.owner, OP.role, OP.title, OP.announce, OP.invite]) {
    assert.equal(await alter(ada, chat, op, { users: ['eve'], args: [1] }), 'bad_request');
  }
  const invite = await ask(ada, (r) => ({ type: T.INVITE, r, chat }));
  assert.equal(invite.type === T.ERROR && invite.code, 'bad_request');
});

test('the last member leaves, and nobody finds the way back', async (t) => {
  const { url } = await testNode(t);
  const { ada, bob } = await cast(url);
  const chat = await create(ada, []);
  const invite = await link(ada, chat, INVITE_MODE.open);
  assert.equal(await say(ada, chat, 'alone'), 3);
  assert.equal(await alter(ada, chat, OP.left), 4);
  assert.equal(await join(bob, invite), 'bad_invite');
  assert.equal(await join(ada, invite), 'bad_invite');
  const page = await ask(ada, (r) => ({ type: T.HISTORY, r, chat, before: 0, limit: 10 }));
  assert.deepEqual(page.type === T.PAGE && page.rows.map((row) => (row.type === T.MESSAGE ? text(row.body) : row.op)), [
    OP.created,
    OP.invite,
    'alone',
    OP.left,
  ]);
});

test('who blocks the asker is not added, and a group that is being made without them is as if never asked for', async (t) => {
  const { url } = await testNode(t);
  const { ada, bob, cat } = await cast(url);
  const chat = await create(ada, ['bob']);
  await alter(ada, chat, OP.role, { users: ['bob'], args: [ROLE.admin] });
  await results(cat, (r) => ({ type: T.BLOCK, r, user: 'ada', on: true }));
  const refused = await ask(ada, (r) => ({
    type: T.CHANGE,
    r,
    chat,
    id: newId(),
    op: OP.added,
    users: ['dan', 'cat'],
    args: [],
  }));
  assert.ok(refused.type === T.ERROR && refused.code === 'blocked' && refused.detail.includes('cat'));
  const id = newId();
  const making = (r: number): ClientFrame => ({ type: T.CREATE, r, id, title: 'crew', users: ['dan', 'cat'] });
  const unmade = await ask(ada, making);
  assert.equal(unmade.type === T.ERROR && unmade.code, 'blocked');
  assert.equal(await alter(bob, chat, OP.added, { users: ['cat'] }), 3, 'whom they do not block');
  await results(cat, (r) => ({ type: T.BLOCK, r, user: 'ada', on: false }));
  const [, seq] = await results(ada, making);
  assert.equal(seq, 1);
});
