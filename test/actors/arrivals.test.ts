// Owns the proof of how a node lets many connections in: so many at once, the others at times of their own.
// Invariant: the clock moves only when told.
// Must not: measure (bench/storm.ts does).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arrivals } from '../../actors/arrivals.js';
import { LIMITS } from '../../actors/limits.js';
import { CLOSE, T } from '../../transport/frames.js';
import { ChatScene } from './chat-scene.js';
import { Client } from './client-scene.js';
import { ManualWorld } from './manual-world.js';

function full(world: ManualWorld): Arrivals {
  const arrivals = new Arrivals(world);
  for (let i = 0; i < LIMITS.arrivals; i += 1) assert.equal(arrivals.enter(), 0);
  return arrivals;
}

/** One comes as soon as one is served, each after so many ms. */
function serve(arrivals: Arrivals, world: ManualWorld, times: number, ms: number): void {
  for (let i = 0; i < times; i += 1) {
    world.time += ms;
    arrivals.leave();
    assert.equal(arrivals.enter(), 0);
  }
}

test('those beyond the limit are told times one after the other, at the rate at which others are served', () => {
  const world = new ManualWorld();
  const arrivals = full(world);
  serve(arrivals, world, 1_000, 5);
  const waits = Array.from({ length: 1_000 }, () => arrivals.enter());
  const each = (waits.at(-1)! - waits[0]!) / (waits.length - 1);
  assert.ok(waits[0]! >= LIMITS.arrivalLeastMs);
  assert.ok(Math.abs(each - 5 * LIMITS.arrivalShare) < 0.2, `${each} ms from one to the next`);
  // Who comes meanwhile is told a time after theirs.
  world.time += 1_000;
  assert.ok(Math.abs(arrivals.enter() - (waits.at(-1)! - 1_000 + each)) < 2);
});

test('nobody is told to stay away for longer than the limit, and those who would be do not come together', () => {
  const world = new ManualWorld();
  const arrivals = full(world);
  const waits = Array.from({ length: 50_000 }, () => arrivals.enter());
  assert.ok(Math.max(...waits) <= LIMITS.arrivalMostMs + 1);
  const late = waits.slice(-10_000);
  const seconds = new Set(late.map((ms) => Math.floor((ms - 1) / 1_000)));
  const half = LIMITS.arrivalMostMs / 2_000;
  assert.deepEqual([seconds.size, Math.min(...seconds)], [half, half]);
});

test('a quiet hour does not count as slow', () => {
  const world = new ManualWorld();
  const arrivals = full(world);
  serve(arrivals, world, 500, 2);
  for (let i = 0; i < LIMITS.arrivals; i += 1) arrivals.leave();
  serveAlone(arrivals, world);
  for (let i = 0; i < LIMITS.arrivals; i += 1) arrivals.enter();
  assert.ok(arrivals.enter() < LIMITS.arrivalLeastMs + 5);
});

function serveAlone(arrivals: Arrivals, world: ManualWorld): void {
  for (let i = 0; i < 1_000; i += 1) {
    world.time += 3_600;
    arrivals.enter();
    arrivals.leave();
  }
}

test('a connection counts from HELLO until it is certified, or gone; one that does not ask yet does not count', async () => {
  const scene = await ChatScene.open();
  const { arrivals } = scene.fabric.allowances;
  scene.holding = true;
  const clients: Client[] = [];
  for (let i = 0; i < LIMITS.arrivals; i += 1) clients.push(await Client.join(scene, `u${i}/1`));
  assert.equal(arrivals.size, LIMITS.arrivals);
  const refused = await Client.join(scene, 'late/1');
  const [error] = refused.of(T.ERROR);
  assert.deepEqual([error?.code, error?.retry, refused.closed], ['busy', true, CLOSE.goingAway]);
  assert.ok(error!.after >= LIMITS.arrivalLeastMs);
  assert.equal(scene.fabric.allowances.refused.arrivals, 1);
  clients.pop()!.close(1_000);
  await scene.settle();
  const next = await Client.join(scene, 'next/1');
  assert.equal(next.closed, null);
  scene.release();
  await scene.settle();
  assert.equal(arrivals.size, 0);
  assert.equal(next.of(T.SYNCED).length, 1);
  const silent = new Client(scene);
  silent.say({ type: T.HELLO, version: 1, token: 'silent/1', credit: 1, agent: '' });
  await scene.settle();
  assert.deepEqual([silent.of(T.WELCOME).length, arrivals.size], [1, 0]);
});
