// Owns the token bucket: how often something may happen, on average and at once.
// Invariant: pure, and one number a bucket; a take that was refused changes nothing.
// Must not: know what is counted, or read a clock.
//
// A bucket of `burst` tokens gains one every `every` ms. All there is to know of it is the moment at which it will be full:
//
//        now                    full
//   ──────┼──────────────────────┼────▶      tokens missing = (full − now) / every
//
// (The generic cell rate algorithm, ITU-T I.371.) One that is full may be forgotten: it is like one never used.

export interface Rate {
  /** ms in which a token comes; 0: no limit. */
  readonly every: number;
  /** Tokens that a full bucket holds. */
  readonly burst: number;
}

/** A bucket never used. */
export const FULL = Number.NEGATIVE_INFINITY;

/** ms until there is a token; 0: now. `full`: as `take` answered last. */
export function wait(full: number, { every, burst }: Rate, now: number): number {
  return Math.max(0, full - (burst - 1) * every - now);
}

/** Tokens missing; of a bucket in debt more than it holds. */
export function missing(full: number, { every }: Rate, now: number): number {
  return every === 0 ? 0 : Math.max(0, full - now) / every;
}

/** The bucket after `tokens` were taken, whether or not they were there. */
export function take(full: number, { every }: Rate, now: number, tokens = 1): number {
  return Math.max(full, now) + tokens * every;
}
