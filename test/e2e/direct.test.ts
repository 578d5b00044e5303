// Owns the end-to-end test of direct chats: send, deliver, receipts, offline, resume, retry.
// Invariant: real sockets, a real store.
// Must not: look inside the node.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { T } from '../../transport/frames.js';
import { newId, RawClient, testNode, text, utf8 } from './harness.js';

test('a message is delivered, acknowledged, receipted', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'a1');
  const bob = await RawClient.join(url, 'bob', 'b1');
  const chat = await ada.direct('bob');
  const id = newId();
  ada.send({ type: T.SEND, chat, id, body: utf8('hello') });
  const sent = await ada.next(T.SENT);
  assert.deepEqual({ n: sent.n, seq: sent.seq, durability: sent.durability }, { n: 1, seq: 1, durability: 1 });
  const message = await bob.next(T.MESSAGE);
  assert.equal(text(message.body), 'hello');
  assert.equal(message.seq, 1);
  assert.deepEqual(Buffer.from(message.id), Buffer.from(id));
  const named = await bob.next(T.CHAT);
  assert.equal(named.name, 'ada');
  bob.send({ type: T.READ, chat: message.chat, seq: 1 });
  const receipt = await ada.next(T.RECEIPT, (frame) => frame.read === 1);
  assert.equal(receipt.delivered, 1);
  ada.close();
  bob.close();
});

test('an offline device finds everything once, in order, on return', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'a1');
  const chat = await ada.direct('bob');
  for (let i = 1; i <= 300; i += 1) {
    ada.send({ type: T.SEND, chat, id: newId(), body: utf8(`m${i}`) });
    await ada.next(T.SENT);
  }
  const bob = await RawClient.join(url, 'bob', 'b1', [], 50);
  const cert = await bob.next(T.CERT);
  assert.deepEqual([cert.entries[0]!.head, cert.entries[0]!.start, cert.entries[0]!.name], [300, 1, 'ada']);
  for (let i = 1; i <= 300; i += 1) {
    const message = await bob.next(T.MESSAGE);
    assert.equal(message.seq, i);
    assert.equal(text(message.body), `m${i}`);
    if (i % 25 === 0) bob.send({ type: T.CREDIT, n: 25 });
  }
  bob.cut();
  ada.send({ type: T.SEND, chat, id: newId(), body: utf8('later') });
  await ada.next(T.SENT);
  const again = await RawClient.join(url, 'bob', 'b1', [[chat, 300]]);
  const certificate = await again.next(T.CERT);
  assert.deepEqual([certificate.entries[0]!.head, certificate.entries[0]!.start], [301, 301]);
  assert.equal((await again.next(T.MESSAGE)).seq, 301);
  assert.equal(again.frames.filter((frame) => frame.type === T.MESSAGE).length, 0);
});

test('a retry gets the first number, from another connection, after passivation and after a restart', async (t) => {
  const first = await testNode(t, { settings: { fanOutThreshold: 100, passivateMs: 50 } });
  const ada = await RawClient.join(first.url, 'ada', 'a1');
  const chat = await ada.direct('bob');
  const ids = Array.from({ length: 200 }, newId);
  for (const id of ids) {
    ada.send({ type: T.SEND, chat, id, body: utf8('x') });
    await ada.next(T.SENT);
  }
  while (first.node.chats[0]!.size > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  for (const at of [0, 5, 199]) {
    ada.send({ type: T.SEND, chat, id: ids[at]!, body: utf8('x') });
    assert.equal((await ada.next(T.SENT)).seq, at + 1);
  }
  await first.stop();
  const second = await testNode(t, { folder: first.folder });
  const back = await RawClient.join(second.url, 'ada', 'a2');
  for (const at of [199, 0, 100]) {
    back.send({ type: T.SEND, chat, id: ids[at]!, body: utf8('x') });
    assert.equal((await back.next(T.SENT)).seq, at + 1);
  }
  back.send({ type: T.SEND, chat, id: newId(), body: utf8('new') });
  assert.equal((await back.next(T.SENT)).seq, 201);
});
