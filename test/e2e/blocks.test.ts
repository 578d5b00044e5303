// Owns the end-to-end test of the block list: what it holds, and what it keeps out of direct chats, of groups and of typing.
// Invariant: real sockets, a real store.
// Must not: rely on time for what must not come: a later message that does come shows that it did not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { decodeAccount, encodeAccount } from '../../storage/account-rows.js';
import { accountKey, blockKey } from '../../storage/keys.js';
import type { Write } from '../../storage/store.js';
import { OP, T } from '../../transport/frames.js';
import { ask, newId, RawClient, refusal, testNode, text, utf8 } from './harness.js';

async function block(client: RawClient, user: string, on = true): Promise<void> {
  assert.deepEqual(await ask(client, { type: T.BLOCK, r: client.request(), user, on }), []);
}

async function blocks(client: RawClient): Promise<string[]> {
  const [users] = await ask(client, { type: T.BLOCKS, r: client.request() });
  return users as string[];
}

/** Sends and answers the number it got, or the code. */
async function send(client: RawClient, chat: Uint8Array, body: string, id = newId()): Promise<number | string> {
  client.send({ type: T.SEND, chat, id, body: utf8(body) });
  const answer = await client.next([T.SENT, T.FAILED]);
  return answer.type === T.SENT ? answer.seq : answer.code;
}

test('the list: set, unset, both again, in order, on all devices, across a restart', async (t) => {
  const at = await testNode(t);
  const ada = await RawClient.join(at.url, 'ada', 'phone');
  const laptop = await RawClient.join(at.url, 'ada', 'laptop');
  for (const user of ['mallory', 'eve', 'eve', 'bob']) await block(ada, user);
  await block(ada, 'bob', false);
  await block(ada, 'nobody', false);
  assert.deepEqual(await blocks(ada), ['eve', 'mallory']);
  const told = [];
  for (let i = 0; i < 4; i += 1) told.push(await laptop.next(T.BLOCKED));
  assert.deepEqual(
    told.map(({ user, on }) => `${user} ${on}`),
    ['mallory true', 'eve true', 'bob true', 'bob false'],
  );
  assert.equal(ada.frames.filter(({ type }) => type === T.BLOCKED).length, 0, 'who asked has its OK');
  assert.equal(await refusal(ada, { type: T.BLOCK, r: ada.request(), user: 'ada', on: true }), 'bad_request');
  assert.equal(await refusal(ada, { type: T.BLOCK, r: ada.request(), user: '', on: true }), 'unknown_user');
  await at.stop();
  const next = await testNode(t, { folder: at.folder });
  assert.deepEqual(await blocks(await RawClient.join(next.url, 'ada', 'phone')), ['eve', 'mallory']);
});

test('at most as many as the limit says; one that is lifted makes room', async (t) => {
  const { url, node } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const most = LIMITS.blocks - 4;
  const writes: Write[] = Array.from({ length: most }, (_, i) => ({
    key: blockKey('ada', `u${String(i).padStart(4, '0')}`),
    value: new Uint8Array(6),
  }));
  const account = decodeAccount(await node.store.get(accountKey('ada')));
  writes.push({ key: accountKey('ada'), value: encodeAccount({ ...account, blocks: most }) });
  await node.store.commit({ checks: [], writes });
  // All at once, and more than fit.
  const asked = Array.from({ length: 8 }, (_, i) => ({
    type: T.BLOCK,
    r: ada.request(),
    user: `v${i}`,
    on: true,
  }));
  const answers = await Promise.all(asked.map((frame) => refusal(ada, frame)));
  assert.deepEqual(answers, [...Array(4).fill('granted'), ...Array(4).fill('full')]);
  assert.equal((await blocks(ada)).length, LIMITS.blocks);
  assert.equal(await refusal(ada, { type: T.BLOCK, r: ada.request(), user: 'more', on: true }), 'full');
  await block(ada, 'u0000', false);
  await block(ada, 'more');
  assert.equal((await blocks(ada)).length, LIMITS.blocks);
});

test('a direct chat: nothing passes either way, what was there stays, a retry still gets its number, and lifted it goes on', async (t) => {
  const { url } = await testNode(t, { settings: { passivateMs: 200 } });
  const ada = await RawClient.join(url, 'ada', 'phone');
  const bob = await RawClient.join(url, 'bob', 'phone');
  const chat = await ada.direct('bob');
  await bob.direct('ada');
  const id = newId();
  assert.equal(await send(bob, chat, 'before', id), 1);
  await block(ada, 'bob');
  assert.equal(await send(bob, chat, 'after'), 'blocked');
  assert.equal(await send(ada, chat, 'after'), 'blocked');
  assert.equal(await send(bob, chat, 'before', id), 1, 'accepted is accepted');
  const expiry = { type: T.CHANGE, r: bob.request(), chat, id: newId(), op: OP.expiry, users: [], args: [60] };
  assert.equal(await refusal(bob, expiry), 'blocked');
  const page = bob.request();
  bob.send({ type: T.HISTORY, r: page, chat, before: 0, limit: 10 });
  assert.equal((await bob.next(T.PAGE)).rows.length, 1);
  // Also when the chat wakes again.
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.equal(await send(bob, chat, 'later'), 'blocked');
  // Both ways: lifting one's own does not lift the other's.
  await block(bob, 'ada');
  await block(ada, 'bob', false);
  assert.equal(await send(ada, chat, 'still'), 'blocked');
  await block(bob, 'ada', false);
  assert.equal(await send(ada, chat, 'again'), 2);
  assert.equal(text((await bob.next(T.MESSAGE)).body), 'again');
});

