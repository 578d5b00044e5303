// Owns the proof that a member that cannot be dialled is told of with the reason, and one that restarts is not.
// Invariant: time is the test's.
// Must not: dial.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { Reach } from '../../services/reach.js';
import { ManualWorld } from '../actors/manual-world.js';

const ADDRESS = 'wss://10.0.0.7:7500/peer';

function scene(): { world: ManualWorld; reach: Reach; lines: unknown[] } {
  const world = new ManualWorld();
  const lines: unknown[] = [];
  return { world, lines, reach: new Reach(world, (event, fields) => lines.push([event, fields])) };
}

test('a member that is dialled in vain for long is told of, once a minute', () => {
  const { world, reach, lines } = scene();
  const reason = 'ERR_TLS_CERT_ALTNAME_INVALID';
  for (let ms = 0; ms < LIMITS.noticeMs; ms += 500) {
    reach.dialled(ADDRESS, reason);
    world.advance(500);
  }
  assert.deepEqual(lines, [['link_unreachable', { address: ADDRESS, reason }]]);
  world.advance(LIMITS.unreachedMs);
  reach.dialled(ADDRESS, reason);
  assert.equal(lines.length, 2);
});

test('one that is there again in time, or not dialled any more, is not', () => {
  const { world, reach, lines } = scene();
  for (const address of [ADDRESS, 'wss://10.0.0.8:7500/peer']) reach.dialled(address, 'ECONNREFUSED');
  world.advance(LIMITS.unreachedMs - 1);
  reach.dialled(ADDRESS, null);
  world.advance(1);
  reach.dialled(ADDRESS, 'ECONNREFUSED');
  world.advance(LIMITS.noticeMs + 1);
  reach.dialled(ADDRESS, 'ECONNREFUSED');
  assert.deepEqual(lines, []);
});
