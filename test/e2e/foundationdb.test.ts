// Owns the proof that a node serves clients from a FoundationDB cluster, as a process with --store fdb:CLUSTER_FILE.
// Invariant: what was acknowledged is there after the node and the cluster were killed.
// Must not: look into the store.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { FDB_LIMITS } from '../../actors/limits.js';
import { T } from '../../transport/frames.js';
import { onFoundationDb } from '../foundationdb.js';
import { newId, RawClient, text, utf8 } from './harness.js';
import { Home } from './process.js';

const MESSAGES = 300;
const WINDOW = 10;

await onFoundationDb(import.meta.url, (server) => {
  test('a node on FoundationDB: send, ack, delivery; killed with its cluster, everything is there again', async (t) => {
    const home = new Home(t);
    const start = { flags: ['--store', `fdb:${server.clusterFile}`] };
    const node = await home.start(start);
    const bob = await RawClient.join(node.url, 'bob', 'b1');
    const ada = await RawClient.join(node.url, 'ada', 'a1');
    const chat = await ada.direct('bob');
    const sent: Uint8Array[] = [];
    const send = (): void => {
      sent.push(newId());
      ada.send({ type: T.SEND, chat, id: sent.at(-1)!, body: utf8(`message ${sent.length}`) });
    };
    for (let i = 1; i <= WINDOW; i++) send();
    for (let i = 1; i <= MESSAGES; i++) {
      if (sent.length < MESSAGES) send();
      assert.equal((await ada.next(T.SENT)).seq, i);
      assert.equal(text((await bob.next(T.MESSAGE)).body), `message ${i}`);
    }

    await node.stop('SIGKILL');
    await server.kill();
    await server.start();
    const again = await home.start(start);
    const other = await RawClient.join(again.url, 'bob', 'b2', [[chat, MESSAGES - 5]]);
    for (let i = MESSAGES - 4; i <= MESSAGES; i++) assert.equal((await other.next(T.MESSAGE)).seq, i);
    const back = await RawClient.join(again.url, 'ada', 'a1', [[chat, MESSAGES]]);
    back.send({ type: T.SEND, chat, id: sent[7]!, body: utf8('message 8') });
    assert.equal((await back.next(T.SENT)).seq, 8, 'a retry gets its number');
    back.send({ type: T.SEND, chat, id: newId(), body: utf8('after') });
    assert.equal((await back.next(T.SENT)).seq, MESSAGES + 1);
    const r = back.request();
    back.send({ type: T.HISTORY, r, chat, before: 11, limit: 10 });
    const { rows } = await back.next(T.PAGE, (page) => page.r === r);
    assert.deepEqual(
      rows.map((row) => (row.type === T.MESSAGE ? text(row.body) : '')),
      Array.from({ length: 10 }, (_, i) => `message ${i + 1}`),
    );

    assert.deepEqual(await again.stop('SIGTERM'), { code: 0, signal: null });
  });

  test('a node whose cluster freezes refuses sends by code, and goes on by itself: each message once, in order', async (t) => {
    const home = new Home(t);
    const node = await home.start({ flags: ['--store', `fdb:${server.clusterFile}`] });
    // The first half send all the time. What of them is on its way when the cluster freezes may be durable, so it waits for as long as
    // that is not known. The others say their first word to a frozen cluster: it never reaches it, and is refused.
    const chats = await Promise.all(
      Array.from({ length: 16 }, async (_, i) => {
        const sender = await RawClient.join(node.url, `frozen-s${i}`, 'd');
        const receiver = await RawClient.join(node.url, `frozen-r${i}`, 'd');
        return { sender, receiver, chat: await sender.direct(`frozen-r${i}`), early: i < 8 };
      }),
    );
    let refused = 0;
    let running = true;
    let freeze: () => void = () => undefined;
    const frozen = new Promise<void>((resolve) => {
      freeze = resolve;
    });
    const work = chats.map(async ({ sender, receiver, chat, early }) => {
      let sent = 0;
      if (!early) await frozen;
      while (running || sent === 0) {
        const id = newId();
        for (;;) {
          sender.send({ type: T.SEND, chat, id, body: utf8(`${sent}`) });
          const answer = await sender.next([T.SENT, T.FAILED], undefined, 20_000);
          if (answer.type === T.SENT) break;
          assert.equal(answer.code, 'unavailable', answer.detail);
          if (!early) refused += 1;
          await pause(100);
        }
        sent += 1;
      }
      for (let i = 0; i < sent; i++) assert.equal(text((await receiver.next(T.MESSAGE)).body), `${i}`);
      return sent;
    });
    await pause(300);
    server.freeze();
    freeze();
    // A commit on its way is given up after FDB_LIMITS.timeoutMs, and so are the questions what became of it.
    await pause(4 * FDB_LIMITS.timeoutMs);
    server.thaw();
    const before = refused;
    await pause(3_000);
    running = false;
    const counts = await Promise.all(work);
    assert.ok(before >= 4, `sends that cannot be durable are refused meanwhile: ${before}`);
    assert.ok(
      counts.every((count) => count > 10),
      `${counts}`,
    );
    const status = await (await fetch(new URL('/status', node.url.replace(/^ws/, 'http')))).json();
    assert.equal((status as { faults: number }).faults, 0);
  });
});
