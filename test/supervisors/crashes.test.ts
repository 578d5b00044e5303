// Owns the proof of the crash records: budgets, expiry, bounds and storms, as plain data with the time given.
// Invariant: no pool, no world.
// Must not: repeat the window's or the delay's own cases (strategy.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { Crashes, type CrashRules } from '../../supervisors/crashes.js';

const RULES: CrashRules = {
  intensity: { restarts: 2, within: 1_000 },
  backoff: { min: 10, max: 100, jitter: 0, stable: 2_000 },
  quarantine: 5_000,
  storm: { share: 0.5, least: 3, within: 1_000 },
};

function crash(crashes: Crashes, key: string, now: number): string {
  const { count, until, quarantined } = crashes.crashed(key, new Error('bad'), undefined, now, 0);
  return `${count} ${until - now}${quarantined ? ' quarantined' : ''}`;
}

test('pauses grow, the third crash within the window is one too many, and time or release lifts the quarantine', () => {
  const crashes = new Crashes(RULES);
  assert.deepEqual([crash(crashes, 'a', 0), crash(crashes, 'a', 400)], ['1 10', '2 20']);
  assert.equal(crashes.verdict('a', 419), 'resting');
  assert.equal(crashes.verdict('a', 420), 'free');
  assert.equal(crash(crashes, 'a', 1_000), '3 5000 quarantined');
  assert.equal(crashes.verdict('a', 5_999), 'quarantined');
  assert.equal(crashes.verdict('a', 6_000), 'free');
  assert.equal(crashes.get('a'), undefined);
  assert.equal(crash(crashes, 'a', 6_001), '1 10');
});

test('after a quarantine the budget is whole, even inside the old window', () => {
  const crashes = new Crashes({ ...RULES, quarantine: 50 });
  for (const now of [0, 1, 2]) crash(crashes, 'a', now);
  assert.equal(crashes.verdict('a', 60), 'free');
  assert.equal(crash(crashes, 'a', 60), '1 10');
});

test('a key that stayed quiet starts anew; one that did not keeps its row of failures', () => {
  const crashes = new Crashes(RULES);
  crash(crashes, 'a', 0);
  assert.equal(crash(crashes, 'a', 2_000), '2 20');
  assert.equal(crash(crashes, 'a', 4_001), '1 10');
});

test('a quiet key behind a long quarantine is forgotten by its own next crash too', () => {
  const crashes = new Crashes(RULES);
  for (const now of [0, 1, 2]) crash(crashes, 'held', now);
  crash(crashes, 'a', 3);
  assert.equal(crash(crashes, 'a', 2_004), '1 10');
});

test('records expire by themselves as others crash', () => {
  const crashes = new Crashes(RULES);
  for (let key = 0; key < 50; key++) crash(crashes, `k${key}`, key);
  assert.equal(crashes.list(100).length, 50);
  crash(crashes, 'last', 2_010);
  assert.equal(crashes.list(2_010).length, 41);
  assert.equal(crashes.list(9_999).length, 0);
});

test('the table is bounded: the longest quiet goes first, the quarantined last', () => {
  const crashes = new Crashes(RULES);
  for (const now of [0, 0, 0]) crash(crashes, 'held', now);
  for (let key = 0; key < LIMITS.crashRecords + 9; key++) crash(crashes, `k${key}`, 1);
  assert.equal(crashes.list(1).length, LIMITS.crashRecords);
  assert.equal(crashes.verdict('held', 1), 'quarantined');
  assert.equal(crashes.get('k9'), undefined);
  assert.notEqual(crashes.get('k10'), undefined);
  for (let key = 0; key < LIMITS.crashRecords + 9; key++) for (const now of [2, 2]) crash(crashes, `k${key}`, now);
  assert.equal(crashes.list(2).length, LIMITS.crashRecords);
});

test('a storm needs enough different keys, a share of the partition, and all of it within its window', () => {
  const crashes = new Crashes(RULES);
  crash(crashes, 'a', 0);
  crash(crashes, 'a', 1);
  crash(crashes, 'b', 2);
  assert.equal(crashes.storm(0, 2), undefined);
  crash(crashes, 'c', 3);
  assert.equal(crashes.storm(2, 3), 3);
  assert.equal(crashes.storm(3, 3), undefined);
  assert.equal(crashes.storm(0, 1_001), 3);
  assert.equal(crashes.storm(0, 1_002), undefined);
});

test('a restarted partition forgets all but its quarantines', () => {
  const crashes = new Crashes(RULES);
  for (const now of [0, 1, 2]) crash(crashes, 'held', now);
  crash(crashes, 'a', 3);
  crashes.restarted();
  assert.equal(crashes.get('a'), undefined);
  assert.equal(crashes.verdict('held', 4), 'quarantined');
});

test('the text of an error is cut', () => {
  const crashes = new Crashes(RULES);
  const { error } = crashes.crashed('a', new Error('x'.repeat(9_999)), undefined, 0, 0);
  assert.equal(error.length, LIMITS.crashText);
});
