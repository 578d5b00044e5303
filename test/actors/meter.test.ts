// Owns the proof of how a connection's frames are counted where real sockets would need too many chats or too much time.
// Invariant: the clock stands still unless it is moved.
// Must not: open connections (test/e2e/limits.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_QUOTAS } from '../../actors/allowances.js';
import { LIMITS } from '../../actors/limits.js';
import type { Login } from '../../actors/login.js';
import { Meter } from '../../actors/meter.js';
import { T } from '../../transport/frames.js';
import { ChatScene } from './chat-scene.js';

const chat = new Uint8Array(16);

async function metered(): Promise<{ meter: Meter; scene: ChatScene }> {
  const scene = await ChatScene.open({ quotas: DEFAULT_QUOTAS });
  const login: Pick<Login, 'user' | 'sender'> = { user: 'ada', sender: 'ada\na1' };
  return { meter: new Meter(scene.fabric, login), scene };
}

test('a client with as many chats as there may be connects twice in a moment and is no flood', async () => {
  const { meter, scene } = await metered();
  const entries = Array.from({ length: LIMITS.syncEntries }, () => ({ chat, seq: 1, read: 1, flags: 0 }));
  const parts = LIMITS.userChats / LIMITS.syncEntries;
  for (let connection = 0; connection < 2; connection += 1) {
    for (let part = 1; part <= parts; part += 1) {
      const ms = meter.count({ type: T.SYNC, entries, more: part < parts, backfill: 0 }, 0);
      assert.notEqual(ms, Number.POSITIVE_INFINITY);
    }
    meter.certified(LIMITS.userChats, 0);
  }
  const ms = meter.count({ type: T.PING, n: 1 }, 0);
  assert.ok(ms > 0 && ms < (LIMITS.frameDebt * 1_000) / LIMITS.frameRate, `${ms} ms`);
  scene.world.time += ms + 1_000 / LIMITS.frameRate;
  assert.equal(meter.count({ type: T.PING, n: 2 }, 0), 0);
});

test('who goes on all the same is flooding, soon', async () => {
  const { meter } = await metered();
  let frames = 0;
  while (meter.count({ type: T.DIRECT, r: 1, user: 'bob' }, 0) !== Number.POSITIVE_INFINITY) frames += 1;
  assert.ok(frames <= LIMITS.frameBurst + LIMITS.frameDebt + 1, `${frames}`);
});

test('what is refused counts for its length: who keeps sending the largest bodies is flooding sooner', async () => {
  const { meter } = await metered();
  const frame = { type: T.SEND, chat, id: chat, body: new Uint8Array(LIMITS.body) } as const;
  let frames = 0;
  while (meter.count(frame, 0, LIMITS.body) !== Number.POSITIVE_INFINITY) frames += 1;
  const each = 1 + LIMITS.body / LIMITS.frameRead;
  assert.ok(frames > LIMITS.frameDebt / each && frames < (LIMITS.frameBurst + LIMITS.frameDebt) / each, `${frames}`);
});

test('who comes when it was told is not early', async () => {
  const { meter, scene } = await metered();
  const ask = { type: T.DIRECT, r: 1, user: 'bob' } as const;
  let ms = 0;
  while (ms === 0) ms = meter.count(ask, 0, 100_000);
  scene.world.time += ms;
  assert.equal(meter.count(ask, 0), 0);
});

test('the moment from which a client may go on is the one that it is told', async () => {
  const { meter, scene } = await metered();
  assert.ok(meter.until <= scene.world.time);
  let ms = 0;
  while (ms === 0) ms = meter.count({ type: T.PING, n: 1 }, 0);
  assert.ok(meter.until > scene.world.time);
  scene.world.time = meter.until;
  assert.equal(meter.count({ type: T.PING, n: 1 }, 0), 0);
});

test('what tells of messages costs nothing, what does not counts', async () => {
  const { meter } = await metered();
  for (let i = 0; i < 3_000; i += 1) {
    assert.equal(meter.count({ type: T.ACK, chat, seq: i }, i + 1), 0);
    assert.equal(meter.count({ type: T.READ, chat, seq: i }, i + 1), 0);
    assert.equal(meter.count({ type: T.CREDIT, n: 1 }, i + 1), 0);
  }
  assert.equal(meter.much, false);
  for (let i = 0; i < LIMITS.frameBurst; i += 1) meter.count({ type: T.ACK, chat, seq: i }, 3_000);
  assert.ok(meter.much);
});

test('after a flood the device is not let in for a while; a heavy vector is no flood', async () => {
  const { meter, scene } = await metered();
  meter.certified(LIMITS.userChats, 0);
  assert.equal(meter.barred, 0);
  meter.flooded();
  const ms = meter.barred;
  assert.ok(ms > 0 && ms <= (LIMITS.frameDebt * 1_000) / LIMITS.frameRate + 10, `${ms} ms`);
  scene.world.time += ms;
  assert.equal(meter.barred, 0);
});
