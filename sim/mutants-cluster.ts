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
    breaks: 'A beat is the time by its node’s clock, and whoever reads it compares it with his own.',
    limit: 200,
    edits: [
      {
        file: 'cluster/membership.js',
        from: 'this.#key = nodeKey(node);',
        to: 'this.#key = nodeKey(node);\n        this.wall = () => world.wall();',
      },
      {
        file: 'cluster/membership.js',
        from: 'beat: this.#row.beat + 1',
        to: 'beat: Math.max(this.#row.beat + 1, this.wall())',
      },
      {
        file: 'cluster/life.js',
        from: 'const silent = this.observer.see(nodes.rows, began, world.now(), counts);',
        to: 'const silent = this.observer.see(nodes.rows, world.wall(), world.now(), counts);',
      },
      {
        file: 'cluster/observer.js',
        from: 'seen.silence >= LIMITS.leaseMs',
        to: 'seen.member.beat > 0 && began - seen.member.beat >= LIMITS.leaseMs',
      },
    ],
  },
  {
    name: 'directory without incarnation',
    promise: '2. Never lost',
    breaks:
      'What was meant for a connection of a node that has died goes to one of its successor with the same number.',
    limit: 1_000,
    edits: [
      {
        file: 'cluster/router.js',
        from: 'return peer?.link.incarnation === incarnation ? peer : undefined;',
        to: 'return peer;',
      },
      {
        file: 'cluster/names.js',
        from: 'this.#peer = peer;',
        to: `this.#peer = peer;
            const before = (all.heirs ??= new Map()).get(peer.node);
            const inherits = before !== undefined && before.incarnation !== peer.incarnation;
            if (inherits) this.#far = before.far;
            for (const connection of before?.far.values() ?? []) {
                if (inherits) connection.far = peer;
                else {
                    connection.end({ type: 'noconnection' });
                    all.ended(connection);
                }
            }
            all.heirs.set(peer.node, { incarnation: peer.incarnation, far: this.#far });`,
      },
      {
        file: 'cluster/names.js',
        from: 'for (const connection of [...this.#far.values()]) {',
        to: 'if (false) for (const connection of []) {',
      },
      { file: 'cluster/names.js', from: 'this.#far.clear();', to: '' },
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
    breaks: 'Who takes a shard forgets what its last owner left untold, before anybody was told.',
    limit: 200,
    edits: [{ file: 'cluster/recovery.js', from: 'this.#decode(shard, rows[at])', to: 'NOTHING_LEFT' }],
  },
  {
    name: 'block not heard of elsewhere',
    promise: '10. What a user owns',
    breaks: 'A chat that is awake on another node than the user is not told that he blocks the other.',
    limit: 500,
    edits: [
      {
        file: 'cluster/peer.js',
        from: 'whisperChat(key, message) {',
        to: "whisperChat(key, message) {\n        if (message.type === 'blocked')\n            return 'ok';",
      },
    ],
  },
  {
    name: 'link reset without needs-sync',
    promise: '2. Never lost',
    breaks: 'What a link had on its way when it broke is lost, and nobody is told to look.',
    limit: 1_000,
    edits: [
      {
        file: 'cluster/router.js',
        from: 'if ((shards & (1 << shard)) !== 0)\n                this.#missed.add(shard, since);',
        to: 'if (shards === undefined)\n                this.#missed.add(shard, since);',
      },
    ],
  },
];

export const clusterMutants: readonly Mutant[] = ALL.map((mutant) => ({ ...mutant, cluster: true }));
