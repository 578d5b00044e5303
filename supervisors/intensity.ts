// Owns the sliding window that tells a child that fails now and then from one that cannot work.
// Invariant: the window never holds more than `restarts` + 1 instants, whatever happens.
// Must not: read a clock; `now` comes in.

/** At most `restarts` restarts within any `within` ms. One more, and the supervisor gives up (OTP: MaxR, MaxT). */
export interface Intensity {
  readonly restarts: number;
  readonly within: number;
}

/** Instants in ms of the restarts that still count, oldest first. */
export type Window = readonly number[];

export interface Recorded {
  readonly window: Window;
  readonly exceeded: boolean;
}

/**
 * Counts a restart at `now`. A restart exactly `within` ms ago still counts, as in OTP's supervisor.erl.
 *
 *      now - within                                now
 *           |<---------------- counted ------------->|
 *     ──x───x────────────────x───────────────────────x──▶ time
 *    dropped
 */
export function record(window: Window, now: number, { restarts, within }: Intensity): Recorded {
  const counted = window.filter((instant) => instant >= now - within);
  counted.push(now);
  return { window: counted, exceeded: counted.length > restarts };
}
