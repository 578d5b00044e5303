// Owns what the log keeps of one shard from when it is taken until it is given up: the grant, what waits, what is being committed.
// Invariant: appends leave in the order in which they came; a tenure that is over is never used again, though what it had in
// flight may still be answered.
// Must not: talk to the store (log.ts).

import { LIMITS } from '../actors/limits.js';
import type { Append } from './append.js';
import { decodeGrant } from './cluster-rows.js';
import type { Untold } from './untold.js';

export class Tenure {
  readonly index: number;
  readonly grant: Uint8Array;
  readonly epoch: number;
  /** Null where nobody else could tell members anything: the dirty set is the newest transaction's. */
  readonly untold: Untold | null;
  queue: Append[] = [];
  /** What is being committed. */
  batch: readonly Append[] = [];
  busy = false;
  /** Another node has the shard, or this one is no member any more: what waits is refused. */
  lost = false;
  /** Called when the last append is answered: no others are taken. */
  sealed: (() => void) | null = null;

  constructor(index: number, grant: Uint8Array, untold: Untold | null) {
    this.index = index;
    this.grant = grant;
    this.epoch = decodeGrant(grant).epoch;
    this.untold = untold;
  }

  get quiet(): boolean {
    return !this.busy && this.queue.length === 0;
  }

  /** As many appends from the front as fit one transaction; at least one. */
  take(most: number): Append[] {
    const { queue } = this;
    let bytes = 0;
    let count = 0;
    while (count < queue.length && count < most) {
      bytes += queue[count]!.bytes;
      if (bytes > LIMITS.batchBytes && count > 0) break;
      count += 1;
    }
    return count === queue.length ? queue.splice(0) : queue.splice(0, count);
  }
}
