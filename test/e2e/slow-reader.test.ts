// Owns the proof that who does not read costs the node next to nothing, and has everything when it reads again.
// Invariant: the node is a process of its own, so that its memory is its own; what was kept back is many times the bound.
// Must not: look into the node but by what it says of itself.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { memory } from '../../bench/process-stat.js';
import { T } from '../../transport/frames.js';
import { loadUws } from '../../transport/uws-native.js';
import { newId, RawClient, testNode } from './harness.js';
import { Home } from './process.js';

const MB = 1e6;
const BODY = LIMITS.body;

/** Joins with credit for everything. */
const join = (url: string, user: string, device: string, vector?: [Uint8Array, number][]): Promise<RawClient> =>
  RawClient.join(url, user, device, vector, LIMITS.credit);

async function create(client: RawClient, users: string[]): Promise<Uint8Array> {
  const r = client.request();
  client.send({ type: T.CREATE, r, id: newId(), title: 'busy', users });
  return (await client.next(T.OK, (frame) => frame.r === r)).results[0] as Uint8Array;
}

/** Sends bodies of the largest size that name their place; answers the last one's number. */
async function say(client: RawClient, chat: Uint8Array, count: number): Promise<number> {
  let seq = 0;
  for (let sent = 0; sent < count; ) {
    const burst = Math.min(LIMITS.window / 4, count - sent);
    for (let i = 0; i < burst; i += 1) client.send({ type: T.SEND, chat, id: newId(), body: Buffer.alloc(BODY, 1) });
    for (let i = 0; i < burst; i += 1) seq = (await client.next(T.SENT)).seq;
    sent += burst;
  }
  return seq;
}

/** Takes in all entries up to `seq`, without a gap and none twice; forgets them at once. */
async function readUpTo(client: RawClient, seq: number, from = 0): Promise<void> {
  let have = from;
  const deadline = performance.now() + 30_000;
  while (have < seq) {
    for (const frame of client.frames.splice(0)) {
      if (frame.type !== T.MESSAGE && frame.type !== T.EVENT) continue;
      assert.equal(frame.seq, have + 1, 'in order, once');
      have += 1;
    }
    if (have >= seq) return;
    assert.ok(performance.now() < deadline && client.closed === null, `${have} of ${seq}, closed ${client.closed}`);
    await client.changed();
  }
}

interface Held {
  /** Bytes of the process in RAM, without the pages of its files. */
  readonly resident: number;
  /** V8's heap and the buffers beside it. */
  readonly heap: number;
}

async function held(url: string, pid: number): Promise<Held> {
  const page = await (await fetch(new URL('/metrics', url.replace('ws:', 'http:')))).text();
  const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1]);
  const { resident, files } = memory(pid);
  const heap = value('nodejs_heap_size_used_bytes') + value('nodejs_external_memory_bytes');
  return { resident: resident - files, heap };
}

test('20 members of a busy group stop reading: the node keeps little of 400 MB, and they get it all later', async (t) => {
  const { pid, url } = await new Home(t).start();
  const readers = 20;
  const count = 300;
  const users = Array.from({ length: readers }, (_, at) => `slow${at}`);
  const ada = await join(url, 'ada', '1');
  const slow = await Promise.all(users.map((user) => join(url, user, '1')));
  const chat = await create(ada, users);
  await Promise.all(slow.map((client) => readUpTo(client, 1)));
  // What it holds when such messages pass and are read.
  let seq = await say(ada, chat, 20);
  await Promise.all(slow.map((client) => readUpTo(client, seq, 1)));
  const from = seq;
  const before = await held(url, pid);
  for (const { socket } of slow) socket.pause();
  let peak = before;
  for (let at = 0; at < 6; at += 1) {
    seq = await say(ada, chat, count / 6);
    const now = await held(url, pid);
    peak = { resident: Math.max(peak.resident, now.resident), heap: Math.max(peak.heap, now.heap) };
  }
  const kept = readers * (seq - from) * BODY;
  const grown = { resident: peak.resident - before.resident, heap: peak.heap - before.heap };
  // And garbage: 30 MB of it on an idle machine, 107 were seen where others ran beside it. A node that kept everything would grow by 400.
  const bound = readers * (LIMITS.buffered + 2 * LIMITS.frame) + 115 * MB;
  t.diagnostic(
    `${Math.round(kept / MB)} MB were not read; the node grew by ${Math.round(grown.resident / MB)} MB resident, ` +
      `${Math.round(grown.heap / MB)} MB heap; bound ${Math.round(bound / MB)} MB`,
  );
  assert.ok(kept > 3 * bound);
  assert.ok(grown.resident < bound, `${grown.resident / MB} MB more resident`);
  assert.ok(grown.heap < bound, `${grown.heap / MB} MB more heap`);
  for (const { socket } of slow) socket.resume();
  await Promise.all(slow.map((client) => readUpTo(client, seq, from)));
});

describe('a client that vanishes without a word', { concurrency: true }, () => {
  // uWebSockets.js counts in steps of 4 s, from 8 s on.
  for (const [transport, idleMs] of [
    ['ws', 1_000],
    ['uws', 8_000],
  ] as const) {
    if (transport === 'uws' && loadUws() === undefined) continue;

    test(`${transport}: it is cut off while its chat goes on, and has everything when it is back`, async (t) => {
      const { node, url } = await testNode(t, { transport, idleMs });
      const ada = await join(url, 'ada', '1');
      const gone = await join(url, 'gone', '1');
      const chat = await create(ada, ['gone']);
      await readUpTo(gone, 1);
      // No reading, no ping, no close: what a phone in a tunnel looks like.
      gone.socket.pause();
      const began = performance.now();
      let seq = 1;
      // Nothing of it may wait for the one that is gone, nor keep it alive.
      while (node.acceptor.size > 1) {
        assert.ok(performance.now() - began < idleMs + 6_000, 'it is cut off in time');
        seq = await say(ada, chat, 2);
        await new Promise((resolve) => setTimeout(resolve, idleMs / 100));
      }
      assert.ok(performance.now() - began > idleMs / 2, 'not early');
      gone.socket.resume();
      assert.equal(await gone.closing(), 1006);
      const back = await join(url, 'gone', '1', [[chat, 1]]);
      await readUpTo(back, seq, 1);
    });
  }
});
