// Owns LMDB as a process has it that reads the environment itself and has another one write it.
// Invariant: as store.ts: a commit is answered by the one who flushed it, and read from the memory that both map.
// Must not: open the environment for writing.
//
// Why not several writers, which LMDB allows: the list of free pages is kept in memory from one transaction to the next, and thrown away
// with each commit of another process. It is then read from the file in the middle of being saved to it, where the package's LMDB
// (3.5.6) meets a leaf that it has just emptied: the transaction fails ("Invalid zero size key", "Invalid null txn id", MDB_BAD_VALSIZE,
// MDB_NOTFOUND), every ten seconds or so where two processes write all the time. And who takes turns at a lock makes half the groups.

import { open, type RootDatabase } from 'lmdb';
import { LIMITS } from '../actors/limits.js';
import { assertRange, refusal, unavailable } from './admission.js';
import type { CommitLine } from './commit-line.js';
import { damage, isCorrupt, openError } from './lmdb-error.js';
import { page } from './lmdb-range.js';
import { LmdbWatch } from './lmdb-watch.js';
import type { Commit, CommitResult, RangePage, RangeQuery, Store } from './store.js';

export interface LmdbReaderOptions {
  /** Directory of an environment that its writer has opened. */
  readonly path: string;
  readonly line: CommitLine;
  /** Called once, when damaged pages were met. */
  readonly onBroken?: (code: 'store_corrupt', reason: string) => void;
}

/** Throws StoreOpenError. Its `close` leaves the line alone. */
export function openLmdbReader(options: LmdbReaderOptions): Store {
  try {
    const database = open<Uint8Array, Uint8Array>({
      path: options.path,
      noSubdir: false,
      keyEncoding: 'binary',
      encoding: 'binary',
      readOnly: true,
      mapSize: LIMITS.storeMapSize,
    });
    return new LmdbReader(database, options);
  } catch (error) {
    throw openError(options.path, error);
  }
}

class LmdbReader implements Store {
  readonly engine = 'lmdb';
  readonly durability = 'flushed';
  readonly #database: RootDatabase<Uint8Array, Uint8Array>;
  readonly #options: LmdbReaderOptions;
  readonly #watches: LmdbWatch;
  readonly #open = new Set<Promise<CommitResult>>();
  #broken = false;
  #closing: Promise<void> | undefined;

  constructor(database: RootDatabase<Uint8Array, Uint8Array>, options: LmdbReaderOptions) {
    this.#database = database;
    this.#options = options;
    this.#watches = new LmdbWatch((key) => this.#read(() => database.getBinary(key)));
  }

  /** The writer's, which are those of all who share it. */
  get transactions(): number {
    return this.#options.line.transactions;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#read(() => this.#database.getBinary(key));
  }

  async range(query: RangeQuery): Promise<RangePage> {
    assertRange(query);
    return this.#read(() => page(this.#database, query));
  }

  commit(commit: Commit): Promise<CommitResult> {
    const refused = refusal(commit);
    if (refused !== undefined) return Promise.resolve(refused);
    if (this.#closing !== undefined) return Promise.resolve(unavailable('the store is closed'));
    const answer = this.#options.line.commit(commit);
    this.#open.add(answer);
    void answer.then(({ outcome }) => {
      this.#open.delete(answer);
      if (outcome === 'committed') for (const { key } of commit.writes) this.#watches.touch(key);
    });
    return answer;
  }

  watch(key: Uint8Array, changed: () => void): () => void {
    return this.#watches.add(key, changed);
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    await Promise.all(this.#open);
    this.#watches.clear();
    await this.#database.close();
  }

  #read<T>(read: () => T): T {
    try {
      // The package keeps a snapshot for the rest of the turn, in which a commit may have been answered.
      this.#database.resetReadTxn();
      return read();
    } catch (error) {
      if (isCorrupt(error) && !this.#broken) {
        this.#broken = true;
        this.#options.onBroken?.('store_corrupt', damage(this.#options.path, error));
      }
      throw error;
    }
  }
}
