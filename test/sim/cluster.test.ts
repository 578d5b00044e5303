// Owns the part of the cluster's simulation that every run of the tests takes, and what its plans must be.
// Invariant: a failure names its seed, and `npm run simulate -- --cluster --seed S` shows it again; slow machines run fewer histories.
// Must not: shrink (the command does).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Campaign } from '../../sim/campaign.js';
import { BLOWS, drawCluster } from '../../sim/draw-cluster.js';
import type { Outcome } from '../../sim/trial.js';

const FIRST = 100;
const HISTORIES = 24;
const PATIENCE_MS = 8_000;

test('no history of several nodes breaks a promise', async () => {
  const failures: string[] = [];
  const campaign = new Campaign({
    seed: FIRST,
    draw: drawCluster,
    histories: HISTORIES,
    until: performance.now() + PATIENCE_MS,
    now: () => performance.now(),
    keepGoing: true,
    failed: ({ plan, violations }: Outcome) => {
      const list = violations.map(({ rule, detail }) => `  ${rule}: ${detail}`);
      failures.push([`npm run simulate -- --cluster --seed ${plan.seed}`, ...list].join('\n'));
    },
  });
  await campaign.run();
  assert.ok(campaign.histories > 0 && campaign.replayed > 0);
  assert.equal(failures.join('\n'), '');
});

test('plans for clusters are plain data, follow from their seeds, and use every blow', () => {
  const plans = Array.from({ length: 300 }, (_, seed) => drawCluster(seed));
  for (const plan of plans.slice(0, 10)) {
    assert.deepEqual(drawCluster(plan.seed), plan);
    assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan);
  }
  const verbs = new Set(plans.flatMap(({ steps }) => steps.map(({ do: verb }) => verb as string)));
  for (const blow of Object.keys(BLOWS)) assert.ok(verbs.has(blow), blow);
  const quiet = plans.filter(({ steps }) => steps.some((step) => step.do === 'slow_wires' && step.node === '*'));
  assert.ok(quiet.length > 50 && quiet.length < 100, `${quiet.length} plans have their last words in the quiet`);
  assert.deepEqual([...new Set(plans.map(({ cluster }) => cluster!.nodes))].sort(), [2, 3, 4, 5, 6, 7]);
});
