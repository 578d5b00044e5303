// Owns the codes that a client may be told, with whether to retry and after how long.
// Invariant: a code, once out, keeps its meaning; docs/wire.md lists every one (a test compares).
// Must not: hold texts for people beyond a default.

/** Whether the same request may succeed later, and after how many ms at the earliest. */
export interface Advice {
  readonly retry: boolean;
  readonly after: number;
}

const never: Advice = { retry: false, after: 0 };

export const CODES = {
  bad_frame: never,
  bad_version: never,
  not_ready: never,
  bad_token: never,
  token_expired: never,
  auth_timeout: { retry: true, after: 0 },
  too_large: never,
  over_window: { retry: true, after: 50 },
  busy: { retry: true, after: 200 },
  /** Too often. `after` is told with each refusal; this is what a client waits where it cannot be known. */
  rate_limited: { retry: true, after: 1_000 },
  unavailable: { retry: true, after: 500 },
  unknown_chat: never,
  unknown_user: never,
  not_member: never,
  not_allowed: never,
  bad_id: never,
  full: never,
  bad_request: never,
  bad_invite: never,
  blocked: never,
  device_removed: never,
} as const satisfies Record<string, Advice>;

export type Code = keyof typeof CODES;

/** An expected refusal, returned as a value. */
export interface Refusal {
  readonly code: Code;
  readonly detail: string;
  /** ms until it may pass, where that is known better than by the code. */
  readonly after?: number;
}

export function refuse(code: Code, detail: string, after?: number): Refusal {
  return after === undefined ? { code, detail } : { code, detail, after };
}

/** Throws where an invariant is broken: a bug, in production too. The actor crashes and its supervisor decides. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${what}`);
}

/** What was read from the store is nothing that a build could have written: a damaged disk or file. Nothing mends it by itself. */
export class DamagedRow extends Error {
  readonly code = 'row_damaged';

  constructor(what: string) {
    super(`row_damaged: ${what}`);
    this.name = 'DamagedRow';
  }
}

/** Throws DamagedRow where a stored row is not as `what` says. */
export function assertRow(condition: unknown, what: string): asserts condition {
  if (!condition) throw new DamagedRow(what);
}
