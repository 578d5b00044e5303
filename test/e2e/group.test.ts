// Owns the end-to-end test of groups: creation, membership as events, visibility, rights, races.
// Invariant: real sockets, a real store.
// Must not: look inside the node.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OP, ROLE, T } from '../../transport/frames.js';
import { newId, RawClient, testNode, text, utf8 } from './harness.js';

/** Makes a group and answers its id. */
async function create(client: RawClient, users: string[], id = newId()): Promise<Uint8Array> {
  const r = client.request();
  client.send({ type: T.CREATE, r, id, title: 'crew', users });
  const ok = await client.next(T.OK, (frame) => frame.r === r);
  assert.equal(ok.results[1], 1);
  return ok.results[0] as Uint8Array;
}

/** The number of the change's event, or the code of its refusal. */
async function change(
  client: RawClient,
  chat: Uint8Array,
  op: number,
  users: string[],
  id = newId(),
): Promise<number | string> {
  const r = client.request();
  client.send({ type: T.CHANGE, r, chat, id, op, users, args: [] });
  const at = (): boolean => client.frames.some((frame) => 'r' in frame && frame.r === r);
  while (!at()) await new Promise((resolve) => setTimeout(resolve, 2));
  const answer = client.frames.splice(
    client.frames.findIndex((frame) => 'r' in frame && frame.r === r),
    1,
  )[0]!;
  if (answer.type === T.ERROR) return answer.code;
  assert.equal(answer.type, T.OK);
  return answer.type === T.OK ? (answer.results[0] as number) : -1;
}

async function members(client: RawClient, chat: Uint8Array): Promise<Map<string, number>> {
  const r = client.request();
  client.send({ type: T.INFO, r, chat });
  const ok = await client.next(T.OK, (frame) => frame.r === r);
  return new Map((ok.results[3] as [string, number][]).map(([user, role]) => [user, role]));
}

async function say(client: RawClient, chat: Uint8Array, words: string): Promise<number> {
  client.send({ type: T.SEND, chat, id: newId(), body: utf8(words) });
  return (await client.next(T.SENT)).seq;
}

test('creation and changes are events in the sequence, and everyone sees their part of it', async (t) => {
  const { url } = await testNode(t);
  const [ada, bob, eve] = await Promise.all([
    RawClient.join(url, 'ada', '1'),
    RawClient.join(url, 'bob', '1'),
    RawClient.join(url, 'eve', '1'),
  ]);
  const chat = await create(ada, ['bob']);
  const created = await bob.next(T.EVENT);
  assert.deepEqual([created.seq, created.op, created.args], [1, OP.created, ['crew', ['ada', 'bob']]]);
  assert.equal(await say(ada, chat, 'before eve'), 2);
  assert.equal(await change(ada, chat, OP.added, ['eve']), 3);
  const cert = await eve.next(T.CERT, (frame) => frame.entries.some((entry) => entry.start === 3));
  assert.equal(cert.entries[0]!.name, 'crew');
  assert.equal((await eve.next(T.EVENT)).seq, 3);
  assert.equal(await say(bob, chat, 'hello eve'), 4);
  assert.equal(text((await eve.next(T.MESSAGE)).body), 'hello eve');
  assert.equal(await change(ada, chat, OP.removed, ['eve']), 5);
  assert.equal((await eve.next(T.EVENT)).op, OP.removed);
  assert.equal(await say(bob, chat, 'eve is gone'), 6);
  eve.send({ type: T.SEND, chat, id: newId(), body: utf8('still here?') });
  assert.equal((await eve.next(T.FAILED)).code, 'not_member');
  assert.equal(await change(ada, chat, OP.added, ['eve']), 7);
  assert.equal((await eve.next(T.EVENT, (frame) => frame.seq === 7)).op, OP.added);
  const r = eve.request();
  eve.send({ type: T.HISTORY, r, chat, before: 0, limit: 100 });
  const page = await eve.next(T.PAGE);
  assert.deepEqual(
    page.rows.map((row) => row.seq),
    [3, 4, 5, 7],
  );
  assert.equal(page.more, false);
  const fresh = await RawClient.join(url, 'eve', '2');
  const first = await fresh.next(T.CERT);
  assert.deepEqual([first.entries[0]!.head, first.entries[0]!.start], [7, 3]);
  await fresh.next(T.CERT, (frame) => frame.entries[0]!.start === 7);
  const seen: number[] = [];
  for (const frame of [...fresh.frames]) if (frame.type === T.MESSAGE || frame.type === T.EVENT) seen.push(frame.seq);
  while (seen[seen.length - 1] !== 7) seen.push((await fresh.next(T.EVENT, (frame) => frame.seq === 7)).seq);
  assert.deepEqual(seen, [3, 4, 5, 7]);
});

