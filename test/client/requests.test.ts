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

test('requests that together are over the rate, and whose refusals count, all come through', async () => {
  const world = new ManualWorld();
  // A server as docs/wire.md has it: a frame each 4 ms, a request takes 4, a refused one 1, `after` until there is one.
  let free = 1_000;
  const answered: number[] = [];
  let tries = 0;
  const take = (r: number): void => {
    tries += 1;
    const wait = free - world.now();
    free = Math.max(free, world.now()) + (wait > 0 ? 4 : 16);
    if (wait > 0) requests.refuse(r, new WeftError('rate_limited', '', { retry: true, after: free - world.now() }));
    else {
      answered.push(r);
      requests.answer(r, { type: 'ok', results: [] });
    }
  };
  const requests = new Requests(world, (frame) => world.timer(0, () => take('r' in frame ? frame.r : 0)));
  requests.online();
  for (let at = 0; at < 20; at += 1) void requests.ask((r) => ({ type: T.DEVICES, r }), 20_000).catch(() => undefined);
  for (let at = 0; at < 200; at += 1) world.advance(50);
  assert.equal(answered.length, 20);
  assert.ok(tries < 200, `${tries} tries`);
});
