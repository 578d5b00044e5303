// Owns the tests of where a log begins when nothing has said so yet, or what was said counts as had what was dropped here.
// Invariant: the clock is the test's.
// Must not: use a server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { ChatLog } from '../../client/chat-log.js';
import { Gaps } from '../../client/gaps.js';
import { ManualWorld } from '../actors/manual-world.js';

test("a number of one's own does not say where a chat begins: what is before it still comes", () => {
  const world = new ManualWorld();
  let syncs = 0;
  const gaps = new Gaps(world, {
    pull: () => Promise.reject(new Error('nothing to pull from')),
    sync: () => {
      syncs += 1;
    },
    placed: () => undefined,
    flowing: () => true,
    trouble: () => undefined,
  });
  gaps.connected();
  const log = new ChatLog();
  // Another device made the group and this one sent to it, both after its SYNC was read.
  log.sent(2);
  gaps.suspect(log);
  gaps.synced();
  assert.equal(log.placed, false);
  world.advance(LIMITS.clientGapMs);
  world.settle();
  assert.equal(syncs, 1);
  log.place(0);
  gaps.synced();
  assert.deepEqual([log.cursor, log.gap], [0, true]);
});

/** With a connection whose SYNC is not answered yet; `pulls`: before which numbers were asked for. */
function connected(world: ManualWorld) {
  const pulls: number[] = [];
  const gaps = new Gaps(world, {
    pull: (_log, before) => {
      pulls.push(before);
      return new Promise(() => undefined);
    },
    sync: () => undefined,
    placed: () => undefined,
    flowing: () => true,
    trouble: () => undefined,
  });
  gaps.connected();
  return { gaps, pulls };
}

test('what was dropped for want of room is pulled, though a CERT counts it as had; the answer to a SYNC counts it no more', () => {
  const world = new ManualWorld();
  const { gaps, pulls } = connected(world);
  gaps.synced();
  const log = new ChatLog();
  log.place(2);
  const at = { from: 'bob', id: new Uint8Array(16), lag: 0, paid: true } as const;
  const content = { type: 'message', body: new Uint8Array(1) } as const;
  // 3 is an own message whose SENT was lost, 4 finds no room, and after 5 the user was away until 6.
  assert.equal(
    log.arrive({ ...at, seq: 4, content }, () => false),
    'over',
  );
  gaps.certified(log, 6);
  assert.deepEqual([log.cursor, pulls], [2, [5]]);
  gaps.resyncNow();
  // The one before may still come; the answer tells that 3 is all that is left.
  gaps.certified(log, 6);
  gaps.certified(log, 4);
  assert.equal(log.cursor, 2);
  gaps.synced();
  assert.deepEqual([log.cursor, log.dropped], [3, 0]);
});

test('a CERT for a device that does not know the chat says nothing to one that began it meanwhile', () => {
  const world = new ManualWorld();
  const { gaps, pulls } = connected(world);
  const log = new ChatLog();
  gaps.begin(log, 2);
  assert.deepEqual([gaps.young(log), gaps.young(log)], [true, false], 'one CERT is the answer to its absence');
  gaps.unlisted(log, 3);
  assert.equal(log.gap, false);
  // With a backfill: 3 to 10 would not come.
  gaps.unlisted(log, 11);
  gaps.synced();
  const later = new ChatLog();
  gaps.begin(later, 0);
  assert.equal(gaps.young(later), false, 'the next SYNC has it');
  assert.deepEqual([log.cursor, log.gap], [2, true]);
  world.advance(LIMITS.clientGapMs);
  world.settle();
  assert.deepEqual(pulls, [11]);
});
