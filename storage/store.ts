// Owns the storage contract: an ordered key-value store with conditional, durable commits.
// Invariant: `commit` answers `committed` only when the writes survive a crash of the process and of the machine, and
// applies all of them or none. Every engine passes test/storage/contract.
// Must not: know what the keys mean (keys.ts) or which engine runs.

/** Limits that hold for every engine (they are FoundationDB's). */
export const STORE_LIMITS = {
  /** Bytes of a key; FoundationDB refuses 10,000. Ours are under 200. */
  key: 1_000,
  /** Bytes of a value; FoundationDB refuses over 100,000. */
  value: 100_000,
  /** Bytes of keys and values in one commit; FoundationDB slows above 1 MB and refuses 10 MB. */
  transaction: 1_000_000,
} as const;

export interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Holds when the stored value equals `value` byte for byte; `null` requires that the key is absent. */
export interface Check {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** `null` deletes. A later write of one commit to the same key wins. */
export interface Write {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

export interface Commit {
  readonly checks: readonly Check[];
  readonly writes: readonly Write[];
}

export type CommitResult =
  /** Applied and durable. */
  | { readonly outcome: 'committed' }
  /** Not applied: the check at this index did not hold. */
  | { readonly outcome: 'conflict'; readonly check: number }
  /** May or may not have been applied: read back before going on. */
  | { readonly outcome: 'unknown'; readonly reason: string }
  /** Not applied, for a reason outside the data (disk full, read-only, too large). */
  | {
      readonly outcome: 'failed';
      readonly code: 'store_full' | 'store_unavailable' | 'too_large';
      readonly reason: string;
    };

/** Rows with `start` ≤ key < `end`, in key order (descending under `reverse`). */
export interface RangeQuery {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  /** Rows at most. */
  readonly limit: number;
  /** Bytes of values at most; at least one row is returned all the same. */
  readonly maxBytes?: number;
  readonly reverse?: boolean;
}

export interface RangePage {
  readonly rows: readonly Row[];
  /** True when the limit, not the range, ended the page. */
  readonly more: boolean;
}

/** What an acknowledged commit survives; goes out with every SENT. */
export type Durability = 'memory' | 'flushed' | 'replicated';

/** What only reads. */
export interface Reader {
  /** Reads that are worth having on their way at once. Absent: one, because the caller's own thread does the reading. */
  readonly readsAtOnce?: number;
  /** Committed data, never older than the last commit that this process was told of. Returned bytes are the caller's. */
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  range(query: RangeQuery): Promise<RangePage>;
}

export interface Store extends Reader {
  readonly engine: string;
  readonly durability: Durability;
  /** Transactions of the engine that commits have gone into since it was opened, where it counts them. */
  readonly transactions?: number;
  commit(commit: Commit): Promise<CommitResult>;
  /** Calls back after each later change of the key, perhaps once for several; the returned function ends it. */
  watch(key: Uint8Array, changed: () => void): () => void;
  /** Ends with every accepted commit settled. */
  close(): Promise<void>;
}
