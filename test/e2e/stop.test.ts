// Owns the proof that a node stops in order and starts with plain words: signals under traffic, a folder in use, a port
// in use.
// Invariant: real processes and signals; what was acknowledged is asked for again after the next start.
// Must not: stop a node that has nothing to do.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StartFailure } from '../../bench/node-process.js';
import { CLOSE, T } from '../../transport/frames.js';
import { newId, RawClient, text, utf8 } from './harness.js';
import { Home } from './process.js';

const PAIRS = 8;
/** ms within which a node must end. */
const STOP = 5_000;

interface Sent {
  readonly id: Uint8Array;
  readonly body: string;
  seq: number | null;
}

/** Sends without end; remembers what was answered. */
class Sender {
  readonly sent: Sent[] = [];
  readonly client: RawClient;
  readonly chat: Uint8Array;
  refused = 0;

  constructor(client: RawClient, chat: Uint8Array) {
    this.client = client;
    this.chat = chat;
  }

  /** Up to 16 unanswered at a time, until the connection is gone. */
  async run(): Promise<void> {
    let answered = 0;
    while (this.client.closed === null) {
      while (this.sent.length < answered + 16) {
        const one: Sent = { id: newId(), body: `message ${this.sent.length}`, seq: null };
        this.sent.push(one);
        this.client.send({ type: T.SEND, chat: this.chat, id: one.id, body: utf8(one.body) });
      }
      await new Promise((resolve) => setImmediate(resolve));
      answered += this.take();
    }
    this.take();
  }

  /** Answers come in order, as all of them are of one chat. */
  take(): number {
    let taken = 0;
    const { frames } = this.client;
    for (let at = frames.length - 1; at >= 0; at -= 1) {
      const frame = frames[at]!;
      if (frame.type !== T.SENT && frame.type !== T.FAILED) continue;
      frames.splice(at, 1);
      taken += 1;
      if (frame.type === T.SENT) this.sent[frame.n - 1]!.seq = frame.seq;
      else this.refused += 1;
    }
    return taken;
  }

  get acked(): Sent[] {
    return this.sent.filter(({ seq }) => seq !== null);
  }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} under traffic: clients are told, the exit is clean, what was acknowledged is there`, async (t) => {
    const home = new Home(t);
    const node = await home.start();
    const senders: Sender[] = [];
    const readers: RawClient[] = [];
    for (let pair = 0; pair < PAIRS; pair += 1) {
      const client = await RawClient.join(node.url, `ada${pair}`, 'd');
      senders.push(new Sender(client, await client.direct(`bob${pair}`)));
      readers.push(await RawClient.join(node.url, `bob${pair}`, 'd', [], 60_000));
    }
    const runs = senders.map((sender) => sender.run());
    while (senders.some((sender) => sender.acked.length < 50)) await new Promise((resolve) => setTimeout(resolve, 5));

    const began = performance.now();
    const exit = await node.stop(signal);
    const took = performance.now() - began;
    assert.deepEqual(exit, { code: 0, signal: null }, node.lines.join('\n'));
    assert.ok(took < STOP, `it took ${took} ms`);
    await Promise.all(runs);
    for (const client of [...senders.map((sender) => sender.client), ...readers]) {
      await client.next(T.GOAWAY);
      assert.equal(await client.closing(), CLOSE.goingAway);
    }

    const again = await home.start();
    for (const [pair, sender] of senders.entries()) {
      const client = await RawClient.join(again.url, `ada${pair}`, 'd2');
      const { chat } = sender;
      for (const one of sender.sent) {
        client.send({ type: T.SEND, chat, id: one.id, body: utf8(one.body) });
        const { seq } = await client.next(T.SENT);
        if (one.seq !== null) assert.equal(seq, one.seq, 'a retry gets the number that was acknowledged');
        one.seq = seq;
      }
      const bodies = await history(client, chat);
      assert.equal(bodies.length, sender.sent.length, 'each message is there once');
      for (const { seq, body } of sender.sent) assert.equal(bodies[seq! - 1], body);
      client.close();
    }
    await again.stop('SIGTERM');
  });
}

/** Bodies of a chat, oldest first. */
async function history(client: RawClient, chat: Uint8Array): Promise<string[]> {
  const bodies: string[] = [];
  for (let before = 0; before !== 1; ) {
    const r = client.request();
    client.send({ type: T.HISTORY, r, chat, before, limit: 100 });
    const { rows } = await client.next(T.PAGE, (frame) => frame.r === r);
    bodies.unshift(...rows.map((row) => (row.type === T.MESSAGE ? text(row.body) : '')));
    before = rows[0]?.seq ?? 1;
  }
  return bodies;
}

/** How a start that must fail ends. */
async function failure(start: Promise<unknown>): Promise<{ readonly code: number | null; readonly said: string }> {
  const error = await start.then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StartFailure, `it started, or failed otherwise: ${error}`);
  return { code: error.exit.code, said: error.lines.join('\n') };
}

test('a second node on the folder is refused with the process that has it, and the first goes on', async (t) => {
  const home = new Home(t);
  const node = await home.start();
  const { code, said } = await failure(home.start());
  assert.equal(code, 1);
  assert.match(said, new RegExp(`data_in_use.*\\b${node.pid}\\b`));
  const ada = await RawClient.join(node.url, 'ada', 'd');
  ada.send({ type: T.SEND, chat: await ada.direct('bob'), id: newId(), body: utf8('x') });
  assert.equal((await ada.next(T.SENT)).seq, 1);
  ada.close();
  await node.stop('SIGKILL');
  // A claim left by a killed process is no obstacle.
  const next = await home.start();
  assert.deepEqual(await next.stop('SIGTERM'), { code: 0, signal: null });
});

test('a port in use is told as listen_failed, and the folder is free again', async (t) => {
  const first = new Home(t);
  const second = new Home(t);
  const node = await first.start();
  const port = Number(new URL(node.url).port);
  const { code, said } = await failure(second.start({ port }));
  assert.equal(code, 1);
  assert.match(said, /listen_failed/);
  assert.match(said, /--listen/, 'it says the way out');
  const elsewhere = await second.start();
  assert.deepEqual(await elsewhere.stop('SIGTERM'), { code: 0, signal: null });
});