test('a retried creation or change answers the first number', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const id = newId();
  const chat = await create(ada, ['bob'], id);
  assert.deepEqual(Buffer.from(await create(ada, ['bob'], id)), Buffer.from(chat));
  const add = newId();
  assert.equal(await change(ada, chat, OP.added, ['eve'], add), 2);
  assert.equal(await say(ada, chat, 'x'), 3);
  assert.equal(await change(ada, chat, OP.added, ['eve'], add), 2);
});

test('rights: members add nobody, admins and owners are not removed by members, two removals do not cross', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const bob = await RawClient.join(url, 'bob', '1');
  const chat = await create(ada, ['bob', 'eve']);
  assert.equal(await change(bob, chat, OP.added, ['zoe']), 'not_allowed');
  assert.equal(await change(bob, chat, OP.removed, ['ada']), 'not_allowed');
  assert.equal(await change(ada, chat, OP.removed, ['zoe']), 'bad_request');
  assert.equal(await change(ada, chat, 99, []), 'bad_request');
  const direct = await ada.direct('bob');
  assert.equal(await change(ada, direct, OP.left, []), 'bad_request');
  // Sent together: the removal is decided first, so the send that follows it is refused, whatever is being written.
  ada.send({ type: T.SEND, chat, id: newId(), body: utf8('busy') });
  ada.send({ type: T.CHANGE, r: 900, chat, id: newId(), op: OP.removed, users: ['eve'], args: [] });
  ada.send({ type: T.CHANGE, r: 901, chat, id: newId(), op: OP.removed, users: ['eve'], args: [] });
  assert.equal((await ada.next(T.OK, (frame) => frame.r === 900)).results[0], 3);
  assert.equal((await ada.next(T.ERROR, (frame) => frame.r === 901)).code, 'bad_request');
});

test('an owner who leaves passes the group on, in one step', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const bob = await RawClient.join(url, 'bob', '1');
  const chat = await create(ada, ['bob', 'eve']);
  assert.equal(await change(ada, chat, OP.left, []), 3);
  assert.equal((await bob.next(T.EVENT, (frame) => frame.seq === 2)).op, OP.owner);
  assert.equal((await bob.next(T.EVENT, (frame) => frame.seq === 3)).op, OP.left);
  assert.deepEqual(
    [...(await members(bob, chat))],
    [
      ['bob', ROLE.owner],
      ['eve', ROLE.member],
    ],
  );
  assert.equal(await change(ada, chat, OP.added, ['zoe']), 'unknown_chat');
});

test('above the threshold members read the log: same messages, same order, no inbox rows', async (t) => {
  const { url } = await testNode(t, { settings: { fanOutThreshold: 3, passivateMs: 60_000 } });
  const ada = await RawClient.join(url, 'ada', '1');
  const users = ['bob', 'eve', 'zoe', 'max'];
  const chat = await create(ada, users);
  for (let i = 0; i < 20; i += 1) await say(ada, chat, `m${i}`);
  const bob = await RawClient.join(url, 'bob', '1');
  assert.equal((await bob.next(T.CERT)).entries[0]!.head, 21);
  for (let i = 0; i < 20; i += 1) assert.equal((await bob.next(T.MESSAGE)).seq, i + 2);
  await say(ada, chat, 'live');
  assert.equal((await bob.next(T.MESSAGE)).seq, 22);
  const r = bob.request();
  bob.send({ type: T.LIST, r, after: null, limit: 10 });
  const list = await bob.next(T.OK, (frame) => frame.r === r);
  assert.equal((list.results[0] as unknown[][])[0]![3], 22);
});
