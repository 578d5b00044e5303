// Owns the codes of a store that cannot be opened or read.
// Invariant: the text names the file or directory, so that an operator knows where to look.
// Must not: carry results of commits; those are values (store.ts).

export type StoreFailure =
  /** The data file is damaged, cut short or not a store of ours. */
  | 'store_corrupt'
  /** The folder had a data file, and has none now. */
  | 'store_missing'
  /** Written by a later version of Weft. */
  | 'store_newer'
  /** Written by a version so early that this one reads it no more. */
  | 'store_older'
  /** No room on the disk for what opening needs. */
  | 'store_full'
  /** The engine's client library or its package is not on this machine, or too old. */
  | 'store_client_missing'
  /** The cluster file is absent or is none. */
  | 'store_bad_cluster_file'
  /** It is another cluster's: the node has not the secret that its members have. */
  | 'cluster_secret'
  /** It speaks no version of the link protocol that a living member speaks. */
  | 'cluster_version'
  /** No access, read-only, or the disk answers with errors. */
  | 'store_unavailable';

/** Thrown by the open functions alone. */
export class StoreOpenError extends Error {
  constructor(
    readonly code: StoreFailure,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'StoreOpenError';
  }
}

/** What a read rejects with while the store does not answer. The same read may succeed later. */
export class StoreReadError extends Error {
  readonly code = 'store_unavailable';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreReadError';
  }
}

/** The text of whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
