// Owns the contract of an append: what a chat or a user hands to the log, and what becomes of it.
// Invariant: an append is answered once, after it was taken; one that was not taken is not.
// Must not: hold behaviour.

import type { Write } from './store.js';
import type { Telling } from './untold.js';

/** `lost`: another node owns the shard now; nothing of mine is written any more. Others as in CommitResult. */
export type AppendResult =
  | { readonly outcome: 'committed' }
  | { readonly outcome: 'lost' }
  | { readonly outcome: 'failed'; readonly reason: string };

/** What one chat wants written, all or nothing. */
export interface Append {
  readonly chat: Uint8Array;
  readonly shard: number;
  /** Highest sequence number of the chat after this append. */
  readonly head: number;
  readonly writes: readonly Write[];
  /** Bytes of keys and values. At most LIMITS.batchBytes. */
  readonly bytes: number;
  /** One of the writes, of which no earlier commit left the same: found as written, it shows that all of it was applied. */
  readonly witness: Write;
  /** Said when what it brings was told to whom it concerns. */
  readonly telling: Telling;
  readonly done: (result: AppendResult) => void;
}

/** Why an append was not taken: `busy` too much waits, `closed` the shard is not mine or about to go, `lapsed` no lease. */
export type Refused = 'busy' | 'closed' | 'lapsed';

/** Of what was not taken: another node has the shard soon, or has it already. */
export const SHARD_MOVING = 'shard_moving';

/** Answered for the append, by whoever asked. */
export function refused(why: Refused): AppendResult {
  return {
    outcome: 'failed',
    reason: why === 'busy' ? 'log_full' : why === 'closed' ? SHARD_MOVING : 'lease_lapsed',
  };
}
