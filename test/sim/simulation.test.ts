// Owns the part of the simulation that every run of the tests takes.
// Invariant: a failure names its seed, and `npm run simulate -- --seed S` shows it again; slow machines run fewer histories, not longer.
// Must not: shrink (the command does).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Campaign } from '../../sim/campaign.js';
import { draw } from '../../sim/draw.js';
import type { Outcome } from '../../sim/trial.js';

/** The first seed, how many follow, and ms after which it ends all the same. */
const FIRST = 2_300;
const HISTORIES = 300;
const PATIENCE_MS = 20_000;

test('no history breaks a promise', async () => {
  const failures: string[] = [];
  const campaign = new Campaign({
    seed: FIRST,
    draw,
    histories: HISTORIES,
    until: performance.now() + PATIENCE_MS,
    now: () => performance.now(),
    keepGoing: true,
    failed: ({ plan, violations }: Outcome) => {
      const list = violations.map(({ rule, detail }) => `  ${rule}: ${detail}`);
      failures.push([`npm run simulate -- --seed ${plan.seed}`, ...list].join('\n'));
    },
  });
  await campaign.run();
  assert.ok(campaign.histories > 0 && campaign.replayed > 0);
  assert.equal(failures.join('\n'), '');
});
