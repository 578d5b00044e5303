// Owns what a commit must look like before any engine touches it.
// Invariant: an admitted commit is within STORE_LIMITS, so no engine can fail on its size half-way through a group.
// Must not: know an engine.

import { assert } from '../actors/errors.js';
import { type Commit, type CommitResult, type RangeQuery, STORE_LIMITS } from './store.js';

/** The answer to a commit that cannot be accepted, or undefined. An empty key is a bug of the caller: LMDB has none. */
export function refusal(commit: Commit): CommitResult | undefined {
  let bytes = 0;
  for (const { key, value } of commit.checks) {
    assert(key.length > 0, 'a key has at least one byte');
    if (key.length > STORE_LIMITS.key) return tooLarge('key', key.length, STORE_LIMITS.key);
    bytes += key.length + (value === null ? 0 : value.length);
  }
  for (const { key, value } of commit.writes) {
    assert(key.length > 0, 'a key has at least one byte');
    if (key.length > STORE_LIMITS.key) return tooLarge('key', key.length, STORE_LIMITS.key);
    if (value !== null) {
      if (value.length > STORE_LIMITS.value) return tooLarge('value', value.length, STORE_LIMITS.value);
      bytes += value.length;
    }
    bytes += key.length;
  }
  if (bytes > STORE_LIMITS.transaction) return tooLarge('commit', bytes, STORE_LIMITS.transaction);
  return undefined;
}

/** Of a commit that was not applied. */
export function unavailable(reason: string): CommitResult {
  return { outcome: 'failed', code: 'store_unavailable', reason };
}

/** Keys that no engine could hold are bugs of the caller; `end` may be one byte longer than a key, to follow the longest. */
export function assertRange(query: RangeQuery): void {
  assert(query.start.length <= STORE_LIMITS.key + 1, 'a range starts within the key limit');
  assert(query.end.length <= STORE_LIMITS.key + 1, 'a range ends within the key limit');
  assert(query.limit > 0 && Number.isSafeInteger(query.limit), 'a range has a limit');
}

function tooLarge(what: string, bytes: number, limit: number): CommitResult {
  return { outcome: 'failed', code: 'too_large', reason: `${what} of ${bytes} bytes, at most ${limit}` };
}
