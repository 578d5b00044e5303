// Owns the order of commits that wait for a cluster: which may go out together, and which must let others go first.
// Invariant: of two commits where one writes what the other reads or writes, the earlier one is answered before the later
// one goes out, or goes before it in the same group. All others may be on their way at once.
// Must not: know an engine. Keys are compared by a hash of 32 bits: two that share one wait for each other without need.

import { LIMITS } from '../actors/limits.js';
import { type Commit, type CommitResult, STORE_LIMITS } from './store.js';

export interface Waiting {
  readonly commit: Commit;
  readonly answer: (result: CommitResult) => void;
  /** performance.now() of its arrival. */
  readonly since: number;
  /** Hashes of the keys that it checks and that it writes. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  readonly bytes: number;
}

export class Lineup {
  #waiting: Waiting[] = [];
  /** Of the groups on their way: who reads a key, and which are written. */
  readonly #read = new Map<number, number>();
  readonly #written = new Set<number>();

  get size(): number {
    return this.#waiting.length;
  }

  add(commit: Commit, answer: (result: CommitResult) => void): void {
    let bytes = 0;
    const reads = commit.checks.map(({ key, value }) => {
      bytes += key.length + (value?.length ?? 0);
      return hashOf(key);
    });
    const writes = commit.writes.map(({ key, value }) => {
      bytes += key.length + (value?.length ?? 0);
      return hashOf(key);
    });
    this.#waiting.push({ commit, answer, since: performance.now(), reads, writes, bytes });
  }

  /** The next group, in order of arrival; empty when all that wait must let others go first. `leave` ends its way. */
  take(): readonly Waiting[] {
    const group: Waiting[] = [];
    const left: Waiting[] = [];
    const readBefore = new Set<number>();
    const writtenBefore = new Set<number>();
    let bytes = 0;
    let at = 0;
    for (; at < this.#waiting.length && group.length < LIMITS.groupCommits; at++) {
      const next = this.#waiting[at]!;
      const behind =
        next.reads.some((key) => this.#written.has(key) || writtenBefore.has(key)) ||
        next.writes.some(
          (key) => this.#written.has(key) || this.#read.has(key) || writtenBefore.has(key) || readBefore.has(key),
        );
      if (behind) {
        left.push(next);
        for (const key of next.reads) readBefore.add(key);
        for (const key of next.writes) writtenBefore.add(key);
        continue;
      }
      if (group.length > 0 && bytes + next.bytes > STORE_LIMITS.transaction) break;
      bytes += next.bytes;
      group.push(next);
    }
    this.#waiting = at === this.#waiting.length ? left : left.concat(this.#waiting.slice(at));
    for (const { reads, writes } of group) {
      for (const key of reads) this.#read.set(key, (this.#read.get(key) ?? 0) + 1);
      for (const key of writes) this.#written.add(key);
    }
    return group;
  }

  /** The group was answered. */
  leave(group: readonly Waiting[]): void {
    for (const { reads, writes } of group) {
      for (const key of reads) {
        const left = this.#read.get(key)! - 1;
        if (left === 0) this.#read.delete(key);
        else this.#read.set(key, left);
      }
      for (const key of writes) this.#written.delete(key);
    }
  }

  /** Those that wait since before this time, which then wait no more. */
  expire(before: number): readonly Waiting[] {
    const expired = this.#waiting.filter(({ since }) => since < before);
    if (expired.length > 0) this.#waiting = this.#waiting.filter(({ since }) => since >= before);
    return expired;
  }
}

/** FNV-1a. */
function hashOf(key: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key[i]!, 0x01000193);
  return hash;
}
