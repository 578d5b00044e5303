// Owns the tests of where a log begins when nothing has said so yet.
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
