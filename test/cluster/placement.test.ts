// Owns the tests of the placement of a node that is alone.
// Invariant: it answers for every shard, and never changes.
// Must not: need a store.

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { alone } from '../../cluster/placement.js';

test('alone, a node owns every shard and is told of nothing', () => {
  const placement = alone('n1');
  const told: number[] = [];
  const unsubscribe = placement.subscribe((shard) => told.push(shard));
  for (let shard = 0; shard < LIMITS.shards; shard += 1) {
    assert.deepEqual(placement.owner(shard), { node: 'n1', mine: true });
  }
  placement.hint();
  unsubscribe();
  assert.deepEqual(told, []);
});
