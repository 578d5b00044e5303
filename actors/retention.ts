// Owns how long a chat's entries are kept, and how quickly what has ended is swept.
// Invariant: pure; the same question gets the same answer.
// Must not: read a clock or a store.

import { LIMITS } from './limits.js';

/** What an operator may set. */
export type Retention =
  /** Entries of any age, or up to an age in ms (`Infinity`: for ever). */
  | { readonly type: 'history'; readonly ms: number }
  /** Until every registered device of every member has them; LIMITS.undeliveredMs at most. */
  | { readonly type: 'until-delivered' };

export const FOREVER: Retention = { type: 'history', ms: Number.POSITIVE_INFINITY };

/** ms between the sweeper's steps. */
export interface SweepPace {
  /** From the first acknowledgement to the sweep that takes what it and others freed. */
  readonly restMs: number;
  /** Between starts of sweeps. */
  readonly tickMs: number;
  /** Between pages of the slow scan over all chats, and after a whole round of it. */
  readonly scanMs: number;
  readonly roundMs: number;
}

export const SWEEP_PACE: SweepPace = {
  restMs: LIMITS.sweepRestMs,
  tickMs: LIMITS.sweepTickMs,
  scanMs: LIMITS.scanMs,
  roundMs: LIMITS.scanRoundMs,
};

/** ms after which an entry of the chat ends; `expiry`: the chat's own timer in s, 0 none. */
export function lifetime(retention: Retention, expiry: number): number {
  const most = retention.type === 'history' ? retention.ms : LIMITS.undeliveredMs;
  return expiry === 0 ? most : Math.min(most, expiry * 1_000);
}

/** ms that an entry's end may wait for others: one sweep takes them together, and one event tells of them. */
export function slack(life: number): number {
  return Math.min(life / 64, LIMITS.sweepSlackMs);
}
