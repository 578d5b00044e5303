// Owns the proof that an acknowledgement means durable: the flush of a message's batch comes before its SENT, and before
// its MESSAGE, on the wire.
// Invariant: two witnesses: the kernel's own record of the node's calls, and the store's hook.
// Must not: measure time.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLmdb } from '../../storage/lmdb.js';
import { decodeServer } from '../../transport/codec.js';
import { T } from '../../transport/frames.js';
import { find, needs } from '../needs.js';
import { type Call, durable, outgoing, readCalls, WATCHED } from './calls.js';
import { Gate, type Hold } from './gate.js';
import { newId, RawClient, testNode, utf8 } from './harness.js';
import { Home } from './process.js';

const PAIRS = 6;
const EACH = 12;
const bodyOf = (pair: number, at: number): string => `flush proof: message ${at} of pair ${pair};`;

/** What left too early: a SENT or MESSAGE whose message was not flushed when its write began. */
function tooEarly(calls: readonly Call[], data: string): { readonly proven: number; readonly early: string[] } {
  const users = new Map<string, string>();
  const sents = new Map<string, number>();
  const early: string[] = [];
  let proven = 0;
  const require = (what: string, body: string, began: number): void => {
    proven += 1;
    if (!durable(calls, data, Buffer.from(body).toString('hex'), began)) early.push(`${what}: ${body}`);
  };
  for (const { socket, payload, began } of outgoing(calls)) {
    const frame = decodeServer(payload);
    if (frame.type === T.WELCOME) users.set(socket, frame.user);
    else if (frame.type === T.MESSAGE) require('MESSAGE', Buffer.from(frame.body).toString(), began);
    else if (frame.type === T.SENT) {
      const at = sents.get(socket) ?? 0;
      sents.set(socket, at + 1);
      require('SENT', bodyOf(Number(users.get(socket)?.slice('ada'.length)), at), began);
    }
  }
  return { proven, early };
}

test(
  'system calls: the data file is flushed between the write of a message and its SENT and MESSAGE',
  needs('strace'),
  async (t) => {
    const home = new Home(t);
    const trace = join(home.folder, 'calls');
    const wrapper = [find('strace')!, '-f', '-yy', '-xx', '-s', '140000', '-e', WATCHED, '-o', trace];
    const node = await home.start({ wrapper });
    const pairs = Array.from({ length: PAIRS }, async (_, pair) => {
      const [ada, bob] = await Promise.all([
        RawClient.join(node.url, `ada${pair}`, 'd'),
        RawClient.join(node.url, `bob${pair}`, 'd'),
      ]);
      const chat = await ada.direct(`bob${pair}`);
      for (let at = 0; at < EACH; at += 1) {
        ada.send({ type: T.SEND, chat, id: newId(), body: utf8(bodyOf(pair, at)) });
        // The first ones by themselves, the rest as fast as they go: batches of one and of many.
        if (at < EACH / 2) await ada.next(T.SENT);
      }
      for (let at = EACH / 2; at < EACH; at += 1) await ada.next(T.SENT);
      for (let at = 0; at < EACH; at += 1) await bob.next(T.MESSAGE);
      ada.close();
      bob.close();
    });
    await Promise.all(pairs);
    await node.stop('SIGTERM');

    const calls = readCalls(readFileSync(trace, 'utf8'));
    const file = join(home.data, 'store', 'data.mdb');
    const { proven, early } = tooEarly(calls, file);
    assert.equal(proven, 2 * PAIRS * EACH, 'every SENT and MESSAGE was found among the calls');
    assert.deepEqual(early, []);

    // The same calls without the flushes, and with each flush ended only after all else, must not pass.
    const flush = (call: Call): boolean => /sync$/.test(call.name);
    assert.equal(
      tooEarly(
        calls.filter((call) => !flush(call)),
        file,
      ).early.length,
      proven,
    );
    const late = calls.map((call) => (flush(call) ? { ...call, ended: Number.MAX_SAFE_INTEGER } : call));
    assert.equal(tooEarly(late, file).early.length, proven);
  },
);

