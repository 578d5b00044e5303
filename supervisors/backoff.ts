// Owns the pause before a restart. OTP restarts at once; here a child whose disk or peer is gone is not hammered.
// Invariant: 0 ≤ delay ≤ max, for any number of failures.
// Must not: roll dice or read a clock; both come in.

import type { Intensity } from './intensity.js';

export interface Backoff {
  /** ms before the first restart; doubles with each failure in a row. 0 restarts at once, always (plain OTP). */
  readonly min: number;
  /** ms at most. */
  readonly max: number;
  /** Share of the delay that chance may take off, 0 to 1: children that fell together do not come back together. */
  readonly jitter: number;
  /** ms a child must have been up for its failures to be forgotten. Apart from `min`, so that a child which fails a
   * little later than `min` each time still backs off. */
  readonly stable: number;
}

export const IMMEDIATE: Backoff = { min: 0, max: 0, jitter: 0, stable: 0 };

/** ms to wait after `failures` earlier failures in a row; `chance` is uniform in [0, 1). */
export function delay(backoff: Backoff, failures: number, chance: number): number {
  // 2^30 times any minimum is beyond any maximum; the cap keeps 0 × ∞ away.
  const grown = Math.min(backoff.max, backoff.min * 2 ** Math.min(failures, 30));
  return grown * (1 - backoff.jitter * chance);
}

/**
 * True when a child that fails at once, every time, uses up the intensity in spite of the pauses. Where it is false the
 * supervisor would back off for ever and never escalate: spec.ts refuses such a pair.
 */
export function escalates(backoff: Backoff, intensity: Intensity): boolean {
  let total = 0;
  for (let failures = 0; failures < intensity.restarts && total <= intensity.within; failures++)
    total += delay(backoff, failures, 0);
  return total <= intensity.within;
}
