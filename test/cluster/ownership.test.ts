// Owns the proof of what a node does about shards for which it was not quick enough.
// Invariant: the store's answers are the test's.
// Must not: run whole clusters (cluster.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { Ownership, type OwnershipParts } from '../../cluster/ownership.js';
import { shardInKey } from '../../storage/cluster-keys.js';
import { encodeGrant } from '../../storage/cluster-rows.js';
import type { Commit, CommitResult } from '../../storage/store.js';

test('what another member took meanwhile is not taken from it', async () => {
  const asked: { readonly shards: number[]; answer(result: CommitResult): void }[] = [];
  const parts: OwnershipParts = {
    node: 'a',
    store: {
      commit: ({ writes }: Commit) =>
        new Promise<CommitResult>((answer) => {
          asked.push({ shards: writes.map(({ key }) => shardInKey(key)), answer });
        }),
    },
    observer: { member: (node: string) => (node === 'b' ? {} : undefined) },
    lapsed: () => false,
    moved: () => undefined,
    again: () => undefined,
  } as never;
  const ownership = new Ownership(parts);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const plan = Array.from({ length: LIMITS.shards }, () => 'a');
  ownership.reconcile([], 0, plan);
  assert.equal(asked[0]!.shards.length, LIMITS.shards, 'nobody had any');
  // A look during that transaction finds that b was quicker with two of them.
  const grant = encodeGrant({ epoch: 1, node: 'b' });
  ownership.reconcile([grant, undefined, grant], 0, plan);
  asked[0]!.answer({ outcome: 'conflict', check: 0 });
  await turn();
  const again = asked.slice(1).flatMap(({ shards }) => shards);
  assert.equal(again.length, LIMITS.shards - 2);
  assert.ok(!again.includes(0) && !again.includes(2));
  assert.equal(ownership.owner(0)?.node, 'b');
});
