// Owns the end-to-end test of what happens to a group at the same moment: many rounds, each with one outcome that the log,
// the answers and the members agree on.
// Invariant: real sockets, a real store; frames of a race leave in one turn, from several connections.
// Must not: expect one of the outcomes where several are right.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { INVITE_MODE, OP, ROLE } from '../../transport/frames.js';
import { alter, info, join, link, log, pipe } from './group-acts.js';
import { newId, RawClient, testNode } from './harness.js';
import { create, say } from './talk.js';

const ROUNDS = 25;

/** Runs them at the same moment: the order in which they leave changes from round to round. */
async function race<T>(round: number, acts: readonly (() => Promise<T>)[]): Promise<T[]> {
  const started: Promise<T>[] = [];
  for (let at = 0; at < acts.length; at += 1) {
    const next = (at + round) % acts.length;
    started[next] = acts[next]!();
  }
  return Promise.all(started);
}

const ids = (count: number): Uint8Array[] => Array.from({ length: count }, newId);

function clients(url: string, names: readonly string[]): Promise<RawClient[]> {
  return Promise.all(names.map((name) => RawClient.join(url, name, '1', [], 65_535)));
}

async function owned(ada: RawClient, admins: string[], members: string[] = []): Promise<Uint8Array> {
  const chat = await create(ada, [...admins, ...members]);
  assert.equal(await alter(ada, chat, OP.role, { users: admins, args: [ROLE.admin] }), 2);
  return chat;
}

test('two admins remove each other: exactly one wins, and the other is gone', async (t) => {
  const { url } = await testNode(t);
  const [ada, bob, cat] = (await clients(url, ['ada', 'bob', 'cat'])) as [RawClient, RawClient, RawClient];
  const winners = new Set<string>();
  for (let round = 0; round < 2 * ROUNDS; round += 1) {
    const chat = await owned(ada, ['bob', 'cat']);
    const answers = await race(round, [
      () => alter(bob, chat, OP.removed, { users: ['cat'] }),
      () => alter(cat, chat, OP.removed, { users: ['bob'] }),
    ]);
    const [winner, loser] = answers[0] === 3 ? ['bob', 'cat'] : ['cat', 'bob'];
    assert.deepEqual(answers.sort(), [3, 'unknown_chat']);
    assert.deepEqual((await info(ada, chat)).roles, { ada: ROLE.owner, [winner]: ROLE.admin });
    assert.deepEqual((await log(ada, chat)).slice(2), [`3 ${winner} removed ${loser}`]);
    winners.add(winner);
  }
  assert.equal(winners.size, 2, 'either one wins at times');
});

test('a promotion and a removal of one member: never a role without membership', async (t) => {
  const { url } = await testNode(t);
  const [ada, bob] = (await clients(url, ['ada', 'bob'])) as [RawClient, RawClient];
  for (let round = 0; round < ROUNDS; round += 1) {
    const chat = await owned(ada, ['bob'], ['cat']);
    const [role, removed] = await race(round, [
      () => alter(ada, chat, OP.role, { users: ['cat'], args: [ROLE.admin] }),
      () => alter(bob, chat, OP.removed, { users: ['cat'] }),
    ]);
    assert.ok((role === 3 && removed === 4) || (role === 'bad_request' && removed === 3), `${role} ${removed}`);
    assert.deepEqual((await info(ada, chat)).roles, { ada: ROLE.owner, bob: ROLE.admin });
  }
});

test('leaving while sending from another device: what has a number came before, the rest is refused', async (t) => {
  const { url } = await testNode(t);
  const [ada, bob] = (await clients(url, ['ada', 'bob'])) as [RawClient, RawClient];
  const phone = await RawClient.join(url, 'bob', '2');
  let refused = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const chat = await create(ada, ['bob']);
    const [answers, left] = (await race<unknown>(round, [
      () => pipe(bob, chat, ids(40)),
      () => alter(phone, chat, OP.left),
    ])) as [(number | string)[], number];
    const stored = answers.filter((answer): answer is number => typeof answer === 'number');
    assert.deepEqual(
      stored,
      stored.map((_, at) => at + 2),
    );
    assert.equal(left, stored.length + 2, 'to leave comes after all that was stored');
    for (const answer of answers) assert.ok(typeof answer === 'number' || /^(not_member|busy)$/.test(answer));
    assert.equal((await info(ada, chat)).head, left);
    refused += answers.length - stored.length;
  }
  assert.ok(refused > 0, 'some came too late');
});

test('announcements only while members send: nothing of theirs behind that event', async (t) => {
  const { url } = await testNode(t);
  const [ada, bob, cat] = (await clients(url, ['ada', 'bob', 'cat'])) as [RawClient, RawClient, RawClient];
  let refused = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const chat = await create(ada, ['bob', 'cat']);
    const [bobs, cats, on] = (await race<unknown>(round, [
      () => pipe(bob, chat, ids(30)),
      () => pipe(cat, chat, ids(30)),
      () => alter(ada, chat, OP.announce, { args: [1] }),
    ])) as [(number | string)[], (number | string)[], number];
    for (const answer of [...bobs, ...cats]) {
      if (typeof answer === 'number') assert.ok(answer < on);
      else assert.match(answer, /^(not_allowed|busy)$/);
    }
    const stored = [...bobs, ...cats].filter((answer) => typeof answer === 'number').length;
    assert.equal(on, stored + 2);
    refused += 60 - stored;
    assert.equal(await say(ada, chat), on + 1);
  }
  assert.ok(refused > 0, 'some came too late');
});

