// Owns the embedded engine: LMDB through the `lmdb` package, one environment a directory, written by one process of a host; its
// others read it (lmdb-reader.ts). Services that share a folder take turns, which the package is not good at (group-size.ts).
//
//   commit ──► waiting ──► one write transaction ──► pages written ──► fdatasync ──► meta page, O_DSYNC ──► answers
//                ▲                (all that wait, in order of arrival)                                        │
//                └────────────────────── the next one starts when this one is durable ◄───────────────────────┘
//
// Invariant: an answer follows the flush of its transaction; what a reader can see is durable.
// Must not: know what the keys mean; hand out bytes of LMDB's own memory.
//
// `overlappingSync` is off. With it LMDB shows a transaction to readers before it is flushed, so a retry could be answered
// from a row that a power cut takes back; and after kill -9 the package takes what it finds as flushed and may overwrite
// pages that the last durable state still needs. Without it a transaction becomes visible by the write of its meta page,
// which is itself synchronous, and a failed fdatasync leaves the earlier state whole.
//
// One transaction at a time, its callback run by the package on our thread. Measured beside the other ways in one run (one
// request: 6 puts of 150 bytes and a check; 60 at once; µs of CPU a request, 8 of them the load's own): this engine 48-49,
// bare puts without checks 45-47, overlapping sync with two in flight 50-52; transactionSync, write map and conditional
// batches within the noise of these. Alone, a commit takes 0.5 ms where its two flushes take 0.4. The cost is pages written,
// not the way they are handed over, so the simplest way with the largest groups is kept.

import { open, type RootDatabase } from 'lmdb';
import { LIMITS } from '../actors/limits.js';
import { assertRange, refusal, unavailable } from './admission.js';
import { equalBytes } from './bytes.js';
import { reasonOf } from './failure.js';
import { GroupSize } from './group-size.js';
import { causeOf, damage, isCorrupt, isFull, isGivenUp, openError } from './lmdb-error.js';
import { type Identity, identify, inspect, mark, noRoom } from './lmdb-file.js';
import { ensureFormat } from './lmdb-format.js';
import { FIRST_KEY, page } from './lmdb-range.js';
import { LmdbWatch } from './lmdb-watch.js';
import type { Check, Commit, CommitResult, RangePage, RangeQuery, Store } from './store.js';

export interface LmdbOptions {
  /** Directory; made if absent. */
  readonly path: string;
  /** Bytes that the data file may grow to; commits beyond answer `store_full`. */
  readonly mapSize?: number;
  /** Called after each flush and before its answers, with the number of commits it made durable. */
  readonly onFlushed?: (batch: number) => void;
  /** Called once when this process cannot go on with the file. From then on everything answers `store_unavailable`. */
  readonly onBroken?: (code: Breakdown, reason: string) => void;
  /** Look at every page before the file is mapped, not only at LIMITS.storeCheckPages: minutes for hundreds of GB. */
  readonly thorough?: boolean;
  /** Commits come from other processes: a busy store lets theirs come together. Of one's own process, each turn brings all there are. */
  readonly gathers?: boolean;
  /** ms until a transaction counts as stalled; LIMITS.storeStallMs where absent. */
  readonly stallMs?: number;
}

export type Breakdown =
  /** An error in the last step of a commit: a new process reads what became of it. */
  | 'store_broken'
  /** Damaged pages were met. */
  | 'store_corrupt'
  /** The data file was removed, replaced or cut short while it was in use. */
  | 'store_missing';

interface Request {
  readonly commit: Commit;
  readonly answer: (result: CommitResult) => void;
}

type Database = RootDatabase<Uint8Array, Uint8Array>;

const COMMITTED: CommitResult = { outcome: 'committed' };

/** Throws StoreOpenError, with any of its codes. */
export async function openLmdb(options: LmdbOptions): Promise<Store> {
  inspect(options.path, options.thorough === true ? Number.MAX_SAFE_INTEGER : LIMITS.storeCheckPages);
  let database: Database;
  try {
    database = open<Uint8Array, Uint8Array>({
      path: options.path,
      noSubdir: false,
      keyEncoding: 'binary',
      encoding: 'binary',
      overlappingSync: false,
      // With it, a commit that fails also rejects a promise of the package's own that nobody can reach, and Node ends.
      eventTurnBatching: false,
      mapSize: LIMITS.storeMapSize,
    });
  } catch (error) {
    throw openError(options.path, error);
  }
  try {
    await ensureFormat(database, options.path);
  } catch (error) {
    await database.close();
    throw openError(options.path, error);
  }
  mark(options.path);
  return new Lmdb(database, options);
}

