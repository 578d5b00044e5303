// Owns the proof that plans follow from their seeds, are varied, and use every verb.
// Invariant: plans only.
// Must not: run histories.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { draw } from '../../sim/draw.js';
import { DEEDS, TROUBLES } from '../../sim/draw-steps.js';

const PLANS = Array.from({ length: 400 }, (_, seed) => draw(seed));

test('a seed gives one plan, which is plain data', () => {
  for (const plan of PLANS.slice(0, 20)) {
    assert.deepEqual(draw(plan.seed), plan);
    assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan);
  }
  assert.notDeepEqual(PLANS[1]!.steps, PLANS[2]!.steps);
});

test('steps stand in order of time, before the calm, and name devices that there are', () => {
  for (const { steps, users, calmAt } of PLANS) {
    const devices = new Set(users.flatMap((user) => user.devices));
    for (const [place, step] of steps.entries()) {
      assert.ok(step.at >= (steps[place - 1]?.at ?? 0));
      if ('device' in step) assert.ok(devices.has(step.device), step.device);
    }
    assert.ok(calmAt >= 0);
  }
});

test('bodies are unique in a history', () => {
  for (const { steps } of PLANS) {
    const bodies = steps.flatMap((step) => (step.do === 'send' ? [step.body] : []));
    assert.equal(new Set(bodies).size, bodies.length);
  }
});

test('every verb occurs; no history has all of them (swarm)', () => {
  const verbs = [...Object.keys(DEEDS), ...Object.keys(TROUBLES), 'start', 'create'];
  const seen = new Set(PLANS.flatMap(({ steps }) => steps.map((step) => step.do)));
  assert.deepEqual(
    verbs.filter((verb) => !seen.has(verb as never)),
    [],
  );
  for (const { steps } of PLANS) assert.ok(new Set(steps.map((step) => step.do)).size < verbs.length - 10);
});
