// Owns the tests of how often a request is sent.
// Invariant: the clock is the test's.
// Must not: use a server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WeftError } from '../../client/errors.js';
import { Requests } from '../../client/requests.js';
import { T } from '../../transport/frames.js';
import { ManualWorld } from '../actors/manual-world.js';

test('a request that waits to be repeated is sent once by a new connection, not again when its wait is over', async () => {
  const world = new ManualWorld();
  const sent: number[] = [];
  const requests = new Requests(world, (frame) => void sent.push('r' in frame ? frame.r : 0));
  requests.online();
  const answer = requests.ask((r) => ({ type: T.DEVICES, r }));
  requests.refuse(1, new WeftError('busy', '', { retry: true, after: 100 }));
  requests.offline();
  requests.online();
  assert.deepEqual(sent, [1, 1]);
  world.advance(1_000);
  assert.deepEqual(sent, [1, 1]);
  // Refused on this connection, it comes again on this one.
  requests.refuse(1, new WeftError('busy', '', { retry: true, after: 100 }));
  world.advance(1_000);
  assert.deepEqual(sent, [1, 1, 1]);
  requests.answer(1, { type: 'ok', results: [] });
  assert.deepEqual(await answer, { type: 'ok', results: [] });
});
