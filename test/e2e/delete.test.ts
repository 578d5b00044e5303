// Owns the end-to-end test of deletion for everyone: who may, what is left, for whom.
// Invariant: real sockets, a real store; that a body is gone is checked in the store itself.
// Must not: repeat what the chat's own tests show.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageKey } from '../../storage/keys.js';
import { OP, T } from '../../transport/frames.js';
import { decodeRow } from '../../transport/row.js';
import { newId, RawClient, type TestNode, testNode, text, utf8 } from './harness.js';

interface Answer {
  readonly seq: number;
  readonly code: string;
}

async function answer(client: RawClient, r: number): Promise<Answer> {
  for (;;) {
    const at = client.frames.findIndex((frame) => 'r' in frame && frame.r === r);
    const [frame] = at < 0 ? [] : client.frames.splice(at, 1);
    if (frame?.type === T.OK) return { seq: frame.results.at(-1) as number, code: 'ok' };
    if (frame?.type === T.ERROR) return { seq: 0, code: frame.code };
    await client.changed();
  }
}

function erase(client: RawClient, chat: Uint8Array, seq: number, id = newId()): Promise<Answer> {
  const r = client.request();
  client.send({ type: T.CHANGE, r, chat, id, op: OP.deleted, users: [], args: [seq] });
  return answer(client, r);
}

async function group(client: RawClient, users: string[]): Promise<Uint8Array> {
  const r = client.request();
  client.send({ type: T.CREATE, r, id: newId(), title: 'crew', users });
  return (await client.next(T.OK, (frame) => frame.r === r)).results[0] as Uint8Array;
}

async function say(client: RawClient, chat: Uint8Array, words: string, id = newId()): Promise<number> {
  client.send({ type: T.SEND, chat, id, body: utf8(words) });
  return (await client.next(T.SENT)).seq;
}

/** What the log shows to a device that has nothing yet. */
async function log(url: string, user: string, chat: Uint8Array): Promise<string[]> {
  const client = await RawClient.join(url, user, 'fresh', [], 1_000);
  const r = client.request();
  client.send({ type: T.HISTORY, r, chat, before: 0, limit: 100 });
  const page = await client.next(T.PAGE, (frame) => frame.r === r);
  const last = page.rows.at(-1)!.seq;
  const streamed: string[] = [];
  while (streamed.length < page.rows.length) {
    const at = client.frames.findIndex((frame) => frame.type === T.MESSAGE || frame.type === T.EVENT);
    const [frame] = at < 0 ? [] : client.frames.splice(at, 1);
    if (frame === undefined) await client.changed();
    else if (frame.type === T.MESSAGE || frame.type === T.EVENT) streamed.push(line(frame));
  }
  assert.equal(streamed.length, last - page.rows[0]!.seq + 1);
  assert.deepEqual(page.rows.map(line), streamed, 'history and catch-up show the same');
  client.cut();
  return streamed;
}

type Shown =
  | { readonly type: 34; readonly seq: number; readonly body: Uint8Array }
  | { readonly type: 35; readonly seq: number; readonly op: number; readonly args: readonly unknown[] };

function line(row: Shown): string {
  return row.type === T.MESSAGE ? `${row.seq} ${text(row.body)}` : `${row.seq} #${row.op} ${row.args.join()}`;
}

async function stored({ node }: TestNode, chat: Uint8Array, seq: number): Promise<string> {
  const row = decodeRow((await node.store.get(messageKey(chat, seq)))!);
  return row.type === T.MESSAGE ? text(row.body) : `#${row.op}`;
}

