// Owns the end-to-end test of changes asked for twice: every one is made once, whoever asks again, from wherever.
// Invariant: real sockets, a real store; the log is compared before and after.
// Must not: kill the node (group-kill.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INVITE_MODE, OP, ROLE, T } from '../../transport/frames.js';
import { alter, join, link, log, pipe, type Wish } from './group-acts.js';
import { newId, RawClient, type TestNode, testNode } from './harness.js';
import { ask, create, results } from './talk.js';

/** Something that gets a number: asked again under its id, it is answered the same. */
interface Act {
  readonly what: string;
  readonly user: string;
  readonly again: (client: RawClient) => Promise<unknown>;
  readonly answer: unknown;
}

const WISHES: readonly (readonly [op: number, wish: Wish])[] = [
  [OP.added, { users: ['eve', 'wes'] }],
  [OP.removed, { users: ['cat'] }],
  [OP.left, {}],
  [OP.role, { users: ['cat'], args: [ROLE.admin] }],
  [OP.title, { args: ['another'] }],
  [OP.avatar, { args: ['a'] }],
  [OP.announce, { args: [1] }],
  [OP.invite, { args: [INVITE_MODE.open] }],
  [OP.declined, { users: ['wes'] }],
  [OP.expiry, { args: [60] }],
  [OP.owner, { users: ['cat'] }],
];

type People = Readonly<Record<'ada' | 'bob' | 'cat' | 'wes', RawClient>>;

async function people(url: string, device: string): Promise<People> {
  const of = (name: string): Promise<RawClient> => RawClient.join(url, name, device);
  const [ada, bob, cat, wes] = await Promise.all([of('ada'), of('bob'), of('cat'), of('wes')]);
  return { ada, bob, cat, wes };
}

/** A group in which each of the changes means something; the owner makes it. */
async function changed({ ada, bob, wes }: People, op: number, wish: Wish): Promise<{ chat: Uint8Array; act: Act }> {
  const chat = await create(ada, ['bob', 'cat']);
  await alter(ada, chat, OP.role, { users: ['bob'], args: [ROLE.admin] });
  await join(wes, await link(ada, chat, INVITE_MODE.approval));
  const [user, by] = op === OP.owner ? ['ada', ada] : ['bob', bob];
  const id = newId();
  const again = (client: RawClient): Promise<unknown> => alter(client, chat, op, { ...wish, id });
  const answer = await again(by);
  assert.equal(answer, 5, `op ${op}`);
  return { chat, act: { what: `op ${op}`, user, again, answer } };
}

async function passivated({ node }: TestNode): Promise<void> {
  while (node.chats.some(({ size }) => size > 0)) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('each change asked for again: same connection, another one, after passivation, after a restart', async (t) => {
  const first = await testNode(t, { settings: { passivateMs: 50 } });
  const all = await people(first.url, '1');
  const others = await people(first.url, '2');
  const made = await Promise.all(WISHES.map(([op, wish]) => changed(all, op, wish)));
  const invite = await link(all.ada, made[0]!.chat, INVITE_MODE.open);
  const acts: Act[] = made.map(({ act }) => act);
  const ids = [newId(), newId()];
  const joining = (client: RawClient): Promise<unknown> => join(client, invite, ids[0]);
  // Approval made wes a member of that group; of another one cat was removed, and may come by its link.
  const [, removal] = made;
  const back = await link(all.ada, removal!.chat, INVITE_MODE.open);
  const returning = (client: RawClient): Promise<unknown> => join(client, back, ids[1]);
  acts.push({ what: 'JOIN by a member', user: 'wes', again: joining, answer: await joining(all.wes) });
  acts.push({ what: 'JOIN', user: 'cat', again: returning, answer: await returning(all.cat) });
  const id = newId();
  const creating = (client: RawClient): Promise<unknown> =>
    results(client, (r) => ({ type: T.CREATE, r, id, title: 'crew', users: ['bob'] }));
  acts.push({ what: 'CREATE', user: 'ada', again: creating, answer: await creating(all.ada) });
  const logs = (of: People): Promise<string[][]> => Promise.all(made.map(({ chat }) => log(of.ada, chat)));
  const before = await logs(all);
  const repeat = async (of: People): Promise<void> => {
    for (const { what, user, again, answer } of acts) {
      assert.deepEqual(await again(of[user as keyof People]), answer, what);
    }
    assert.deepEqual(await logs(of), before);
  };
  await repeat(all);
  await repeat(others);
  await passivated(first);
  await repeat(all);
  await first.stop();
  const second = await testNode(t, { folder: first.folder });
  await repeat(await people(second.url, '3'));
});

test('across a removal: what was stored answers its number, what was not is refused; also after a restart', async (t) => {
  const first = await testNode(t);
  const { ada, bob } = await people(first.url, '1');
  const chat = await create(ada, ['bob']);
  await alter(ada, chat, OP.role, { users: ['bob'], args: [ROLE.admin] });
  const [message, titled, late] = [newId(), newId(), newId()];
  const send = async (client: RawClient, id: Uint8Array): Promise<unknown> => (await pipe(client, chat, [id]))[0];
  assert.equal(await send(bob, message), 3);
  assert.equal(await alter(bob, chat, OP.title, { args: ['by bob'], id: titled }), 4);
  assert.equal(await alter(ada, chat, OP.removed, { users: ['bob'] }), 5);
  const answers = async (client: RawClient): Promise<unknown[]> => [
    await send(client, message),
    await send(client, late),
    await alter(client, chat, OP.title, { args: ['by bob'], id: titled }),
    await alter(client, chat, OP.title, { args: ['by bob'], id: late }),
    await alter(client, chat, OP.left),
  ];
  const expected = [3, 'not_member', 4, 'unknown_chat', 'unknown_chat'];
  assert.deepEqual(await answers(bob), expected);
  await first.stop();
  const second = await testNode(t, { folder: first.folder });
  const back = await RawClient.join(second.url, 'bob', '2');
  assert.deepEqual(await answers(back), expected);
});

test('a JOIN again when all is over: its number, and that one is neither member nor waiting', async (t) => {
  const { url } = await testNode(t);
  const { ada, bob, wes } = await people(url, '1');
  const chat = await create(ada, []);
  const [one, two] = [newId(), newId()];
  const asking = await link(ada, chat, INVITE_MODE.approval);
  assert.equal(await join(wes, asking, one), '2 3');
  assert.equal(await join(wes, asking, one), '2 3');
  await alter(ada, chat, OP.declined, { users: ['wes'] });
  assert.equal(await join(wes, asking, one), '0 3');
  await alter(ada, chat, OP.added, { users: ['wes'] });
  assert.equal(await join(wes, asking, one), '1 3', 'a member by other means');
  const invite = await link(ada, chat, INVITE_MODE.open);
  assert.equal(await join(bob, invite, two), '1 7');
  await alter(ada, chat, OP.removed, { users: ['bob'] });
  assert.equal(await join(bob, invite, two), '0 7', 'no way back in by the old request');
  await link(ada, chat, INVITE_MODE.open);
  assert.equal(await join(bob, invite, two), '0 7', 'nor by the dead link');
  assert.equal(await join(bob, invite), 'bad_invite');
  const stolen = await ask(wes, (r) => ({ type: T.JOIN, r, id: two, invite }));
  assert.equal(stolen.type === T.ERROR && stolen.code, 'bad_id');
});
