// Owns the proof that every rule of the checker can fire.
// Invariant: each case spoils the clean scene in one place and names the rules that must find it; others may see more of the same.
// Must not: use the product.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, RULES } from '../../sim/checker.js';
import { CLUSTER_CASES, clustered } from './cases-cluster.js';
import { ENTRY_CASES } from './cases-entries.js';
import { OTHER_CASES } from './cases-rest.js';
import { clean, recordOf } from './scene.js';

const CASES = [...ENTRY_CASES, ...OTHER_CASES, ...CLUSTER_CASES];

test('the clean scene gives no rule a reason', () => {
  assert.deepEqual(check(recordOf(clean())), []);
  assert.deepEqual(check(recordOf(clustered(clean()))), []);
});

for (const [name, rules, spoil] of CASES) {
  test(`found: ${name}`, () => {
    const scene = clean();
    spoil(scene);
    const found = check(recordOf(scene));
    const list = found.map(({ rule, detail }) => `${rule}: ${detail}`).join('\n');
    const named = new Set(found.map(({ rule }) => rule));
    for (const rule of rules) assert.ok(named.has(rule), `${rule} is silent; found:\n${list}`);
  });
}

test('every rule is proved to fire', () => {
  const proved = new Set(CASES.flatMap(([, rules]) => rules));
  assert.deepEqual(
    RULES.map(({ name }) => name).filter((name) => !proved.has(name)),
    [],
  );
});
