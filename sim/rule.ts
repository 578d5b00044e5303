// Owns the form of a rule: a promise, and a function that says where a record breaks it.
// Invariant: a rule looks at evidence alone, and a violation names the chat and what was seen.
// Must not: hold rules.

import type { Evidence } from './evidence.js';

export interface Rule {
  readonly name: string;
  /** The promise as a user would say it. */
  readonly promise: string;
  check(evidence: Evidence, fault: Fault): void;
}

/** `at`: virtual ms where the violation shows, if it shows at a moment. */
export type Fault = (detail: string, at?: number) => void;

export interface Violation {
  readonly rule: string;
  readonly detail: string;
  readonly at: number | null;
}

/** Codes with which promises of a session that ends reject: what becomes of a message then is not known yet. */
export const SESSION_ENDS: readonly string[] = [
  'closed',
  'replaced',
  'device_removed',
  'bad_token',
  'token_expired',
  'bad_version',
];

/** ms before a kill of which a device may remember nothing: what is not written durably at once is so after 100 ms, on a disk that
 * takes its time. */
export const LAST_MOMENTS = 5_000;
