// Owns the tests of the proposal: spread, stability, and agreement of all who see the same members.
// Invariant: measured over many sets of names, not over one that happens to be good.
// Must not: test who is granted what.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { propose } from '../../cluster/rendezvous.js';

const names = (count: number, set = 0): string[] => Array.from({ length: count }, (_, at) => `node-${set}-${at}`);

function loads(plan: readonly string[]): number[] {
  const counts = new Map<string, number>();
  for (const node of plan) counts.set(node, (counts.get(node) ?? 0) + 1);
  return [...counts.values()];
}

test('every shard has a node, and no node more than its equal share, whatever they are called', () => {
  for (let count = 1; count <= LIMITS.nodes; count += 1) {
    for (let set = 0; set < 5; set += 1) {
      const plan = propose(names(count, set));
      assert.equal(plan.length, LIMITS.shards);
      assert.ok(plan.every((node) => node !== undefined));
      assert.ok(Math.max(...loads(plan)) <= Math.ceil(LIMITS.shards / count));
    }
  }
  assert.deepEqual(propose([]), []);
});

test('the order in which members are listed counts for nothing', () => {
  const all = names(7);
  assert.deepEqual(propose(all), propose([...all].reverse()));
});

test('who comes takes its share and little else moves; who goes leaves its share and little else moves', () => {
  let moved = 0;
  let needed = 0;
  for (let count = 1; count <= 7; count += 1) {
    for (let set = 0; set < 40; set += 1) {
      const [few, many] = [propose(names(count, set)), propose(names(count + 1, set))];
      moved += few.filter((node, shard) => node !== many[shard]).length;
      needed += many.filter((node) => node === `node-${set}-${count}`).length;
    }
  }
  assert.ok(moved < needed * 1.6, `${moved} moves where ${needed} were needed`);
});

test('nodes whose names differ in one letter share as evenly as any', () => {
  const plan = propose(['n1', 'n2', 'n3']);
  assert.deepEqual(loads(plan).sort(), [10, 11, 11]);
});
