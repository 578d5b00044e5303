// Owns the one error class of the SDK and the codes that arise in the client itself.
// Invariant: everything that rejects or is reported carries a stable code, whether to retry, and after how many ms.
// Must not: carry tokens, keys or bodies.

import { type Advice, CODES, type Code } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';

const never: Advice = { retry: false, after: 0 };

/** Codes besides the server's (docs/wire.md §6). */
const CLIENT_CODES = {
  /** No connection came about in time and the request was never sent. */
  offline: { retry: true, after: 0 },
  /** The session was closed. Unsent messages stay in the store and go out with the next session. */
  closed: never,
  /** No answer in time; the request may have been carried out. */
  timeout: { retry: true, after: 0 },
  /** The server sent what the protocol does not allow. */
  bad_response: { retry: true, after: 0 },
  /** The store could not write. Nothing was sent. */
  store_failed: { retry: true, after: 1_000 },
  /** The store belongs to another user or device. */
  store_mismatch: never,
  /** Another session uses the store. */
  store_locked: { retry: true, after: 1_000 },
  /** Too many messages wait to be sent. */
  outbox_full: { retry: true, after: 1_000 },
  /** The token function threw or took too long. */
  token_failed: { retry: true, after: 0 },
  /** A newer connection of the same device took over. */
  replaced: never,
  /** A listener threw; its message counts as handled. */
  listener_failed: never,
  /** The server holds less of a chat than this client has seen: its data were reset. */
  diverged: never,
  /** An argument makes no sense. */
  bad_argument: never,
} as const satisfies Record<string, Advice>;

export type ClientCode = keyof typeof CLIENT_CODES;
/** A newer server may send codes that this build does not list. */
export type ErrorCode = Code | ClientCode | (string & Record<never, never>);

export class WeftError extends Error {
  override readonly name = 'WeftError';
  readonly code: ErrorCode;
  /** The same call may succeed later. */
  readonly retry: boolean;
  /** ms to wait at least before that. */
  readonly after: number;

  constructor(code: ErrorCode, detail: string, advice?: Advice, cause?: unknown) {
    super(`${code}: ${detail}`, cause === undefined ? undefined : { cause });
    const known = advice ?? adviceFor(code);
    this.code = code;
    this.retry = known.retry;
    // A server may say any number, and the engines' timers do not take any.
    this.after = Math.min(known.after, LIMITS.clientTimerMs);
  }
}

function adviceFor(code: string): Advice {
  const all: Readonly<Record<string, Advice>> = { ...CODES, ...CLIENT_CODES };
  return all[code] ?? never;
}

/** Turns whatever was thrown into a WeftError of the given code, keeping one that already is. */
export function asWeftError(error: unknown, code: ClientCode): WeftError {
  if (error instanceof WeftError) return error;
  return new WeftError(code, error instanceof Error ? error.message : String(error), undefined, error);
}
