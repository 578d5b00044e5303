// Owns the check of when sites of buggify are struck.
// Invariant: draws of many seeds, so that chance alone cannot pass.
// Must not: run histories.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SITES } from '../../actors/buggify.js';
import { stream } from '../../sim/random.js';
import { faultOf, Strikes } from '../../sim/strikes.js';

const sites = Object.keys(SITES);

/** How often each site is struck when it is asked a hundred times. */
function struck(seed: number, active: number, fires: number): Map<string, number> {
  const strikes = new Strikes(seed, { active, fires }, 0);
  const luck = stream(seed, 'luck');
  const asked = sites.flatMap((site) => Array.from({ length: 100 }, () => site));
  const hits = asked.filter((site) => strikes.struck(site, luck, 1_000));
  return new Map(sites.map((site) => [site, hits.filter((hit) => hit === site).length]));
}

test('some sites are active in a history, others in another; the same seed strikes the same', () => {
  const first = struck(1, 0.4, 0.5);
  const active = sites.filter((site) => first.get(site)! > 0);
  assert.ok(active.length > 3 && active.length < sites.length - 3, `${active.length} active`);
  assert.deepEqual(struck(1, 0.4, 0.5), first);
  assert.notDeepEqual(struck(2, 0.4, 0.5), first);
  for (const count of struck(1, 0, 1).values()) assert.equal(count, 0);
});

test('handlers break off, but fewer times in a history than a key needs for its quarantine', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const breaks = [...struck(seed, 1, 1)].filter(([site]) => faultOf(site) === 'handler_crash');
    const sum = breaks.reduce((total, [, count]) => total + count, 0);
    assert.equal(sum, 4);
  }
});
