// Owns the proof that the log is told of trouble at once, and of the same trouble of thousands in a few lines.
// Invariant: time is the test's.
// Must not: need a log.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { Notices } from '../../services/notices.js';
import { ManualWorld } from '../actors/manual-world.js';

test('of what thousands of chats say, the first are told as they are and the others counted, by reason', () => {
  const world = new ManualWorld();
  const lines: unknown[] = [];
  const notices = new Notices(world, (event, fields) => lines.push([event, fields]));
  for (let chat = 0; chat < 5_000; chat++) notices.report('append_failed', { chat: `c${chat}`, reason: 'store_full' });
  notices.report('append_failed', { user: 'ada', reason: 'shard_moving' });
  assert.equal(lines.length, LIMITS.noticeBurst + 1);
  assert.deepEqual(lines[0], ['append_failed', { chat: 'c0', reason: 'store_full' }]);
  assert.deepEqual(lines.at(-1), ['append_failed', { user: 'ada', reason: 'shard_moving' }]);
  world.advance(LIMITS.noticeBurstMs);
  assert.deepEqual(lines.slice(LIMITS.noticeBurst + 1), [
    ['append_failed', { reason: 'store_full', more: 5_000 - LIMITS.noticeBurst }],
  ]);
  notices.report('append_failed', { chat: 'c0', reason: 'store_full' });
  assert.equal(lines.length, LIMITS.noticeBurst + 3, 'it is told again while it goes on');
});

test('all else is told each time', () => {
  const world = new ManualWorld();
  const lines: string[] = [];
  const notices = new Notices(world, (event) => lines.push(event));
  for (let times = 0; times < 50; times++) notices.report('beat_failed', { reason: 'store_unavailable' });
  assert.equal(lines.length, 50);
});
