// Owns the deliberate defects of several nodes: grants, leases, hand-over, recovery, links and what they lost.
// Invariant: each is a mistake that somebody could make, as small as it can be, and no equivalent of the right code.
// Must not: know how they are applied (mutant.ts).

import type { Mutant } from './mutant.js';

type InCluster = Omit<Mutant, 'cluster'>;

const ALL: readonly InCluster[] = [
  {
    name: 'no epoch read',
    promise: '5. One writer',
    breaks: 'An append does not look whose the shard is: who was evicted, or stood still, goes on writing.',
    limit: 200,
    edits: [
      {
        file: 'storage/log.js',
        from: 'const checks = [{ key: grantKey(shard.index), value: shard.grant }];',
        to: 'const checks = [];',
      },
    ],
  },
  {
    name: 'epoch read outside the transaction',
    promise: '5. One writer',
    breaks: 'An append looks whose the shard is, and then writes: what happens in between it does not see.',
    limit: 400,
    edits: [
      {
        file: 'storage/log.js',
        from: 'const result = await this.#attempt({ checks, writes });',
        to: `const held = await this.#read(checks[0].key);
            const mine = held !== undefined && equalBytes(held, checks[0].value);
            const result = mine ? await this.#attempt({ checks: [], writes }) : { outcome: 'conflict', check: 0 };`,
      },
    ],
  },
  {
    name: 'eviction by wall clock',
    promise: '5. One writer',
    breaks: 'How long a node has been silent is measured with clocks that jump.',
    limit: 200,
    edits: [
      {
        file: 'cluster/life.js',
        from: 'const silent = this.observer.see(nodes.rows, began, world.now(), counts);',
        to: 'const silent = this.observer.see(nodes.rows, world.wall(), world.wall(), counts);',
      },
      { file: 'cluster/observer.js', from: 'Math.min(passed, 2 * LIMITS.beatMs)', to: 'passed' },
    ],
  },
  {
    name: 'directory without incarnation',
    promise: '2. Never lost',
    breaks:
      'What was meant for a connection of a node that has died goes to one of its successor with the same number.',
    limit: 400,
    edits: [
      {
        file: 'cluster/router.js',
        from: 'return peer?.link.incarnation === incarnation ? peer : undefined;',
        to: 'return peer;',
      },
    ],
  },
  {
    name: 'hand-over without sealing',
    promise: '5. One writer',
    breaks: 'A shard is given away while appends of it are on their way, and more are taken.',
    limit: 200,
    edits: [
      {
        file: 'cluster/ownership.js',
        from: 'const sealed = log.seal(slot.shard);',
        to: 'const sealed = Promise.resolve(true);',
      },
    ],
  },
  {
    name: 'dirty set cleared too early',
    promise: '2. Never lost',
    breaks: 'A chat leaves the dirty set with the next transaction, whether or not its news have arrived anywhere.',
    limit: 500,
    edits: [
      {
        file: 'storage/untold.js',
        from: 'this.#sweep();\n        if (this.#open.size === 0)\n            return { chats: batch, more: this.#more };',
        to: 'this.#sweep();\n        if (batch.length > 0)\n            return { chats: batch, more: false };',
      },
    ],
  },
  {
    name: 'link reset without needs-sync',
    promise: '2. Never lost',
    breaks: 'What a link had on its way when it broke is lost, and nobody is told to look.',
    limit: 200,
    edits: [
      {
        file: 'cluster/router.js',
        from: 'if ((shards & (1 << shard)) !== 0)\n                this.missed(shard);',
        to: 'if (shards === undefined)\n                this.missed(shard);',
      },
    ],
  },
];

export const clusterMutants: readonly Mutant[] = ALL.map((mutant) => ({ ...mutant, cluster: true }));
