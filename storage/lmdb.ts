// Owns the embedded engine: LMDB through the `lmdb` package, one environment a directory, shared by several processes.
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

import { open, type RootDatabase } from 'lmdb';
import { LIMITS } from '../actors/limits.js';
import { assertRange, refusal } from './admission.js';
import { compareBytes, equalBytes } from './bytes.js';
import { inspect } from './lmdb-file.js';
import type { Check, Commit, CommitResult, RangePage, RangeQuery, Row, Store, Write } from './store.js';
import { WatchList } from './watch-list.js';

export interface LmdbOptions {
  /** Directory; made if absent. */
  readonly path: string;
  /** Bytes that the data file may grow to; commits beyond answer `store_full`. */
  readonly mapSize?: number;
  /** Called after each flush and before its answers, with the number of commits it made durable. */
  readonly onFlushed?: (batch: number) => void;
}

interface Request {
  readonly commit: Commit;
  readonly answer: (result: CommitResult) => void;
}

const COMMITTED: CommitResult = { outcome: 'committed' };
const FIRST_KEY = Uint8Array.of(0);

export async function openLmdb(options: LmdbOptions): Promise<Store> {
  inspect(options.path);
  const database = open<Uint8Array, Uint8Array>({
    path: options.path,
    noSubdir: false,
    keyEncoding: 'binary',
    encoding: 'binary',
    overlappingSync: false,
    mapSize: options.mapSize ?? 2 ** 40,
  });
  return new Lmdb(database, options);
}

class Lmdb implements Store {
  readonly engine = 'lmdb';
  readonly durability = 'flushed';
  readonly #database: RootDatabase<Uint8Array, Uint8Array>;
  readonly #onFlushed: (batch: number) => void;
  readonly #watches = new WatchList();
  #waiting: Request[] = [];
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(database: RootDatabase<Uint8Array, Uint8Array>, options: LmdbOptions) {
    this.#database = database;
    this.#onFlushed = options.onFlushed ?? (() => {});
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#database.getBinary(key));
  }

  range(query: RangeQuery): Promise<RangePage> {
    assertRange(query);
    return Promise.resolve(page(this.#database, query));
  }

  commit(commit: Commit): Promise<CommitResult> {
    const refused = refusal(commit);
    if (refused !== undefined) return Promise.resolve(refused);
    if (this.#closing !== undefined) return Promise.resolve(failed('store_unavailable', 'the store is closed'));
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

  async #end(): Promise<void> {
    await this.#running;
    this.#watches.clear();
    await this.#database.close();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#transact();
    this.#running = undefined;
  }

  async #transact(): Promise<void> {
    let group: Request[] = [];
    const results: CommitResult[] = [];
    let failure: CommitResult | undefined;
    try {
      await this.#database.transaction(() => {
        group = this.#waiting.splice(0, LIMITS.groupCommits);
        for (const { commit } of group) results.push(this.#evaluate(commit));
      });
    } catch (error) {
      failure = failed('store_unavailable', String(error));
      if (group.length === 0) group = this.#waiting.splice(0);
    }
    this.#database.resetReadTxn();
    if (failure === undefined) this.#onFlushed(group.length);
    for (let i = 0; i < group.length; i++) {
      const { answer, commit } = group[i]!;
      const result = failure ?? results[i]!;
      answer(result);
      if (result === COMMITTED) for (const { key } of commit.writes) this.#watches.touch(key);
    }
  }

  #evaluate(commit: Commit): CommitResult {
    for (let i = 0; i < commit.checks.length; i++) {
      if (!this.#holds(commit.checks[i]!)) return { outcome: 'conflict', check: i };
    }
    for (const write of commit.writes) this.#write(write);
    return COMMITTED;
  }

  #holds(check: Check): boolean {
    const value = this.#database.getBinaryFast(check.key);
    if (value === undefined || check.value === null) return value === undefined && check.value === null;
    return equalBytes(value, check.value);
  }

  #write({ key, value }: Write): void {
    if (value === null) this.#database.remove(key);
    else this.#database.put(key, value);
  }
}

function page(database: RootDatabase<Uint8Array, Uint8Array>, query: RangeQuery): RangePage {
  const { limit, maxBytes = Number.POSITIVE_INFINITY, reverse = false } = query;
  if (compareBytes(query.start, query.end) >= 0) return { rows: [], more: false };
  const start = query.start.length === 0 ? FIRST_KEY : query.start;
  const bounds = reverse
    ? { start: query.end, exclusiveStart: true, end: start, inclusiveEnd: true, reverse }
    : { start, end: query.end };
  const rows: Row[] = [];
  let bytes = 0;
  for (const { key, value } of database.getRange({ ...bounds, limit: limit + 1 })) {
    if (rows.length > 0 && (rows.length === limit || bytes + value.length > maxBytes)) return { rows, more: true };
    bytes += value.length;
    rows.push({ key, value });
  }
  return { rows, more: false };
}

function failed(code: 'store_full' | 'store_unavailable', reason: string): CommitResult {
  return { outcome: 'failed', code, reason };
}
