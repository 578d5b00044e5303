// Owns the tests of what is on its way on a link: numbers, what is taken, credit, and one that reads slowly.
// Invariant: bytes are counted on the simulated wire, not only believed.
// Must not: test who may have a link (links.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { Scene } from './link-scene.js';

test('what is sent is taken, in order, and said so', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  const link = a!.link('b');
  for (let i = 1; i <= 40; i++) assert.equal(a!.send('b', `n${i}`), 'ok');
  assert.deepEqual([link.sent, link.taken], [40, 0]);
  scene.world.advance(2);
  assert.equal(link.taken, 32, 'every 16th at once');
  scene.world.advance(LIMITS.linkAckMs + 2);
  assert.deepEqual([link.taken, link.buffered], [40, 0]);
  assert.deepEqual(
    b!.got,
    Array.from({ length: 40 }, (_, i) => `a 1: n${i + 1}`),
  );
  assert.deepEqual(
    a!.links.stats().map(({ batchesSent, bytesSent }) => [batchesSent, bytesSent]),
    b!.links.stats().map(({ batchesTaken, bytesTaken }) => [batchesTaken, bytesTaken]),
  );
});

test('a batch is taken after it was handled, not before', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  let within = -1;
  b!.onBatch = () => {
    within = a!.link('b').taken;
  };
  for (let i = 0; i < LIMITS.linkAckBatches; i++) a!.send('b', 'x');
  scene.world.advance(2);
  assert.deepEqual([within, a!.link('b').taken], [0, LIMITS.linkAckBatches]);
});

test('a peer that takes nothing costs the credit and no more, and hears on when there is room', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  const link = a!.link('b');
  const batch = new Uint8Array(100_000);
  scene.net.clog('a', 'b');
  let sent = 0;
  while (link.send(batch) === 'ok') sent++;
  assert.equal(sent, Math.floor(LIMITS.linkBytes / (batch.length + LIMITS.linkBatchCost)));
  for (let i = 0; i < 1_000; i++) assert.equal(link.send(Uint8Array.of(1)), 'busy', 'small ones do not slip past');
  assert.ok(link.buffered <= LIMITS.linkBytes);
  assert.ok(a!.links.stats()[0]!.unsent <= LIMITS.linkBytes * 1.01, 'nor on the wire');
  assert.equal(a!.links.stats()[0]!.refused, 1_001);
  const rooms: number[] = [];
  a!.room = () => void rooms.push(link.buffered);
  scene.net.unclog('a', 'b');
  scene.world.advance(5);
  assert.equal(rooms.length, 1, 'told once');
  assert.ok(rooms[0]! <= LIMITS.linkBytes / 2 && rooms[0]! > LIMITS.linkBytes / 4, 'when half is free');
  assert.equal(link.send(batch), 'ok');
  scene.world.advance(50);
  assert.deepEqual([b!.got.length, link.buffered], [sent + 1, 0]);
});

test('batches of a byte are bounded too', async () => {
  const scene = new Scene();
  const [a] = await scene.cluster('a', 'b');
  const link = a!.link('b');
  scene.net.clog('a', 'b');
  let sent = 0;
  const most = LIMITS.linkBytes / LIMITS.linkBatchCost;
  while (sent <= most && link.send(Uint8Array.of(1)) === 'ok') sent++;
  assert.ok(sent <= most);
});

test('batches of the largest size flow without waiting for the time of an acknowledgement', async () => {
  const scene = new Scene();
  const [a] = await scene.cluster('a', 'b');
  const link = a!.link('b');
  const batch = new Uint8Array(LIMITS.linkBatchBytes);
  let sent = 0;
  // More than the credit within less than linkAckMs.
  for (let ms = 0; ms < LIMITS.linkAckMs - 4; ms++) {
    for (let i = 0; i < 4; i++) if (link.send(batch) === 'ok') sent++;
    scene.world.advance(1);
  }
  assert.equal(sent, 4 * (LIMITS.linkAckMs - 4));
});

test('a full direction does not make the other one, or the link, look dead', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  const link = a!.link('b');
  // A slow network: so much of the credit is on its way that answers to pings come later than a lease's time.
  scene.net.pace = 2_000;
  while (link.send(new Uint8Array(LIMITS.linkBatchBytes / 4)) === 'ok');
  scene.world.advance(500);
  b!.send('a', 'past it');
  scene.world.advance(4_000);
  assert.deepEqual([a!.said, b!.said], [['up b'], ['up a']]);
  assert.deepEqual(a!.got, ['b 1: past it']);
  assert.equal(link.buffered, 0);
});

test('what no batch may be is a bug of the sender', async () => {
  const scene = new Scene();
  const [a] = await scene.cluster('a', 'b');
  const link = a!.link('b');
  assert.throws(() => link.send(new Uint8Array(0)), /within its limit/);
  assert.throws(() => link.send(new Uint8Array(LIMITS.linkBatchBytes + 1)), /within its limit/);
  assert.equal(link.sent, 0);
});