test('the store’s hook: between a SEND and its SENT there is a flush', async (t) => {
  const order: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'weft-flush-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'store');
  const { url } = await testNode(t, {
    folder,
    openStore: () => openLmdb({ path, onFlushed: () => order.push('flush') }),
  });
  const ada = await RawClient.join(url, 'ada', 'a1');
  const chat = await ada.direct('bob');
  for (let at = 0; at < 50; at += 1) {
    order.length = 0;
    ada.send({ type: T.SEND, chat, id: newId(), body: utf8('x') });
    await ada.next(T.SENT);
    order.push('SENT');
    assert.equal(order[0], 'flush', `message ${at}`);
  }
});

for (const hold of ['before', 'after'] as const satisfies readonly Hold[]) {
  const when = hold === 'before' ? 'a commit has not begun' : 'a commit is not answered';
  test(`while ${when}, nothing of it leaves the node`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'weft-flush-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const gate = new Gate(hold);
    const { url, node } = await testNode(t, {
      folder,
      openStore: async () => gate.guard(await openLmdb({ path: join(folder, 'store') })),
    });
    const ada = await RawClient.join(url, 'ada', 'a1');
    const tablet = await RawClient.join(url, 'ada', 'a2');
    const bob = await RawClient.join(url, 'bob', 'b1');
    const chat = await ada.direct('bob');
    ada.send({ type: T.SEND, chat, id: newId(), body: utf8('first') });
    await ada.next(T.SENT);
    await Promise.all([bob.next(T.MESSAGE), tablet.next(T.MESSAGE)]);

    gate.close();
    const id = newId();
    for (const client of [ada, tablet, ada]) client.send({ type: T.SEND, chat, id, body: utf8('second') });
    bob.send({ type: T.READ, chat, seq: 1 });
    const r = ada.request();
    ada.send({ type: T.INFO, r, chat });
    const info = await ada.next(T.OK, (frame) => frame.r === r);
    while (gate.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    // Everybody may ask what stands; a PONG shows that what was sent before it has been looked at.
    const late = await RawClient.join(url, 'ada', 'a3');
    late.send({ type: T.SYNC, entries: [{ chat, seq: 1, read: 0, flags: 1 }], more: false, backfill: 0 });
    await late.next(T.SYNCED);
    for (let n = 1; n <= 5; n += 1) {
      for (const client of [ada, tablet, bob, late]) {
        client.send({ type: T.PING, n });
        await client.next(T.PONG);
      }
    }
    const told = (client: RawClient): unknown[] =>
      client.frames.filter(({ type }) => type === T.SENT || type === T.MESSAGE || type === T.RECEIPT);
    assert.deepEqual(info.results[2], 1, 'the head that INFO tells is durable');
    assert.deepEqual([ada, tablet, bob].map(told), [[], [], []]);
    const receipts = late.frames.filter((frame) => frame.type === T.RECEIPT);
    assert.ok(
      receipts.every((frame) => frame.read === 0),
      'receipts that are asked for are durable too',
    );
    const again = ada.request();
    ada.send({ type: T.INFO, r: again, chat });
    const members = (await ada.next(T.OK, (frame) => frame.r === again)).results[3];
    assert.deepEqual(members, [
      ['ada', 1, 0, 0],
      ['bob', 1, 0, 0],
    ]);
    assert.ok(gate.waiting > 0);

    gate.open();
    assert.deepEqual([(await ada.next(T.SENT)).seq, (await ada.next(T.SENT)).seq], [2, 2]);
    assert.equal((await tablet.next(T.SENT)).seq, 2);
    assert.equal((await bob.next(T.MESSAGE)).seq, 2);
    await ada.next(T.RECEIPT, (frame) => frame.read === 1);
    assert.equal(node.log.stats().failed, 0);
    for (const client of [ada, tablet, bob, late]) client.close();
  });
}