test('a deleted message is gone from the store, keeps its number, and everyone is told', async (t) => {
  const here = await testNode(t);
  const { url } = here;
  const [ada, bob] = [await RawClient.join(url, 'ada', '1'), await RawClient.join(url, 'bob', '1')];
  const chat = await ada.direct('bob');
  const id = newId();
  await say(ada, chat, 'one');
  await say(ada, chat, 'secret', id);
  await say(ada, chat, 'three');
  const request = newId();
  assert.deepEqual(await erase(ada, chat, 2, request), { seq: 4, code: 'ok' });
  assert.equal(await stored(here, chat, 2), `#${OP.erased}`, 'gone when it is answered');
  const told = await bob.next(T.EVENT);
  assert.deepEqual([told.seq, told.op, told.args, decodeId(told.id)], [4, OP.deleted, [2], decodeId(request)]);
  assert.deepEqual(await log(url, 'bob', chat), ['1 one', `2 #${OP.erased} `, '3 three', `4 #${OP.deleted} 2`]);
  assert.deepEqual(await erase(ada, chat, 2, request), { seq: 4, code: 'ok' }, 'a retry is answered the same');
  assert.equal((await erase(ada, chat, 2)).code, 'bad_request', 'deleted already');
  assert.equal(await say(ada, chat, 'secret', id), 2, 'its id is still known');
  await here.stop();
  const again = await testNode(t, { folder: here.folder });
  assert.equal(await stored(again, chat, 2), `#${OP.erased}`);
  const later = await RawClient.join(again.url, 'ada', '1', [[chat, 4]]);
  assert.equal(await say(later, chat, 'secret', id), 2);
  assert.equal((await erase(later, chat, 2)).code, 'bad_request');
});

test('its sender may, and owner and admins of a group; nobody else, and nothing but visible messages', async (t) => {
  const here = await testNode(t);
  const { url } = here;
  const [ada, bob, eve] = await Promise.all(['ada', 'bob', 'eve'].map((name) => RawClient.join(url, name, '1')));
  const chat = await group(ada!, ['bob']);
  assert.equal(await say(ada!, chat, 'of ada'), 2);
  assert.equal(await say(bob!, chat, 'of bob'), 3);
  assert.equal(await say(bob!, chat, 'also of bob'), 4);
  const r = ada!.request();
  ada!.send({ type: T.CHANGE, r, chat, id: newId(), op: OP.added, users: ['eve'], args: [] });
  await ada!.next(T.OK, (frame) => frame.r === r);
  assert.equal((await erase(bob!, chat, 2)).code, 'not_allowed');
  assert.equal((await erase(eve!, chat, 3)).code, 'bad_request', 'from before she joined');
  assert.equal((await erase(ada!, chat, 1)).code, 'bad_request', 'an event');
  assert.equal((await erase(ada!, chat, 5)).code, 'bad_request', 'an event');
  assert.equal((await erase(ada!, chat, 0)).code, 'bad_request');
  assert.equal((await erase(ada!, chat, 99)).code, 'bad_request');
  assert.deepEqual(await erase(ada!, chat, 3), { seq: 6, code: 'ok' }, 'the owner');
  assert.deepEqual(await erase(bob!, chat, 4), { seq: 7, code: 'ok' }, 'the sender');
  const out = bob!.request();
  bob!.send({ type: T.CHANGE, r: out, chat, id: newId(), op: OP.left, users: [], args: [] });
  await bob!.next(T.OK, (frame) => frame.r === out);
  assert.equal((await erase(bob!, chat, 3)).code, 'unknown_chat', 'no member any more');
  const notes = await bob!.direct('eve');
  assert.equal((await erase(bob!, notes, 1)).code, 'unknown_chat', 'a chat that does not exist');
  const [mine, other] = [await bob!.direct('ada'), await ada!.direct('bob')];
  await say(bob!, mine, 'to ada');
  assert.equal((await erase(ada!, other, 1)).code, 'not_allowed', 'in a direct chat, the sender alone');
});

test('of two who delete one message at once, one does', async (t) => {
  const here = await testNode(t);
  const [ada, bob] = [await RawClient.join(here.url, 'ada', '1'), await RawClient.join(here.url, 'bob', '1')];
  const chat = await group(ada, ['bob']);
  await bob.next(T.EVENT);
  for (let round = 0; round < 5; round += 1) {
    const seq = await say(bob, chat, 'twice');
    const both = await Promise.all([erase(ada, chat, seq), erase(bob, chat, seq), erase(ada, chat, seq)]);
    assert.deepEqual(both.map(({ code }) => code).sort(), ['bad_request', 'bad_request', 'ok']);
    assert.equal(await stored(here, chat, seq), `#${OP.erased}`);
  }
});

function decodeId(id: Uint8Array): string {
  return Buffer.from(id).toString('hex');
}
