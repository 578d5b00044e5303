// Owns the end-to-end test of resume and catch-up: certificates, RESYNC, credit, slow readers, lost pushes.
// Invariant: whatever is dropped on the way to a device, it ends with everything, once, in order, by itself.
// Must not: look at what the server sends other than through frames; node internals are used to break things only.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { type CertEntry, OP, type ServerFrame, T } from '../../transport/frames.js';
import { oneEntry } from '../actors/delivery.js';
import { newId, RawClient, type TestNode, testNode, text, utf8 } from './harness.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What an application would see: per chat a cursor that only CERT and the next number move. */
class Reader {
  readonly client: RawClient;
  readonly cursors = new Map<string, number>();
  readonly bodies = new Map<string, string[]>();
  readonly #names = new Map<number, string>();
  #at = 0;
  resyncs = 0;
  /** Numbers that came a second time. */
  repeats = 0;

  constructor(client: RawClient) {
    this.client = client;
  }

  /** Takes in what has come since. */
  read(): void {
    for (; this.#at < this.client.frames.length; this.#at += 1) this.#take(this.client.frames[this.#at]!);
  }

  #take(frame: ServerFrame): void {
    if (frame.type === T.CHAT) this.#names.set(frame.alias, hex(frame.chat));
    else if (frame.type === T.RESYNC) {
      this.resyncs += 1;
      this.client.sync([...this.cursors].map(([chat, seq]) => [Buffer.from(chat, 'hex'), seq]));
    } else if (frame.type === T.CERT) {
      for (const { chat, start } of frame.entries) {
        const key = hex(chat);
        if (start - 1 > (this.cursors.get(key) ?? 0)) this.cursors.set(key, start - 1);
      }
    } else if (frame.type === T.MESSAGE || frame.type === T.EVENT) {
      const key = typeof frame.chat === 'number' ? this.#names.get(frame.chat)! : hex(frame.chat);
      const cursor = this.cursors.get(key) ?? 0;
      if (frame.seq <= cursor) {
        this.repeats += 1;
        return;
      }
      assert.equal(frame.seq, cursor + 1, `a gap in ${key}`);
      this.cursors.set(key, frame.seq);
      const bodies = this.bodies.get(key) ?? [];
      this.bodies.set(key, bodies);
      bodies.push(frame.type === T.MESSAGE ? text(frame.body) : `event ${frame.op}`);
    }
  }

  /** Reads until the chat's cursor is at `seq`. */
  async until(chat: Uint8Array, seq: number, ms = 15_000): Promise<void> {
    const deadline = performance.now() + ms;
    for (;;) {
      this.read();
      const cursor = this.cursors.get(hex(chat)) ?? 0;
      if (cursor >= seq) return;
      assert.ok(performance.now() < deadline, `the client stands at ${cursor} of ${seq}`);
      await pause(5);
    }
  }
}

/** Sends `count` messages, a window at a time, and waits for their numbers. */
async function say(client: RawClient, chat: Uint8Array, count: number, body = utf8('x')): Promise<number> {
  let seq = 0;
  for (let sent = 0; sent < count; ) {
    const burst = Math.min(LIMITS.window, count - sent);
    for (let i = 0; i < burst; i += 1) client.send({ type: T.SEND, chat, id: newId(), body });
    for (let i = 0; i < burst; i += 1) seq = (await client.next(T.SENT)).seq;
    sent += burst;
  }
  return seq;
}

async function create(client: RawClient, users: string[], title = 'crew'): Promise<Uint8Array> {
  const r = client.request();
  client.send({ type: T.CREATE, r, id: newId(), title, users });
  return (await client.next(T.OK, (frame) => frame.r === r)).results[0] as Uint8Array;
}

async function change(client: RawClient, chat: Uint8Array, op: number, users: string[]): Promise<number> {
  const r = client.request();
  client.send({ type: T.CHANGE, r, chat, id: newId(), op, users, args: [] });
  return (await client.next(T.OK, (frame) => frame.r === r)).results[0] as number;
}

async function certificates(client: RawClient): Promise<CertEntry[]> {
  await client.next(T.SYNCED);
  const entries: CertEntry[] = [];
  for (const frame of client.frames) if (frame.type === T.CERT) entries.push(...frame.entries);
  return entries;
}

function crashUser({ node }: TestNode, user: string): unknown {
  const ref = node.users.lookup(user);
  assert.ok(ref !== undefined);
  node.runtime.exit(ref, { type: 'crash', error: new Error('broken on purpose') });
  return ref;
}

