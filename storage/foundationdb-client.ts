// Owns the way to FoundationDB's client: the npm package `foundationdb`, which binds libfdb_c. Both are optional and loaded on demand.
// Invariant: only Buffers reach the package: it ends the process where a string key comes a second time. The parts of it
// that we use are typed here, so that the build needs neither.
// Must not: know rows, or retry.
//
// At the end of the process the package stops its network thread and waits for it. That thread hands results to ours
// through a queue of 16, and waits while it is full; ours, which is ending, takes none any more: with more than 16 on their
// way both wait for ever. So the package's listener is replaced by one that stops the thread only if it cannot wait.

import { createRequire } from 'node:module';
import { reasonOf, StoreOpenError } from './failure.js';

/** Of the C API. Clients from 7.1 on have it. */
const API_VERSION = 710;
/** Results that the network thread can leave without waiting for ours. */
const RESULT_QUEUE = 16;

export interface FdbWatch {
  /** True: the key changed. False: it was cancelled. Rejects with what ended it otherwise. */
  readonly promise: Promise<boolean>;
  cancel(): void;
}

/** Where a range begins or ends; made by `FdbClient.keySelector`. */
export interface FdbSelector {
  readonly key: Buffer;
}

export interface FdbRange {
  readonly results: readonly (readonly [Buffer, Buffer])[];
  readonly more: boolean;
}

/** Promises reject with an Error whose `code` is FoundationDB's number. */
export interface FdbTransaction {
  get(key: Buffer): Promise<Buffer | undefined>;
  getRangeRaw(
    start: FdbSelector,
    end: FdbSelector,
    limit: number,
    targetBytes: number,
    mode: number,
    iteration: number,
    reverse: boolean,
  ): Promise<FdbRange>;
  set(key: Buffer, value: Buffer): void;
  clear(key: Buffer): void;
  addReadConflictKey(key: Buffer): void;
  addWriteConflictKey(key: Buffer): void;
  watch(key: Buffer, options: { throwAllErrors: boolean }): FdbWatch;
  /** The same transaction, whose reads make no conflicts. */
  snapshot(): FdbTransaction;
  rawCommit(): Promise<void>;
  rawCancel(): void;
}

export interface FdbDatabase {
  rawCreateTransaction(): FdbTransaction;
  /** Commits what `body` did, and runs it again where FoundationDB says that this is the way. */
  doTransaction<T>(body: (transaction: FdbTransaction) => Promise<T>): Promise<T>;
  close(): void;
}

interface FdbDirectory {
  getSubspace(): { readonly prefix: Buffer };
}

export interface FdbClient {
  setAPIVersion(version: number, header: number): void;
  open(clusterFile: string, options: { readonly transaction_timeout: number }): FdbDatabase;
  stopNetworkSync(): void;
  readonly directory: {
    createOrOpen(transaction: FdbTransaction, path: readonly string[], layer: string): Promise<FdbDirectory>;
  };
  readonly keySelector: { firstGreaterOrEqual(key: Buffer): FdbSelector };
  readonly StreamingMode: { readonly Exact: number };
}

let loaded: FdbClient | undefined;
/** Of each open store: results that are on their way. */
const pending = new Set<() => number>();

/** Throws StoreOpenError `store_client_missing`. */
export function loadClient(): FdbClient {
  if (loaded !== undefined) return loaded;
  try {
    const client: FdbClient = createRequire(import.meta.url)('foundationdb');
    // Without the second number the package asks for what it was compiled with, which clients before 7.3 refuse.
    client.setAPIVersion(API_VERSION, API_VERSION);
    loaded = client;
    return client;
  } catch (error) {
    throw new StoreOpenError('store_client_missing', missing(error), { cause: error });
  }
}

/** `results` is asked at the end of the process; `forget` when the database was closed. */
export function openDatabase(
  client: FdbClient,
  clusterFile: string,
  timeoutMs: number,
  results: () => number,
): { readonly database: FdbDatabase; readonly forget: () => void } {
  const before = new Set(process.listeners('exit'));
  const database = client.open(clusterFile, { transaction_timeout: timeoutMs });
  for (const listener of process.listeners('exit')) {
    if (before.has(listener)) continue;
    process.off('exit', listener);
    process.once('exit', () => stop(client));
  }
  pending.add(results);
  return { database, forget: () => pending.delete(results) };
}

function stop(client: FdbClient): void {
  let results = 0;
  for (const count of pending) results += count();
  if (results <= RESULT_QUEUE) client.stopNetworkSync();
}

function missing(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const reason = reasonOf(error).split('\n')[0]!;
  if (code === 'MODULE_NOT_FOUND') return 'the npm package foundationdb is not installed: run "npm ci" in the checkout';
  if (code === 'ERR_DLOPEN_FAILED') {
    return (
      `FoundationDB's client library does not load (${reason}): install the package foundationdb-clients, 7.1 or later ` +
      '(https://github.com/apple/foundationdb/releases); where libfdb_c lies elsewhere, name its folder in LD_LIBRARY_PATH ' +
      'before the node starts, or in /etc/ld.so.conf.d and run ldconfig'
    );
  }
  if (code === 2203) return 'libfdb_c is too old: install the package foundationdb-clients, 7.1 or later';
  return `the npm package foundationdb does not load (${reason}): install foundationdb-clients, then run "npm rebuild foundationdb --ignore-scripts=false"`;
}
