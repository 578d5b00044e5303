// Owns the proof of how sends are timed: the slowest hundredth of the last seconds.
// Invariant: virtual time.
// Must not: need a connection.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Latency } from '../../actors/latency.js';
import { LIMITS } from '../../actors/limits.js';
import { ManualWorld } from './manual-world.js';

const near = (actual: number | null, expected: number): void => {
  assert.ok(actual !== null && Math.abs(actual / expected - 1) < 0.1, `${actual} is about ${expected}`);
};

test('of a thousand sends ten may be slower, of a few the slowest', () => {
  const world = new ManualWorld();
  const latency = new Latency(world);
  assert.equal(latency.p99, null);
  latency.note(700);
  assert.equal(latency.p99, null, 'one says nothing');
  latency.note(20);
  near(latency.p99, 20);
  for (let i = 0; i < 989; i += 1) latency.note(5);
  for (let i = 0; i < 9; i += 1) latency.note(300);
  near(latency.p99, 20);
  latency.note(300);
  near(latency.p99, 300);
});

test('what is long past does not count, and any time fits', () => {
  const world = new ManualWorld();
  const latency = new Latency(world);
  for (const ms of [0, 1e-6, 1e9, 1e9]) latency.note(ms);
  assert.ok(latency.p99! > 90_000);
  world.time += LIMITS.latencySlots * LIMITS.latencySlotMs;
  assert.equal(latency.p99, null);
  latency.end(world.time - 40, 200);
  latency.end(world.time - 40, 0);
  near(latency.p99, 40);
});
