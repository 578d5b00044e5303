// Owns the limits of the FoundationDB engine, each with its reason.
// Invariant: as actors/limits.ts, which has those that all engines share.
// Must not: be read from the environment.

export const FDB_LIMITS = {
  /** ms that a transaction may take, and for which one that was refused is tried again: a cluster recovers from the loss
   * of a machine within a second or two, and a client's send waits for it. */
  timeoutMs: 2_000,
  /** ms to open a store: the cluster may be starting at the same time. */
  openMs: 10_000,
  /** ms before the second try of opening, and of each later one. */
  openPauseMs: 100,
  /** Transactions of commits on their way at once. Fewer gather more commits in each, more wait for less. */
  inFlight: 4,
  /** ms before a commit that was refused is tried again, at most; twice as many before each later try. */
  backoffMs: 4,
  /** ms before a read that was refused is tried again. */
  rereadMs: 5,
  /** Rows of one answer to a range: they are all in memory before the first is looked at. */
  rows: 1_000,
  /** Bytes asked for beyond what a page may have, for keys and for the row that ends it. */
  rowsBytes: 4_096,
  /** Keys watched in one store: views and shards. The client has 10,000 at most. */
  watches: 1_024,
  /** ms before a watch that the cluster did not take is asked for again. */
  rewatchMs: 500,
} as const;
