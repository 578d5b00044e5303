// Owns one transaction of a cluster for a group of commits: read what they check, compare, write, commit.
// Invariant: a commit is answered `committed` after the cluster said so; it is tried again only where it certainly was not
// applied; where that is not certain all of the group is `unknown` and the fence is open. It ends within three time limits: settling, the last try, and its transaction.
// Must not: choose who is in the group (foundationdb-lineup.ts).

import { setTimeout as pause } from 'node:timers/promises';
import { FDB_LIMITS } from '../actors/limits.js';
import { equalBytes } from './bytes.js';
import type { FdbDatabase, FdbTransaction } from './foundationdb-client.js';
import { describe, failed, isOpen, isPassing, isSettled } from './foundationdb-error.js';
import type { Fence } from './foundationdb-fence.js';
import type { Space } from './foundationdb-space.js';
import type { Commit, CommitResult, Write } from './store.js';
import { nameOf } from './watch-list.js';

export interface Cluster {
  readonly database: FdbDatabase;
  readonly space: Space;
  readonly fence: Fence;
}

const COMMITTED: CommitResult = { outcome: 'committed' };

/** Answers in the order of `commits`; each is judged after those before it. */
export async function commitGroup(cluster: Cluster, commits: readonly Commit[]): Promise<readonly CommitResult[]> {
  const began = performance.now();
  for (let backoff = FDB_LIMITS.backoffMs; ; backoff *= 2) {
    let sent = false;
    try {
      if (cluster.fence.isOpen) await cluster.fence.settle();
      const transaction = cluster.database.rawCreateTransaction();
      const stored = await readChecks(transaction, cluster.space, commits);
      const results = commits.map((commit) => apply(transaction, cluster.space, stored, commit));
      if (results.includes(COMMITTED)) {
        transaction.addReadConflictKey(cluster.fence.key);
        sent = true;
        await transaction.rawCommit();
      }
      return results;
    } catch (error) {
      if (sent && isOpen(error)) {
        if (!isSettled(error)) cluster.fence.open();
        const unknown: CommitResult = { outcome: 'unknown', reason: describe(error) };
        return commits.map(() => unknown);
      }
      const result = failed(error);
      if (!isPassing(error) || performance.now() - began > FDB_LIMITS.timeoutMs) return commits.map(() => result);
      await pause(backoff * Math.random());
    }
  }
}

/** What is stored under each key that is checked, by name. The reads go out together and make conflicts with later writers. */
async function readChecks(
  transaction: FdbTransaction,
  space: Space,
  commits: readonly Commit[],
): Promise<Map<string, Uint8Array | null>> {
  const stored = new Map<string, Uint8Array | null>();
  const reads: Promise<void>[] = [];
  for (const { checks } of commits) {
    for (const { key } of checks) {
      const name = nameOf(key);
      if (stored.has(name)) continue;
      stored.set(name, null);
      reads.push(transaction.get(space.key(key)).then((value) => void stored.set(name, value ?? null)));
    }
  }
  await Promise.all(reads);
  return stored;
}

function apply(
  transaction: FdbTransaction,
  space: Space,
  stored: Map<string, Uint8Array | null>,
  { checks, writes }: Commit,
): CommitResult {
  for (let i = 0; i < checks.length; i++) {
    const { key, value } = checks[i]!;
    const found = stored.get(nameOf(key))!;
    if (value === null || found === null ? value !== found : !equalBytes(value, found)) {
      return { outcome: 'conflict', check: i };
    }
  }
  for (const write of writes) set(transaction, space, stored, write);
  return COMMITTED;
}

function set(
  transaction: FdbTransaction,
  space: Space,
  stored: Map<string, Uint8Array | null>,
  { key, value }: Write,
): void {
  if (value === null) transaction.clear(space.key(key));
  else transaction.set(space.key(key), Buffer.from(value.buffer, value.byteOffset, value.length));
  // Later commits of the group are judged by it.
  const name = nameOf(key);
  if (stored.has(name)) stored.set(name, value);
}
