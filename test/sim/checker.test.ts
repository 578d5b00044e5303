// Owns the proof that every rule of the checker can fire.
// Invariant: each case spoils the clean scene in one place and names the rules that must find it; others may see more of the same.
// Must not: use the product.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, RULES } from '../../sim/checker.js';
import { CLUSTER_CASES, clustered } from './cases-cluster.js';
import { ENTRY_CASES } from './cases-entries.js';
import { OTHER_CASES } from './cases-rest.js';
import { clean, DIRECT, IDS, message, recordOf, type Scene, SECOND } from './scene.js';
import { calm, put } from './spoil.js';

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

/** What one rule finds. */
const found = (rule: string, scene: Scene): string[] =>
  check(recordOf(scene)).flatMap((each) => (each.rule === rule ? [each.detail] : []));

test('a deletion comes to a node that stands still when that is over, after what was deleted', () => {
  const [, , spoil] = CASES.find(([name]) => name === 'a frame with a deleted body')!;
  for (const whom of ['n1', 'n2']) {
    const scene = clustered(clean());
    put(scene, calm(scene), { kind: 'fault', fault: 'node_zombie', whom, detail: '2500 ms' });
    spoil(scene);
    const [late] = found('deleted_is_gone', scene).filter((detail) => detail.includes('left for bob.1'));
    assert.equal(late === undefined, whom === 'n1');
  }
});

test('an installation has to know who has a message of its user from before it only if it was shown it', () => {
  for (const shown of [true, false]) {
    const scene = clean();
    const entry = message(2, IDS.second, 'ada', SECOND);
    put(
      scene,
      calm(scene),
      { kind: 'start', device: 'ada.2', life: 1, user: 'ada', fresh: true },
      ...(shown ? [{ kind: 'shown', device: 'ada.2', life: 1, chat: DIRECT, entry } as const] : []),
    );
    assert.equal(found('ticks', scene).length > 0, shown);
  }
});

test('every rule is proved to fire', () => {
  const proved = new Set(CASES.flatMap(([, rules]) => rules));
  assert.deepEqual(
    RULES.map(({ name }) => name).filter((name) => !proved.has(name)),
    [],
  );
});
