// Owns the look at an LMDB data file before it is mapped.
// Invariant: a file that passes can be opened without a bus error on its roots.
// Must not: write.

/** Throws `store_corrupt`, `store_unavailable`. */
export function inspect(_directory: string): void {}