test('joining by a link that is being revoked: in before it, or not at all', async (t) => {
  const { url } = await testNode(t);
  const names = Array.from({ length: 12 }, (_, at) => `u${at}`);
  const [ada, ...guests] = (await clients(url, ['ada', ...names])) as [RawClient, ...RawClient[]];
  const outcomes = new Set<boolean>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const chat = await create(ada, []);
    const invite = await link(ada, chat, INVITE_MODE.open);
    const [revoked, ...joins] = (await race<number | string>(round, [
      () => alter(ada, chat, OP.invite, { args: [INVITE_MODE.none] }),
      ...guests.map((guest) => () => join(guest, invite)),
    ])) as [number, ...string[]];
    const { roles } = await info(ada, chat);
    for (const [at, answer] of joins.entries()) {
      const isIn = answer !== 'bad_invite';
      if (isIn) assert.ok(Number(answer.replace(/^1 /, '')) < revoked, answer);
      assert.equal(roles[names[at]!], isIn ? ROLE.member : undefined);
      outcomes.add(isIn);
    }
  }
  assert.equal(outcomes.size, 2, 'some were in time, some were not');
});

test('two approve the same one, or one approves and one declines: one of them', async (t) => {
  const { url } = await testNode(t);
  const [ada, bob, eve] = (await clients(url, ['ada', 'bob', 'eve'])) as [RawClient, RawClient, RawClient];
  for (let round = 0; round < ROUNDS; round += 1) {
    const chat = await owned(ada, ['bob']);
    const invite = await link(ada, chat, INVITE_MODE.approval);
    assert.equal(await join(eve, invite), '2 4');
    const second = round % 2 === 0 ? OP.added : OP.declined;
    const answers = await race(round >> 1, [
      () => alter(ada, chat, OP.added, { users: ['eve'] }),
      () => alter(bob, chat, second, { users: ['eve'] }),
    ]);
    const { roles, waiting } = await info(ada, chat);
    assert.deepEqual(waiting, []);
    if (answers[0] === 'bad_request' || answers[1] === 'bad_request') {
      assert.deepEqual([...answers].sort(), [5, 'bad_request']);
      assert.equal(roles.eve, ROLE.member);
    } else {
      // Declined first, and then added by one who need not have been asked.
      assert.deepEqual([second, ...answers], [OP.declined, 6, 5]);
      assert.equal(roles.eve, ROLE.member);
    }
  }
});

test('a group fills up to its limit, whoever comes at once', async (t) => {
  const { url } = await testNode(t);
  const names = Array.from({ length: 12 }, (_, at) => `u${at}`);
  const [ada, ...guests] = (await clients(url, ['ada', ...names])) as [RawClient, ...RawClient[]];
  const room = 5;
  const crowd = Array.from({ length: LIMITS.members - 1 - room }, (_, at) => `c${at}`);
  const chat = await create(ada, crowd);
  const invite = await link(ada, chat, INVITE_MODE.open);
  const answers = await race(3, [
    ...guests.map((guest) => () => join(guest, invite)),
    async () => `1 ${await alter(ada, chat, OP.added, { users: ['x'] })}`,
  ]);
  assert.equal(answers.filter((answer) => /^1 \d+$/.test(answer)).length, room);
  assert.equal(answers.filter((answer) => answer.endsWith('full')).length, guests.length + 1 - room);
  assert.equal(Object.keys((await info(ada, chat)).roles).length, LIMITS.members);
  assert.equal(await alter(ada, chat, OP.removed, { users: ['c0', 'c1'] }), room + 3);
  assert.equal(await alter(ada, chat, OP.added, { users: ['y1', 'y2', 'y3'] }), 'full', 'all of them or none');
  assert.equal(await alter(ada, chat, OP.added, { users: ['y1', 'y2'] }), room + 4);
});

test('the owner leaves while the group is passed on, and the heir leaves too: one owner, always', async (t) => {
  const { url } = await testNode(t);
  const [ada, bob, cat] = (await clients(url, ['ada', 'bob', 'cat'])) as [RawClient, RawClient, RawClient];
  const phone = await RawClient.join(url, 'ada', '2');
  for (let round = 0; round < ROUNDS; round += 1) {
    const chat = await owned(ada, ['bob'], ['cat', 'dan']);
    const [passed, left, heir] = await race(round, [
      () => alter(ada, chat, OP.owner, { users: ['bob'] }),
      () => alter(phone, chat, OP.left),
      () => alter(bob, chat, OP.left),
    ]);
    assert.ok(typeof passed === 'number' || passed === 'unknown_chat' || passed === 'bad_request', `${passed}`);
    assert.deepEqual([typeof left, typeof heir], ['number', 'number']);
    const { roles } = await info(cat, chat);
    assert.deepEqual(roles, { cat: ROLE.owner, dan: ROLE.member });
    const owners = (await log(cat, chat)).flatMap((line) => / owner (\w+)$/.exec(line)?.[1] ?? []);
    assert.equal(owners.at(-1), 'cat');
  }
});