test('a certificate for every chat: known, new, unknown, left, truncated, joined later, several stays', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const direct = await ada.direct('bob');
  await say(ada, direct, 10);
  const stays = await create(ada, ['bob']);
  await say(ada, stays, 3); // 2-4
  await change(ada, stays, OP.removed, ['bob']); // 5
  await say(ada, stays, 3); // 6-8
  await change(ada, stays, OP.added, ['bob']); // 9
  await say(ada, stays, 2); // 10-11
  const left = await create(ada, ['bob', 'eve']);
  await say(ada, left, 2); // 2-3
  await change(ada, left, OP.removed, ['bob']); // 4
  await say(ada, left, 4); // 5-8
  const later = await create(ada, ['eve']);
  await say(ada, later, 5); // 2-6
  await change(ada, later, OP.added, ['bob']); // 7
  const unknown = Buffer.alloc(16, 9);
  const bob = await RawClient.join(url, 'bob', '1', null, 100);
  bob.sync([
    [direct, 7],
    [unknown, 3],
    [stays, 2],
  ]);
  const found = new Map((await certificates(bob)).map((entry) => [hex(entry.chat), entry]));
  const brief = (chat: Uint8Array): unknown[] => {
    const { head, start, name } = found.get(hex(chat))!;
    return [head, start, name];
  };
  assert.deepEqual(brief(direct), [10, 8, undefined]);
  assert.deepEqual(brief(unknown), [0, 1, undefined]);
  assert.deepEqual(brief(stays), [11, 3, undefined]);
  assert.deepEqual(brief(left), [4, 1, 'crew']);
  assert.deepEqual(brief(later), [7, 7, 'crew']);
  assert.equal(found.size, 5);
  const reader = new Reader(bob);
  reader.cursors.set(hex(direct), 7).set(hex(stays), 2);
  await reader.until(direct, 10);
  await reader.until(stays, 11);
  await reader.until(left, 4);
  await reader.until(later, 7);
  assert.deepEqual(
    [stays, left, later].map((chat) => reader.bodies.get(hex(chat))!.length),
    [2 + 1 + 3, 4, 1],
  );
  assert.equal(reader.repeats, 0);
  const fresh = await RawClient.join(url, 'bob', '2', null, 100);
  fresh.sync([], 2);
  const short = new Map((await certificates(fresh)).map((entry) => [hex(entry.chat), [entry.head, entry.start]]));
  assert.deepEqual(
    [direct, stays, left, later].map((chat) => short.get(hex(chat))),
    [
      [10, 9],
      [11, 10],
      [4, 3],
      [7, 7],
    ],
  );
  // All there is and more: nothing is missing, and a claim beyond the head is cut.
  const ahead = await RawClient.join(url, 'bob', '3', null, 100);
  ahead.sync([direct, stays, left, later].map((chat): [Uint8Array, number] => [chat, 2 ** 50]));
  for (const { head, start } of await certificates(ahead)) assert.equal(start, head + 1);
});

test('a vector in many frames, and vectors that come while one is answered', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const chats: Uint8Array[] = [];
  for (let i = 0; i < 12; i += 1) {
    chats.push(await create(ada, ['bob']));
    await say(ada, chats[i]!, 2);
  }
  const bob = await RawClient.join(url, 'bob', '1', null, 1_000);
  const part = (from: number, to: number, more: boolean): void => {
    const entries = chats.slice(from, to).map((chat) => ({ chat, seq: 3, read: 0, flags: 0 }));
    bob.send({ type: T.SYNC, entries, more, backfill: 0 });
  };
  part(0, 4, true);
  part(4, 8, true);
  part(8, 12, false);
  // The second vector is whole before the first is answered; the third is half there then.
  part(0, 12, false);
  part(0, 6, true);
  await bob.next(T.SYNCED);
  await bob.next(T.SYNCED);
  part(6, 12, false);
  await bob.next(T.SYNCED);
  await say(ada, chats[0]!, 1);
  assert.equal((await bob.next(T.MESSAGE)).seq, 4);
  const certified = bob.frames.flatMap((frame) => (frame.type === T.CERT ? frame.entries : []));
  assert.equal(certified.length, 36);
  for (const { head, start } of certified) assert.deepEqual([head, start], [3, 4]);
});

