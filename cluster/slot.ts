// Owns what this node knows of one shard, and the states that it goes through here.
//
//   closed ── grant written ─▶ opening ── dirty set read ─▶ open ── meant for another ─▶ moving ── grant written ─▶ closed
//      ▲                                                     │                             └─ could not ─▶ open
//      └───────────── its actors have ended ◀── closing ◀── the grant is another's
//
// Invariant: there is a grant of this node's while the shard is opening, open or moving, and at no other time.
// Must not: change anything by itself (ownership.ts does).

import { LIMITS } from '../actors/limits.js';
import type { Untold } from '../storage/untold.js';
import type { Owner } from './placement.js';

export interface Slot {
  readonly shard: number;
  phase: 'closed' | 'opening' | 'open' | 'moving' | 'closing';
  /** This node's. */
  grant: Uint8Array | null;
  /** With the grant: what is not told for sure. */
  untold: Untold | null;
  /** The grant as last seen in the store. */
  row: Uint8Array | undefined;
  /** Value of the clock of changes when this life last changed the row. */
  changed: number;
  /** Where its actors can be reached. */
  owner: Owner | null;
}

/** Nothing is known of any shard. */
export function newSlots(): readonly Slot[] {
  return Array.from({ length: LIMITS.shards }, (_, shard) => ({
    shard,
    phase: 'closed' as const,
    grant: null,
    untold: null,
    row: undefined,
    changed: 0,
    owner: null,
  }));
}
