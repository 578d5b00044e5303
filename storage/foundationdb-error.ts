// Owns what FoundationDB's error numbers mean for a commit or a read.
// Invariant: a commit counts as not applied only where FoundationDB says so; a number that is not listed leaves it open.
// Must not: retry, or decide how often.
// Source: flow/error_definitions.h and fdb_error_predicate in bindings/c/fdb_c.cpp, release 7.1; later ones keep the numbers.

import { reasonOf } from './failure.js';
import type { CommitResult } from './store.js';

/** Not applied, and the same transaction may pass when it is made again. */
const AGAIN = new Set<unknown>([
  1007, // transaction_too_old
  1009, // future_version
  1020, // not_committed: a key it read was changed meanwhile
  1037, // process_behind
  1042, // commit_proxy_memory_limit_exceeded
  1051, // batch_transaction_throttled
  1078, // grv_proxy_memory_limit_exceeded
  1213, // tag_throttled
]);

/** Of one that writes: perhaps applied, but not later than now. The client has made sure of that. */
const SETTLED = 1021; // commit_unknown_result

/** cluster_version_changed: the client talks to an upgraded cluster now; what was on its way is open. */
const VERSION_CHANGED = 1039;

/** Not applied and not to be. */
const REFUSED = new Set<unknown>([
  1038, // database_locked
  2101, // transaction_too_large
  2102, // key_too_large
  2103, // value_too_large
]);
const TOO_LARGE = new Set<unknown>([2101, 2102, 2103]);

function isAgain(error: unknown): boolean {
  return AGAIN.has(codeOf(error));
}

/** Of an error of the commit itself: it may have been applied, or may yet be. */
export function isOpen(error: unknown): boolean {
  return !AGAIN.has(codeOf(error)) && !REFUSED.has(codeOf(error));
}

export function isSettled(error: unknown): boolean {
  return codeOf(error) === SETTLED;
}

/** Of what does no harm twice: it may pass when it is tried again at once. */
export function isPassing(error: unknown): boolean {
  return isAgain(error) || isSettled(error) || codeOf(error) === VERSION_CHANGED;
}

export function failed(error: unknown): CommitResult {
  const code = TOO_LARGE.has(codeOf(error)) ? 'too_large' : 'store_unavailable';
  return { outcome: 'failed', code, reason: describe(error) };
}

/** The text with the number, by which it is found in FoundationDB's documentation. */
export function describe(error: unknown): string {
  const code = codeOf(error);
  if (code === 1031) return 'the cluster does not answer (1031)';
  return typeof code === 'number' ? `${reasonOf(error)} (${code})` : reasonOf(error);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