class Lmdb implements Store {
  readonly engine = 'lmdb';
  readonly durability = 'flushed';
  transactions = 0;
  readonly #database: Database;
  readonly #options: LmdbOptions;
  readonly #watches: LmdbWatch;
  readonly #readers: NodeJS.Timeout;
  readonly #size = new GroupSize();
  /** Commits in the last transaction. */
  #last = 0;
  #waiting: Request[] = [];
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  /** The engine has not answered for so long that nothing more is accepted; it may still come back. */
  #stalled = false;
  /** Why this process cannot go on. */
  #broken: string | undefined;
  /** As it was after the newest commit. */
  #file: Identity | undefined;

  constructor(database: Database, options: LmdbOptions) {
    this.#database = database;
    this.#options = options;
    this.#file = identify(options.path);
    // A process that was killed while it read holds back every page freed since, and the file grows.
    this.#readers = setInterval(() => database.readerCheck(), LIMITS.storeReadersMs).unref();
    this.#watches = new LmdbWatch((key) => this.#read(() => database.getBinary(key)));
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#read(() => this.#database.getBinary(key));
  }

  async range(query: RangeQuery): Promise<RangePage> {
    assertRange(query);
    return this.#read(() => page(this.#database, query));
  }

  /** The bytes must stay as they are until the answer: they are read when the transaction starts. */
  commit(commit: Commit): Promise<CommitResult> {
    const refused = refusal(commit);
    if (refused !== undefined) return Promise.resolve(refused);
    if (this.#closing !== undefined) return Promise.resolve(unavailable('the store is closed'));
    if (this.#broken !== undefined) return Promise.resolve(unavailable(this.#broken));
    if (this.#stalled) return Promise.resolve(unavailable('the disk does not answer'));
    if (this.#waiting.length >= LIMITS.storeQueue) return Promise.resolve(unavailable('too many commits wait'));
    return new Promise((answer) => {
      this.#waiting.push({ commit, answer });
      this.#running ??= this.#run();
    });
  }

  watch(key: Uint8Array, changed: () => void): () => void {
    return this.#watches.add(key, changed);
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  #read<T>(read: () => T): T {
    try {
      // The package keeps a snapshot for the rest of the turn, in which another process may have committed and told us of it.
      this.#database.resetReadTxn();
      return read();
    } catch (error) {
      if (isCorrupt(error)) this.#damaged(error);
      throw error;
    }
  }

  async #end(): Promise<void> {
    while (this.#running !== undefined && !this.#stalled)
      await Promise.race([this.#running, pause(LIMITS.storeStallMs)]);
    this.#watches.clear();
    clearInterval(this.#readers);
    // A thread that hangs in the disk holds the environment; only the end of the process frees it.
    if (!this.#stalled) await this.#database.close();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && this.#broken === undefined) {
      if (this.#options.gathers === true && this.#last >= LIMITS.storeGatherCommits) await later(LIMITS.storeGatherMs);
      // A disk that refuses is asked a few times a second, however many commits come: the package prints each failure.
      if (!(await this.#transact()) && this.#broken === undefined) await later(LIMITS.storePauseMs);
    }
    for (const { answer } of this.#waiting.splice(0)) answer(unavailable(this.#broken ?? ''));
    this.#running = undefined;
  }

  /** One group: everything that waits, up to the limit, when LMDB hands over its write lock. False: it was not written. */
  async #transact(): Promise<boolean> {
    let group: Request[] = [];
    const results: CommitResult[] = [];
    const stall = setTimeout(() => this.#giveUp(group), this.#options.stallMs ?? LIMITS.storeStallMs);
    let failure: CommitResult | undefined;
    try {
      await this.#database.transaction(() => {
        group = this.#waiting.splice(0, this.#size.most);
        const full = this.#full();
        for (const { commit } of group) results.push(full ?? this.#evaluate(commit));
      });
    } catch (error) {
      failure = await this.#explain(error, group.length);
      // Nothing was evaluated where LMDB failed to begin: without this the loop would try the same again for ever.
      if (group.length === 0) group = this.#waiting.splice(0);
    } finally {
      clearTimeout(stall);
    }
    // Those of a transaction that stalled have been answered.
    if (!this.#stalled && this.#again(failure, group.length)) {
      this.#waiting.unshift(...group);
      return true;
    }
    this.#stalled = false;
    this.transactions += 1;
    this.#last = group.length;
    failure ??= this.#displaced();
    if (failure === undefined) this.#options.onFlushed?.(group.length);
    for (let i = 0; i < group.length; i++) {
      const { answer, commit } = group[i]!;
      const result = failure ?? results[i]!;
      answer(result);
      if (result === COMMITTED) for (const { key } of commit.writes) this.#watches.touch(key);
    }
    return failure === undefined;
  }

  #again(failure: CommitResult | undefined, size: number): boolean {
    if (failure === undefined) this.#size.written();
    return failure?.outcome === 'failed' && failure.code === 'store_unavailable' && this.#size.failed(size);
  }

  #evaluate(commit: Commit): CommitResult {
    for (let i = 0; i < commit.checks.length; i++) {
      if (!this.#holds(commit.checks[i]!)) return { outcome: 'conflict', check: i };
    }
    for (const { key, value } of commit.writes) {
      if (value === null) this.#database.remove(key);
      else this.#database.put(key, value);
    }
    return COMMITTED;
  }

  #holds(check: Check): boolean {
    const value = this.#database.getBinaryFast(check.key);
    if (value === undefined || check.value === null) return value === undefined && check.value === null;
    return equalBytes(value, check.value);
  }

  /** The package grows the map by itself, so the operator's bound is held here. */
  #full(): CommitResult | undefined {
    const { mapSize } = this.#options;
    if (mapSize === undefined || this.#file === undefined || this.#file.bytes < mapSize) return undefined;
    return { outcome: 'failed', code: 'store_full', reason: `the data file has reached ${mapSize} bytes` };
  }

  /**
   * What a failed transaction means. LMDB writes pages, flushes them, then writes the meta page: an error before the last
   * step leaves nothing behind. An error in the last step may have reached the disk; LMDB then refuses everything in this
   * process, reads too, which is how the two are told apart. Nor may it be asked to write again: the package would keep its
   * lock for ever, and the process could not even exit.
   */
  async #explain(error: unknown, size: number): Promise<CommitResult> {
    const cause = await causeOf(error);
    const reason = reasonOf(cause);
    try {
      this.#database.resetReadTxn();
      this.#database.getBinary(FIRST_KEY);
    } catch {
      this.#break('store_broken', `the data file must be opened again: ${reason}`);
    }
    const certain = !isGivenUp(cause) || this.#size.last || size < 2;
    if (certain && isCorrupt(cause) && !noRoom(this.#options.path)) this.#damaged(cause);
    if (this.#broken !== undefined || cause === error) return { outcome: 'unknown', reason };
    return isFull(cause) || noRoom(this.#options.path)
      ? { outcome: 'failed', code: 'store_full', reason }
      : unavailable(reason);
  }

  /** What was written to a file that is not in its place is lost at the next start, so nobody is told that it is durable. */
  #displaced(): CommitResult | undefined {
    const now = identify(this.#options.path);
    const { device, file, bytes } = this.#file ?? { device: 0, file: 0, bytes: 0 };
    if (now !== undefined && now.device === device && now.file === file && now.bytes >= bytes) {
      this.#file = now;
      return undefined;
    }
    const what = now === undefined ? 'gone' : now.file === file ? 'cut short' : 'replaced';
    this.#break(
      'store_missing',
      `${this.#options.path}/data.mdb was ${what} while in use: put it back, then start again`,
    );
    return { outcome: 'unknown', reason: 'the data file is not in its place' };
  }

  #damaged(error: unknown): void {
    this.#break('store_corrupt', damage(this.#options.path, error));
  }

  #break(code: Breakdown, reason: string): void {
    if (this.#broken !== undefined) return;
    this.#broken = reason;
    this.#options.onBroken?.(code, reason);
  }

  /** What was evaluated may yet be written; what still waits never is, because this empties the queue. */
  #giveUp(group: Request[]): void {
    this.#stalled = true;
    for (const { answer } of group) answer({ outcome: 'unknown', reason: 'the disk does not answer' });
    for (const { answer } of this.#waiting.splice(0)) answer(unavailable('the disk does not answer'));
  }
}

/** Keeps the process alive, as what waits behind it does. */
function later(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}
