// Owns the proof of the token bucket.
// Invariant: against a plain model: a counter that is refilled step by step.
// Must not: know what is counted.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FULL, take, wait } from '../../actors/bucket.js';

test('a burst passes at once, then one in each interval', () => {
  const rate = { every: 20, burst: 3 };
  let full = FULL;
  const passes = (now: number): boolean => {
    if (wait(full, rate, now) > 0) return false;
    full = take(full, rate, now);
    return true;
  };
  assert.deepEqual([0, 0, 0, 0].map(passes), [true, true, true, false]);
  assert.equal(wait(full, rate, 5), 15);
  assert.deepEqual([19, 20, 20, 40].map(passes), [false, true, false, true]);
  assert.deepEqual(
    [1_000, 1_000, 1_000, 1_000].map(passes),
    [true, true, true, false],
    'it holds no more than a burst',
  );
});

test('a rate of 0 is none', () => {
  const rate = { every: 0, burst: 1 };
  assert.equal(wait(take(take(FULL, rate, 5), rate, 5), rate, 5), 0);
});

test('as a counter that is refilled, whatever the course; and what is told to wait passes then', () => {
  const steps = fc.array(fc.record({ pause: fc.integer({ min: 0, max: 50 }), tokens: fc.integer({ min: 1, max: 3 }) }));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 3, max: 9 }), steps, (every, burst, course) => {
      const rate = { every, burst };
      let full = FULL;
      let now = 7;
      let held = burst;
      for (const { pause, tokens } of course) {
        now += pause;
        held = Math.min(burst, held + pause / every);
        const ms = wait(full, rate, now);
        assert.equal(ms > 1e-9, held < 1 - 1e-9);
        if (ms > 0) assert.equal(wait(full, rate, now + ms), 0);
        else {
          full = take(full, rate, now, tokens);
          held -= tokens;
        }
      }
    }),
  );
});
