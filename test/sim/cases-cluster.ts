// Owns the clean scene as one of two nodes that share a store, and the cases that spoil what only several nodes can break.
// Invariant: rows are written here by hand, as docs/simulation.md describes them.
// Must not: judge.

import type { DiskWrite } from '../../sim/record.js';
import { FIRST, type Scene, type Told } from './scene.js';
import { type Case, calm, change, find, put } from './spoil.js';

function number(value: number): Buffer {
  const row = Buffer.alloc(6);
  row.writeUIntBE(value, 0, 6);
  return row;
}

export const stored = (...writes: DiskWrite[]): Told => ({ kind: 'flushed', disk: 'store', writes });
export const grant = (epoch: number, node: string, by: string): DiskWrite => ({
  key: Uint8Array.of(7, 0, 0),
  value: Buffer.concat([number(epoch), Buffer.from(node)]),
  by,
});
export const append = (by: string): DiskWrite => ({ key: Uint8Array.of(8, 0, 0), value: Uint8Array.of(0), by });
export const member = (node: string, incarnation: number, beat: number, by: string): DiskWrite => ({
  key: Buffer.from(`\x10${node}`),
  value: incarnation === 0 ? null : Buffer.concat([Buffer.of(1), number(incarnation), number(beat), Buffer.of(1)]),
  by,
});

/** Everything happens at n1, which owns the only shard that is written to; n2 is there. */
export function clustered(scene: Scene): Scene {
  const cluster = {
    nodes: 2,
    spare: 0,
    earlier: {},
    homes: {},
    wires: [0, 0],
    store: [0, 0],
    patience: 1_000,
    late: 0,
    lost: 0,
    passivateMs: 1_000,
  } as const;
  scene.plan = { ...scene.plan, cluster };
  put(
    scene,
    0,
    { kind: 'process', node: 'n1', process: 'n1#1', alive: true },
    { kind: 'process', node: 'n2', process: 'n2#1', alive: true },
    stored(member('n1', 1, 0, 'n1#1')),
    stored(member('n2', 2, 0, 'n2#1')),
    stored(grant(1, 'n1', 'n1#1')),
    stored(append('n1#1')),
  );
  for (const node of ['n1', 'n2'])
    scene.facts.push({
      kind: 'shards',
      node,
      members: ['n1', 'n2'],
      owners: ['n1'],
      mine: node === 'n1' ? [0] : [],
    });
  return scene;
}

/** Where the store has all that `clustered` puts there. */
const ROWS = 6;

const at = (scene: Scene, ...facts: Told[]): void => put(clustered(scene), ROWS, ...facts);

export const CLUSTER_CASES: readonly Case[] = [
  [
    'an append after a newer grant',
    ['one_owner'],
    (scene) => at(scene, stored(grant(2, 'n2', 'n1#1')), stored(append('n1#1'))),
  ],
  [
    'an append of who was given the shard, and has not taken it',
    ['one_owner'],
    (scene) => at(scene, stored(grant(2, 'n2', 'n1#1')), stored(append('n2#1'))),
  ],
  ['an append of a process before', ['one_owner'], (scene) => at(scene, stored(append('n1#2')))],
  ['an epoch left out', ['epochs_rise'], (scene) => at(scene, stored(grant(3, 'n1', 'n1#1')))],
  ['an epoch again', ['epochs_rise'], (scene) => at(scene, stored(grant(1, 'n1', 'n1#1')))],
  ['a shard taken from a member', ['epochs_rise'], (scene) => at(scene, stored(grant(2, 'n2', 'n2#1')))],
  ['a shard given by who has it not', ['epochs_rise'], (scene) => at(scene, stored(grant(2, 'n1', 'n2#1')))],
  ['an eviction of who has just beaten', ['evicted_late'], (scene) => at(scene, stored(member('n2', 0, 0, 'n1#1')))],
  [
    'an ack of who is no member',
    ['acked_under_lease'],
    (scene) => {
      at(scene, stored(member('n1', 0, 0, 'n2#1')));
      const holds = ({ writes }: { readonly writes: readonly DiskWrite[] }): boolean =>
        writes.some(({ value }) => value !== null && Buffer.from(value).includes(FIRST));
      const place = find(scene, 'flushed', holds);
      const { writes } = scene.facts[place] as Extract<Told, { readonly kind: 'flushed' }>;
      change(scene, 'flushed', holds, { writes: writes.map((write) => ({ ...write, by: 'n1#1' })) });
    },
  ],
  [
    'two who take a shard for their own',
    ['agreed'],
    (scene) => change(clustered(scene), 'shards', ({ node }) => node === 'n2', { mine: [0] }),
  ],
  [
    'another owner for each',
    ['agreed'],
    (scene) => change(clustered(scene), 'shards', ({ node }) => node === 'n2', { owners: ['n2'] }),
  ],
  [
    'a member that one does not see',
    ['agreed'],
    (scene) => change(clustered(scene), 'shards', ({ node }) => node === 'n1', { members: ['n1'] }),
  ],
  [
    'a client cut off though its node is well',
    ['stays_connected'],
    (scene) => {
      clustered(scene);
      // Long after the nodes joined.
      const filler = (): Told => ({ kind: 'state', device: 'ada.1', life: 1, state: 'online' });
      put(scene, calm(scene), ...Array.from({ length: 5_100 }, filler));
      put(scene, calm(scene) + 1, { kind: 'unlink', link: 4, code: 1011 });
    },
  ],
];
