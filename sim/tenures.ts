// Owns what the shared store's flushes tell of a cluster: who held which shard from when on, who was a member, who wrote for whom.
// Invariant: written from docs/simulation.md alone, which says what the rows of grants, dirty sets and nodes look like; the order of flushes
// is the order of the world.
// Must not: import the product, or judge.

import type { Evidence } from './evidence.js';
import type { DiskWrite } from './record.js';

/** First byte of the keys. */
const GRANT = 7;
const DIRTY = 8;
const NODE = 16;

interface Place {
  readonly at: number;
  readonly order: number;
}

export interface GrantRow extends Place {
  readonly shard: number;
  readonly epoch: number;
  /** Node that it names. */
  readonly node: string;
  /** Process that wrote it. */
  readonly by: string;
  readonly before: GrantRow | null;
  /** Incarnation of the node that the grant before it names, as that one was written; 0 none. Is it still a member, with that one? */
  readonly robs: boolean;
}

/** A transaction with entries of the shard. */
export interface Append extends Place {
  readonly shard: number;
  readonly by: string;
  /** The newest grant at that moment. */
  readonly grant: GrantRow | null;
}

/** A node's row came, changed or went. */
export interface NodeWrite extends Place {
  readonly node: string;
  readonly by: string;
  /** 0: it is gone. */
  readonly incarnation: number;
  /** The write before of this row. */
  readonly before: NodeWrite | null;
}

export interface Tenures {
  readonly grants: readonly GrantRow[];
  readonly appends: readonly Append[];
  readonly nodes: readonly NodeWrite[];
}

export function tenuresOf({ of }: Evidence): Tenures {
  const grants: GrantRow[] = [];
  const appends: Append[] = [];
  const nodes: NodeWrite[] = [];
  const newest = new Map<number, GrantRow>();
  /** Incarnation of a grant's node when it was written. */
  const granted = new Map<GrantRow, number>();
  const rows = new Map<string, NodeWrite>();
  for (const { at, order, writes } of of('flushed')) {
    for (const { key, value, by = '' } of writes) {
      const shard = ((key[1] ?? 0) << 8) | (key[2] ?? 0);
      if (key[0] === GRANT && value !== null) {
        const before = newest.get(shard) ?? null;
        const row = before === null ? undefined : rows.get(before.node);
        const taken = before !== null && before.node !== nodeOf(by);
        const robs = taken && (row?.incarnation ?? 0) !== 0 && row?.incarnation === granted.get(before);
        const node = Buffer.from(value).toString('utf8', 6);
        const grant = { at, order, shard, epoch: number(value, 0), node, by, before, robs };
        newest.set(shard, grant);
        granted.set(grant, rows.get(node)?.incarnation ?? 0);
        grants.push(grant);
      } else if (key[0] === DIRTY && value !== null) {
        appends.push({ at, order, shard, by, grant: newest.get(shard) ?? null });
      } else if (key[0] === NODE) {
        const node = Buffer.from(key).toString('utf8', 1);
        const before = rows.get(node) ?? null;
        const write = { at, order, node, by, incarnation: value === null ? 0 : number(value, 1), before };
        rows.set(node, write);
        nodes.push(write);
      }
    }
  }
  return { grants, appends, nodes };
}

/** What a flush says, for people; '' for beats alone. */
export function inWords(writes: readonly DiskWrite[]): string {
  const said = writes.flatMap(({ key, value, by = '' }) => {
    const shard = ((key[1] ?? 0) << 8) | (key[2] ?? 0);
    if (key[0] === GRANT && value !== null)
      return [`shard ${shard} is ${Buffer.from(value).toString('utf8', 6)}'s, epoch ${number(value, 0)}, says ${by}`];
    if (key[0] === DIRTY && value !== null) return [`${by} writes to shard ${shard}`];
    if (key[0] !== NODE) return [];
    const node = Buffer.from(key).toString('utf8', 1);
    if (value === null) return [`${node} is no member any more, says ${by}`];
    return number(value, 7) === 0 ? [`${node} joins as ${number(value, 1)}, says ${by}`] : [];
  });
  return [...new Set(said)].join('; ');
}

/** Node of a process: `n1#2` is a life of n1. */
export function nodeOf(process: string): string {
  return process.slice(0, process.indexOf('#'));
}

/** 6 bytes, the highest first. */
function number(bytes: Uint8Array, from: number): number {
  let value = 0;
  for (let at = from; at < from + 6; at += 1) value = value * 256 + (bytes[at] ?? 0);
  return value;
}
