// Owns the proof that a node serves clients from a FoundationDB cluster, as a process with --store fdb:CLUSTER_FILE.
// Invariant: what was acknowledged is there after the node and the cluster were killed.
// Must not: look into the store.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { T } from '../../transport/frames.js';
import { onFoundationDb } from '../foundationdb.js';
import { newId, RawClient, text, utf8 } from './harness.js';
import { Home } from './process.js';

const MESSAGES = 300;

onFoundationDb(import.meta.url, (server) => {
  test('a node on FoundationDB: send, ack, delivery; killed with its cluster, everything is there again', async (t) => {
    const home = new Home(t);
    const start = { flags: ['--store', `fdb:${server.clusterFile}`] };
    const node = await home.start(start);
    const bob = await RawClient.join(node.url, 'bob', 'b1');
    const ada = await RawClient.join(node.url, 'ada', 'a1');
    const chat = await ada.direct('bob');
    const sent: Uint8Array[] = [];
    for (let i = 1; i <= MESSAGES; i++) {
      sent.push(newId());
      ada.send({ type: T.SEND, chat, id: sent.at(-1)!, body: utf8(`message ${i}`) });
    }
    for (let i = 1; i <= MESSAGES; i++) {
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
});