test('5,000 chats: certified in full, streamed in order, and the node answers others meanwhile', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1', [], 60_000);
  const count = 5_000;
  for (let made = 0; made < count; made += 50) {
    for (let i = 0; i < 50; i += 1) {
      ada.send({ type: T.CREATE, r: made + i + 1, id: newId(), title: `group ${made + i}`, users: ['bob'] });
    }
    for (let i = 0; i < 50; i += 1) await ada.next(T.OK, (frame) => frame.r === made + i + 1);
    ada.frames.length = 0;
  }
  const bob = await RawClient.join(url, 'bob', '1', null, 60_000);
  bob.sync([]);
  const zoe = await RawClient.join(url, 'zoe', '1');
  let worst = 0;
  let synced: number | undefined;
  while (bob.frames.filter((frame) => frame.type === T.EVENT).length < count) {
    const began = performance.now();
    zoe.send({ type: T.PING, n: 1 });
    await zoe.next(T.PONG);
    worst = Math.max(worst, performance.now() - began);
    synced ??= bob.frames.flatMap((frame) => (frame.type === T.SYNCED ? [frame.chats] : []))[0];
    await pause(5);
  }
  assert.equal(synced, count);
  assert.ok(worst < 1_500, `a ping took ${worst} ms`);
  const reader = new Reader(bob);
  reader.read();
  assert.equal(reader.cursors.size, count);
  assert.deepEqual([reader.repeats, reader.resyncs], [0, 0]);
  const vector = [...reader.cursors].map(([chat, seq]): [Uint8Array, number] => [Buffer.from(chat, 'hex'), seq]);
  const again = await RawClient.join(url, 'bob', '2', null, 100);
  const entries = vector.map(([chat, seq]) => ({ chat, seq, read: 0, flags: 0 }));
  while (entries.length > 0) {
    const part = entries.splice(0, LIMITS.syncEntries);
    again.send({ type: T.SYNC, entries: part, more: entries.length > 0, backfill: 0 });
  }
  const certs = await certificates(again);
  assert.equal(certs.length, count);
  assert.ok(certs.every(({ head, start }) => start === head + 1));
});

test('the user actor breaks again and again while messages come: RESYNC, and everything once', async (t) => {
  const server = await testNode(t);
  const ada = await RawClient.join(server.url, 'ada', '1');
  const chat = await ada.direct('bob');
  const bob = new Reader(await RawClient.join(server.url, 'bob', '1', [], 60_000));
  const phone = new Reader(await RawClient.join(server.url, 'bob', '2', [], 60_000));
  const total = 4 * 64 * 8;
  const sending = say(ada, chat, total);
  for (let i = 0; i < 4; i += 1) {
    await pause(20);
    const broken = crashUser(server, 'bob');
    // Until the connections have announced themselves again, deliveries are lost.
    for (const now = server.node.users; now.lookup('bob') === undefined || now.lookup('bob') === broken; ) {
      bob.read();
      phone.read();
      await pause(1);
    }
  }
  await sending;
  await Promise.all([bob.until(chat, total), phone.until(chat, total)]);
  assert.ok(bob.resyncs > 0 && phone.resyncs > 0);
  assert.equal(bob.client.closed, null);
});

test('a message that is lost while a SYNC is being read still comes, without another one after it', async (t) => {
  const server = await testNode(t);
  const ada = await RawClient.join(server.url, 'ada', '1');
  const chat = await ada.direct('bob');
  const bob = new Reader(await RawClient.join(server.url, 'bob', '1', [], 60_000));
  let seq = 0;
  for (let i = 0; i < 25; i += 1) {
    bob.client.sync([[chat, bob.cursors.get(hex(chat)) ?? 0]]);
    if (i % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (i % 5 === 0 && server.node.users.lookup('bob') !== undefined) crashUser(server, 'bob');
    seq = await say(ada, chat, 1);
    await bob.until(chat, seq);
  }
});

test('credit: none at all, then some; catch-up is interleaved between chats; nothing twice', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const one = await ada.direct('bob');
  const two = await create(ada, ['bob']);
  await say(ada, one, 150);
  await say(ada, two, 149);
  const bob = new Reader(await RawClient.join(url, 'bob', '1', [], 0));
  await say(ada, one, 10);
  await pause(100);
  bob.read();
  assert.equal(bob.bodies.size, 0);
  bob.client.send({ type: T.PING, n: 1 });
  await bob.client.next(T.PONG);
  for (let granted = 0; granted < 310; granted += 31) {
    bob.client.send({ type: T.CREDIT, n: 31 });
    const had = (): number => [...bob.bodies.values()].reduce((sum, bodies) => sum + bodies.length, 0);
    while (had() < granted + 31) {
      bob.read();
      await pause(2);
    }
    await pause(5);
    bob.read();
    assert.equal(had(), granted + 31, 'no more than was granted');
    if (granted === 155) assert.equal(bob.bodies.size, 2, 'both chats move');
  }
  assert.deepEqual([bob.cursors.get(hex(one)), bob.cursors.get(hex(two))], [160, 150]);
  assert.equal(bob.repeats, 0);
});

