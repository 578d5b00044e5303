// Owns the end-to-end test of profiles and of the privacy setting: who reads what, who hears of a change, and how often.
// Invariant: real sockets, a real store.
// Must not: rely on time for what must not come: a later change that does come shows that it did not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { type ClientFrame, OP, type Plain, T } from '../../transport/frames.js';
import { ask, newId, RawClient, refusal, testNode, utf8 } from './harness.js';

type Description = Omit<Extract<ClientFrame, { type: 23 }>, 'type' | 'r'>;

const ADA: Description = {
  name: 'Ada L.',
  avatar: 'https://x/ada',
  about: 'counts\nand weaves',
  fields: [
    ['born', '1815'],
    ['mail', ''],
  ],
};

async function describe(client: RawClient, profile: Description): Promise<number> {
  const [version] = await ask(client, { type: T.DESCRIBE, r: client.request(), ...profile });
  return version as number;
}

function profile(client: RawClient, user: string, version = 0): Promise<readonly Plain[]> {
  return ask(client, { type: T.PROFILE, r: client.request(), user, version });
}

async function send(client: RawClient, chat: Uint8Array): Promise<void> {
  client.send({ type: T.SEND, chat, id: newId(), body: utf8('x') });
  await client.next(T.SENT);
}

async function group(client: RawClient, users: string[]): Promise<Uint8Array> {
  const [chat] = await ask(client, { type: T.CREATE, r: client.request(), id: newId(), title: 'g', users });
  return chat as Uint8Array;
}

/** Users as PROFILED named them, by alias or not, with the version. */
async function profiled(client: RawClient): Promise<string> {
  const { user, version } = await client.next(T.PROFILED);
  const named = client.frames.find((frame) => frame.type === T.USER && frame.alias === user);
  return `${named?.type === T.USER ? named.user : user} ${version}`;
}

const WHOLE = [ADA.name, ADA.avatar, ADA.about, ADA.fields];

test('a profile is read by who shares a chat, with the version that one has only when it changed; over a restart', async (t) => {
  const at = await testNode(t);
  const ada = await RawClient.join(at.url, 'ada', 'phone');
  const bob = await RawClient.join(at.url, 'bob', 'phone');
  const eve = await RawClient.join(at.url, 'eve', 'phone');
  assert.deepEqual(await profile(ada, 'ada'), [0]);
  assert.equal(await describe(ada, ADA), 1);
  assert.equal(await describe(ada, ADA), 1, 'the same is no change');
  assert.deepEqual(await profile(ada, 'ada'), [1, ...WHOLE]);
  assert.deepEqual(await profile(bob, 'ada'), [0], 'they share nothing');
  await send(ada, await ada.direct('bob'));
  assert.deepEqual(await profile(bob, 'ada'), [1, ...WHOLE]);
  assert.deepEqual(await profile(bob, 'ada', 1), [1]);
  assert.deepEqual(await profile(bob, 'nobody', 7), [0, '', '', '', []], 'one who has none, or is none');
  const shared = await group(ada, ['eve']);
  assert.deepEqual(await profile(eve, 'ada'), [1, ...WHOLE]);
  const removal = {
    type: T.CHANGE,
    r: ada.request(),
    chat: shared,
    id: newId(),
    op: OP.removed,
    users: ['eve'],
    args: [],
  };
  await ask(ada, removal);
  assert.deepEqual(await profile(eve, 'ada', 1), [0, '', '', '', []], 'no longer');
  await ask(bob, { type: T.BLOCK, r: bob.request(), user: 'ada', on: true });
  assert.deepEqual(await profile(bob, 'ada'), [0]);
  assert.deepEqual(await profile(ada, 'bob'), [0]);
  await ask(bob, { type: T.BLOCK, r: bob.request(), user: 'ada', on: false });
  assert.equal(await describe(ada, { ...ADA, fields: [] }), 2);
  await at.stop();
  const next = await testNode(t, { folder: at.folder });
  const back = await RawClient.join(next.url, 'bob', 'phone');
  assert.deepEqual(await profile(back, 'ada', 1), [2, ...WHOLE.slice(0, 3), []]);
});

test('what is wrong with a DESCRIBE or PROFILE is told, and changes nothing', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const field = (name: string, value: string): Description => ({ ...ADA, fields: [[name, value]] });
  const many = Array.from({ length: LIMITS.profileFields + 1 }, (_, i) => [`f${i}`, ''] as const);
  for (const bad of [
    { ...ADA, name: 'x'.repeat(LIMITS.profileName + 1) },
    { ...ADA, name: 'a\nb' },
    { ...ADA, avatar: 'x'.repeat(LIMITS.avatar + 1) },
    { ...ADA, about: 'ö'.repeat(LIMITS.about / 2 + 1) },
    { ...ADA, fields: many },
    { ...ADA, fields: [...ADA.fields, ...ADA.fields] },
    field('', 'x'),
    field('x'.repeat(LIMITS.profileFieldName + 1), 'x'),
    field('x', 'x'.repeat(LIMITS.profileFieldValue + 1)),
  ]) {
    assert.equal(await refusal(ada, { type: T.DESCRIBE, r: ada.request(), ...bad }), 'bad_request');
  }
  assert.equal(await refusal(ada, { type: T.PROFILE, r: ada.request(), user: '', version: 0 }), 'unknown_user');
  assert.deepEqual(await profile(ada, 'ada'), [0]);
  // As large as it may be.
  const most = Array.from({ length: LIMITS.profileFields }, (_, i) => {
    return [`${i}`.padEnd(LIMITS.profileFieldName, 'x'), 'ö'.repeat(LIMITS.profileFieldValue / 2)] as const;
  });
  const largest = {
    name: 'n'.repeat(LIMITS.profileName),
    avatar: 'a'.repeat(LIMITS.avatar),
    about: 'b'.repeat(LIMITS.about),
  };
  assert.equal(await describe(ada, { ...largest, fields: most }), 1);
  assert.deepEqual((await profile(ada, 'ada'))[4], most);
});

