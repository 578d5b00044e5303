// Owns the tests of certificates that end before what this device has: when they are a fault of the server, and when of their age.
// Invariant: the clock is the test's.
// Must not: reach into the client: it sees frames and events alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { advance, bench, settle } from './bench.js';

test('a certificate below what SYNC said is a fault of the server; below what has come since it is not', async () => {
  const { server, seen, world, session } = await bench();
  const faults: string[] = [];
  session.on('error', ({ code }) => void faults.push(code));
  const chat = server.chat('bob');
  server.post(chat, 'm1');
  await advance(world, 2 * LIMITS.clientAckMs);
  server.last.intercept = (frame) => frame.type === 6;
  server.last.send({ type: 46 });
  await settle(world);
  // Read by the server before m2 was, and sent after it.
  server.post(chat, 'm2');
  await settle(world);
  server.last.send({ type: 37, entries: [{ chat: chat.id, head: 1, start: 2 }] });
  await settle(world);
  assert.deepEqual([seen, faults], [['bob:1:m1', 'bob:2:m2'], []]);
  server.last.send({ type: 37, entries: [{ chat: chat.id, head: 0, start: 1 }] });
  await settle(world);
  assert.deepEqual(faults, [], 'the answer to SYNC may still say otherwise');
  server.last.send({ type: 38, chats: 1 });
  await settle(world);
  assert.deepEqual(faults, ['diverged']);
});

test('a certificate of before SYNC, which that of its answer corrects, is no fault', async () => {
  const { server, world, session } = await bench();
  const faults: string[] = [];
  session.on('error', ({ code }) => void faults.push(code));
  const chat = server.chat('bob');
  server.post(chat, 'm1');
  server.post(chat, 'm2');
  await advance(world, 2 * LIMITS.clientAckMs);
  server.last.intercept = (frame) => frame.type === 6;
  server.last.send({ type: 46 });
  await settle(world);
  // The SYNC said 2. This is from a stream that began before m2, and was on its way.
  server.last.send({ type: 37, entries: [{ chat: chat.id, head: 1, start: 2 }] });
  // Asked again: what SYNC says now is not what certificates on their way were answers to.
  server.last.send({ type: 46 });
  await settle(world);
  server.last.send({ type: 37, entries: [{ chat: chat.id, head: 2, start: 3 }] });
  server.last.send({ type: 38, chats: 1 });
  await settle(world);
  assert.deepEqual(faults, []);
});