test('a reader that stops reading: the node buffers little, others go on, and it gets everything in order', async (t) => {
  const { url, node } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1');
  const chat = await create(ada, ['bob', 'eve']);
  const slow = new Reader(await RawClient.join(url, 'bob', 'slow', [], 60_000));
  const quick = new Reader(await RawClient.join(url, 'bob', 'quick', [], 60_000));
  const eve = new Reader(await RawClient.join(url, 'eve', '1', [], 60_000));
  slow.client.socket.pause();
  const body = Buffer.alloc(60_000, 'x');
  const before = process.memoryUsage();
  const seq = await say(ada, chat, 640, body);
  await Promise.all([quick.until(chat, seq), eve.until(chat, seq)]);
  const after = process.memoryUsage();
  // 38 MB were not read; quick and eve keep 77 MB in this very process.
  for (const reader of [quick, eve]) assert.equal(reader.bodies.get(hex(chat))!.length, seq);
  assert.ok(node.runtime.stats().queued < 100);
  assert.ok(after.external - before.external < 260e6, `${(after.external - before.external) / 1e6} MB`);
  slow.client.socket.resume();
  await slow.until(chat, seq);
  assert.deepEqual([slow.repeats, slow.client.closed, slow.resyncs], [0, null, 0]);
});

test('bursts beyond the mailboxes of a connection and of a user are caught up from the log', async (t) => {
  const server = await testNode(t);
  const { url, node } = server;
  const ada = await RawClient.join(url, 'ada', '1');
  const chat = await ada.direct('bob');
  const bob = new Reader(await RawClient.join(url, 'bob', '1', [], 60_000));
  await say(ada, chat, 3);
  await bob.until(chat, 3);
  const ref = node.users.lookup('bob')!;
  const info = { chat, key: hex(chat), kind: 1, pair: ['ada', 'bob'] as const, title: '' };
  // What fills a mailbox in one turn: old news of the same chat, as a chat would repeat them.
  const stale = oneEntry({ info, seq: 1 });
  for (let i = 0; i < LIMITS.userMailbox + 10; i += 1) ref.tell(stale);
  const seq = await say(ada, chat, 200);
  await bob.until(chat, seq);
  assert.ok(bob.resyncs > 0, 'dropped at the user: the client is asked');
  assert.equal(bob.client.closed, null);
});

test('evicted and unnamed chats: more than a connection keeps positions for, each goes on without a gap', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', '1', [], 60_000);
  const bob = new Reader(await RawClient.join(url, 'bob', '1', [], 60_000));
  const count = LIMITS.sessionChats + 400;
  const chats: Uint8Array[] = [];
  for (let made = 0; made < count; made += 48) {
    const batch = Math.min(48, count - made);
    for (let i = 0; i < batch; i += 1) {
      ada.send({ type: T.CREATE, r: made + i + 1, id: newId(), title: `${made + i}`, users: ['bob'] });
    }
    for (let i = 0; i < batch; i += 1) {
      chats.push((await ada.next(T.OK, (frame) => frame.r === made + i + 1)).results[0] as Uint8Array);
    }
    ada.frames.length = 0;
    bob.read();
  }
  for (const at of [0, 1, 1_100, 1_500, count - 1, 2, 1_500, 0]) {
    const seq = await say(ada, chats[at]!, 3);
    await bob.until(chats[at]!, seq);
  }
  assert.deepEqual([bob.repeats, bob.resyncs], [0, 0]);
});

test('a device that is behind while its user is removed, added, and the group grows beyond the threshold', async (t) => {
  const { url } = await testNode(t, { settings: { fanOutThreshold: 3, passivateMs: 60_000 } });
  const ada = await RawClient.join(url, 'ada', '1');
  const chat = await create(ada, ['bob']);
  const bob = new Reader(await RawClient.join(url, 'bob', '1', [], 2));
  await say(ada, chat, 5); // 2-6
  await change(ada, chat, OP.removed, ['bob']); // 7
  await say(ada, chat, 5); // 8-12
  await change(ada, chat, OP.added, ['bob']); // 13
  await say(ada, chat, 2); // 14-15
  await change(ada, chat, OP.added, ['eve', 'zoe', 'max']); // 16
  const seq = await say(ada, chat, 3); // 17-19
  bob.client.send({ type: T.CREDIT, n: 1_000 });
  await bob.until(chat, seq);
  const expected = ['event 1', ...Array(5).fill('x'), 'event 3', 'event 2', 'x', 'x', 'event 2', 'x', 'x', 'x'];
  assert.deepEqual(bob.bodies.get(hex(chat)), expected);
  assert.equal(bob.repeats, 0);
});