test('nobody begins a direct chat with one who blocks him, nor the other way round', async (t) => {
  const { url, node } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const bob = await RawClient.join(url, 'bob', 'phone');
  await block(ada, 'bob');
  const chat = await bob.direct('ada');
  await ada.direct('bob');
  assert.equal(await send(bob, chat, 'hello'), 'blocked');
  assert.equal(await send(ada, chat, 'hello'), 'blocked');
  const [chats] = await ask(bob, { type: T.LIST, r: bob.request(), after: null, limit: 10 });
  assert.deepEqual(chats, [], 'it was not made');
  assert.equal(node.chats[0]!.size, 0, 'and fills no memory');
  await block(ada, 'bob', false);
  assert.equal(await send(bob, chat, 'hello'), 1);
});

test('a block while messages fly: none that is sent after the OK arrives, none that was accepted is lost', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone', [], 60_000);
  const bob = await RawClient.join(url, 'bob', 'phone');
  const chat = await bob.direct('ada');
  let head = 0;
  for (let round = 0; round < 30; round += 1) {
    for (let i = 0; i < 20; i += 1) bob.send({ type: T.SEND, chat, id: newId(), body: utf8('early') });
    // Some rounds found the chat, some wake it; the block comes early, in the middle or late.
    for (let turns = round % 6; turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
    await block(ada, 'bob');
    for (let i = 0; i < 20; i += 1) bob.send({ type: T.SEND, chat, id: newId(), body: utf8('late') });
    const accepted: number[] = [];
    for (let n = 40 * round + 1; n <= 40 * round + 40; n += 1) {
      const answer = await bob.next([T.SENT, T.FAILED], (frame) => frame.n === n);
      if (answer.type === T.FAILED) continue;
      assert.ok(n <= 40 * round + 20, 'late ones fail');
      accepted.push(answer.seq);
    }
    for (const seq of accepted) {
      head += 1;
      assert.equal(seq, head);
      const got = await ada.next(T.MESSAGE);
      assert.deepEqual([got.seq, text(got.body)], [seq, 'early']);
    }
    await block(ada, 'bob', false);
  }
  assert.ok(head > 0, 'some were accepted');
  assert.equal(ada.frames.filter(({ type }) => type === T.MESSAGE).length, 0);
});

test('typing passes neither in the direct chat nor in a group, on the block of either; and again when it is lifted', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const bob = await RawClient.join(url, 'bob', 'phone');
  const eve = await RawClient.join(url, 'eve', 'phone');
  const id = newId();
  const [group] = await ask(ada, { type: T.CREATE, r: ada.request(), id, title: 'crew', users: ['bob', 'eve'] });
  const chat = await ada.direct('bob');
  await bob.direct('ada');
  assert.equal(await send(ada, chat, 'x'), 1);
  const all = { ada, bob, eve };
  /** Types in both chats: those named see it as often as said, the others not at all. */
  const type = async (name: keyof typeof all, expected: Partial<Record<keyof typeof all, number>>): Promise<void> => {
    for (const where of [group as Uint8Array, chat]) all[name].send({ type: T.TYPING, chat: where, on: true });
    for (const [who, times] of Object.entries(expected)) {
      for (let i = 0; i < times; i += 1) await all[who as keyof typeof all].next(T.TYPING_OF, ({ on }) => on);
    }
    // A message of the group's follows it on every connection.
    await send(all[name], group as Uint8Array, name);
    for (const [who, client] of Object.entries(all)) {
      if (who === name) continue;
      await client.next(T.MESSAGE, (frame) => text(frame.body) === name);
      assert.equal(client.frames.filter((frame) => frame.type === T.TYPING_OF && frame.on).length, 0, who);
    }
  };
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2 * LIMITS.typingPaceMs + 50));
  await type('bob', { ada: 2, eve: 1 });
  await type('ada', { bob: 2, eve: 1 });
  await pause();
  await block(ada, 'bob');
  await type('bob', { eve: 1 });
  await type('ada', { eve: 1 });
  await pause();
  await block(ada, 'bob', false);
  await type('bob', { ada: 2, eve: 1 });
  await type('ada', { bob: 2, eve: 1 });
});

test('what blocks, and when, is on record before the answer; the actor broken off in between changes nothing of it', async (t) => {
  const { url, node } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  for (let round = 0; round < 20; round += 1) {
    const user = `u${round}`;
    const r = ada.request();
    ada.send({ type: T.BLOCK, r, user, on: true });
    for (let turns = round % 7; turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
    const ref = node.users.lookup('ada');
    if (ref !== undefined) node.runtime.exit(ref, { type: 'shutdown' });
    const answer = await ada.next([T.OK, T.ERROR], (frame) => frame.r === r);
    if (answer.type === T.OK) assert.notEqual(await node.store.get(blockKey('ada', user)), undefined);
  }
  for (let round = 0; round < 20; round += 1) {
    while ((await refusal(ada, { type: T.BLOCK, r: ada.request(), user: `u${round}`, on: true })) !== 'granted');
  }
  assert.equal((await blocks(ada)).length, 20);
});