test('a change reaches direct partners and members of groups who are online, once a connection, and nobody else', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const laptop = await RawClient.join(url, 'ada', 'laptop');
  const names = ['bob', 'eve', 'joe', 'kim', 'mia', 'zoe'] as const;
  const clients = new Map<string, RawClient>();
  for (const name of names) clients.set(name, await RawClient.join(url, name, 'phone'));
  const second = await RawClient.join(url, 'bob', 'laptop');
  // bob by a chat and two groups, eve by a chat, joe by a group, kim blocks, mia has left, zoe shares nothing.
  for (const name of ['bob', 'eve', 'kim']) await send(ada, await ada.direct(name));
  await group(ada, ['bob', 'joe', 'offline']);
  const left = await group(ada, ['bob', 'mia', 'kim']);
  const removal = {
    type: T.CHANGE,
    r: ada.request(),
    chat: left,
    id: newId(),
    op: OP.removed,
    users: ['mia'],
    args: [],
  };
  await ask(ada, removal);
  await ask(clients.get('kim')!, { type: T.BLOCK, r: 1_000, user: 'ada', on: true });
  await describe(ada, ADA);
  for (const client of [laptop, second, clients.get('bob')!, clients.get('eve')!, clients.get('joe')!]) {
    assert.equal(await profiled(client), 'ada 1');
  }
  // A second change: when that has come to everybody, the first one has come as often as it will.
  await ask(clients.get('kim')!, { type: T.BLOCK, r: 1_001, user: 'ada', on: false });
  await describe(ada, { ...ADA, name: 'Ada' });
  for (const client of [laptop, second, ...['bob', 'eve', 'joe', 'kim'].map((name) => clients.get(name)!)]) {
    assert.equal(await profiled(client), 'ada 2');
  }
  await send(ada, left);
  for (const client of [ada, laptop, second, ...clients.values()]) {
    assert.equal(client.frames.filter(({ type }) => type === T.PROFILED).length, 0);
  }
});

test('a member of many groups: every member hears of it, at a pace; changes meanwhile are told by their newest version', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const others: RawClient[] = [];
  const count = 3 * LIMITS.errandChats;
  for (let i = 0; i < count; i += 1) await group(ada, [`u${i}`]);
  for (const i of [0, LIMITS.errandChats, count - 1]) others.push(await RawClient.join(url, `u${i}`, 'phone'));
  await describe(ada, ADA);
  await describe(ada, { ...ADA, name: 'A' });
  assert.equal(await describe(ada, { ...ADA, name: 'B' }), 3);
  for (const client of others) {
    let told = '';
    while (told !== 'ada 3') told = await profiled(client);
  }
});

test('a profile that changes too often: refused, with when it may', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  for (let i = 0; i < LIMITS.describeBurst; i += 1) await describe(ada, { ...ADA, name: `${i}` });
  const r = ada.request();
  ada.send({ type: T.DESCRIBE, r, ...ADA });
  const { code, after, retry } = await ada.next(T.ERROR, (frame) => frame.r === r);
  assert.deepEqual([code, retry], ['rate_limited', true]);
  assert.ok(after > 0 && after <= LIMITS.describeMs);
  // Neither another device nor the user's actor made anew changes that; the same as it stands is no change.
  const laptop = await RawClient.join(url, 'ada', 'laptop');
  assert.equal(await refusal(laptop, { type: T.DESCRIBE, r: laptop.request(), ...ADA }), 'rate_limited');
  assert.equal(await describe(laptop, { ...ADA, name: `${LIMITS.describeBurst - 1}` }), LIMITS.describeBurst);
});

test('the privacy setting: asked, set, wrong, and as it was after a restart', async (t) => {
  const at = await testNode(t);
  const ada = await RawClient.join(at.url, 'ada', 'phone');
  const privacy = (client: RawClient, audience: number | null): Promise<readonly Plain[]> =>
    ask(client, { type: T.PRIVACY, r: client.request(), audience });
  assert.deepEqual(await privacy(ada, null), [0]);
  assert.deepEqual(await privacy(ada, 2), [2]);
  assert.equal(await refusal(ada, { type: T.PRIVACY, r: ada.request(), audience: 3 }), 'bad_request');
  await at.stop();
  const next = await testNode(t, { folder: at.folder });
  assert.deepEqual(await privacy(await RawClient.join(next.url, 'ada', 'phone'), null), [2]);
});
