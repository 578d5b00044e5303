// Owns the FoundationDB engine: a store in a cluster, which any number of nodes on any number of machines share.
//
//   commit ──► lineup ──► group ──► one transaction: read the checks, compare, write, commit ──► answers
//                ▲         (all that wait and need not let others go first)                        │
//                └────────── FDB_LIMITS.inFlight groups at once; the rest gathers ◄───────────────┘
//
// Invariant: `committed` is what the cluster said it has, on as many machines as it is configured for. Everything ends: where
// the cluster does not answer, commits fail with `store_unavailable` (never sent) or `unknown` (sent), and reads reject,
// within seconds; when it answers again, so does the store.
// Must not: know what the keys mean; guess what became of a commit.
//
// FoundationDB takes some 10,000 transactions a second from one process, so messages share them: the log gathers a shard's,
// and here the shards' are gathered. Commits that touch the same keys keep their order (foundationdb-lineup.ts).

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { FDB_LIMITS, LIMITS } from '../actors/limits.js';
import { assertRange, refusal, unavailable } from './admission.js';
import { reasonOf, StoreOpenError, StoreReadError } from './failure.js';
import { type FdbClient, type FdbDatabase, loadClient, openDatabase } from './foundationdb-client.js';
import { describe } from './foundationdb-error.js';
import { Fence } from './foundationdb-fence.js';
import { type Cluster, commitGroup } from './foundationdb-group.js';
import { Lineup, type Waiting } from './foundationdb-lineup.js';
import { FdbReader } from './foundationdb-reader.js';
import { openSpace, type Space } from './foundationdb-space.js';
import { FdbWatches } from './foundationdb-watch.js';
import type { Commit, CommitResult, RangePage, RangeQuery, Store } from './store.js';

export interface FdbOptions {
  /** Path of the cluster file. The client rewrites it when the cluster's coordinators change. */
  readonly clusterFile: string;
  /** Directory of the cluster's directory layer; `['weft']` where absent. */
  readonly directory?: readonly string[];
  /** ms until a cluster that does not answer counts as unavailable; FDB_LIMITS.openMs where absent. */
  readonly openMs?: number;
  /** Called after each transaction of commits and before its answers, with how many it held. */
  readonly onTransaction?: (commits: number) => void;
}

const DIRECTORY = ['weft'];
/** `description:id@host:port,host:port`, with `:tls` after a port; lines of comments begin with #. */
const CLUSTER = /^\s*(?:#.*\n\s*)*\w+:\w+@\S+:\d+\S*\s*$/;

/** Throws StoreOpenError: `store_client_missing`, `store_bad_cluster_file`, `store_unavailable`, `store_corrupt`, `store_newer`. */
export async function openFoundationDb(options: FdbOptions): Promise<Store> {
  inspectClusterFile(options.clusterFile);
  const client = loadClient();
  let store: FoundationDb | undefined;
  const { database, forget } = openDatabase(client, options.clusterFile, FDB_LIMITS.timeoutMs, () =>
    store === undefined ? 1 : store.results,
  );
  try {
    const space = await reach(client, database, options);
    store = new FoundationDb(client, { database, space, fence: new Fence(database, space) }, options, forget);
    return store;
  } catch (error) {
    database.close();
    forget();
    throw error;
  }
}

class FoundationDb implements Store {
  readonly engine = 'foundationdb';
  readonly durability = 'replicated';
  readonly readsAtOnce = FDB_LIMITS.readsAtOnce;
  transactions = 0;
  readonly #cluster: Cluster;
  readonly #options: FdbOptions;
  readonly #forget: () => void;
  readonly #lineup = new Lineup();
  readonly #reader: FdbReader;
  readonly #watches: FdbWatches;
  readonly #running = new Set<Promise<void>>();
  #scheduled = false;
  #closing: Promise<void> | undefined;

  constructor(client: FdbClient, cluster: Cluster, options: FdbOptions, forget: () => void) {
    this.#cluster = cluster;
    this.#options = options;
    this.#forget = forget;
    this.#reader = new FdbReader(cluster, client);
    this.#watches = new FdbWatches(cluster);
  }

  /** Of the client, on their way, at most. */
  get results(): number {
    return this.#reader.active + this.#watches.size + this.#running.size * LIMITS.shards;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.#assertOpen();
    const value = await this.#reader.get(key);
    this.#watches.saw(key, value);
    return value;
  }

  async range(query: RangeQuery): Promise<RangePage> {
    assertRange(query);
    this.#assertOpen();
    return this.#reader.range(query);
  }

  /** The bytes must stay as they are until the answer. */
  commit(commit: Commit): Promise<CommitResult> {
    const refused = refusal(commit);
    if (refused !== undefined) return Promise.resolve(refused);
    if (this.#closing !== undefined) return Promise.resolve(unavailable('the store is closed'));
    if (this.#lineup.size >= LIMITS.storeQueue) return Promise.resolve(unavailable('too many commits wait'));
    return new Promise((answer) => {
      this.#lineup.add(commit, answer);
      this.#schedule();
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
    while (this.#running.size > 0 || this.#lineup.size > 0) {
      this.#start();
      await Promise.all(this.#running);
    }
    await Promise.all([this.#watches.close(), this.#reader.idle()]);
    this.#cluster.database.close();
    this.#forget();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new StoreReadError('the store is closed');
  }

  /** At the end of this turn, so that all that is committed in it goes out together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#start();
    });
  }

  #start(): void {
    while (this.#running.size < FDB_LIMITS.inFlight) {
      const group = this.#lineup.take();
      if (group.length === 0) return;
      const run: Promise<void> = this.#run(group).finally(() => {
        this.#running.delete(run);
        this.#start();
      });
      this.#running.add(run);
    }
  }

  async #run(group: readonly Waiting[]): Promise<void> {
    const results = await commitGroup(
      this.#cluster,
      group.map(({ commit }) => commit),
    );
    this.#lineup.leave(group);
    this.transactions += 1;
    this.#options.onTransaction?.(group.length);
    for (let i = 0; i < group.length; i++) {
      const { answer, commit } = group[i]!;
      const result = results[i]!;
      answer(result);
      if (result.outcome === 'committed') for (const { key } of commit.writes) this.#watches.touch(key);
    }
    this.#giveUp(results[0]!);
  }

  /** Where the cluster does not answer, nobody waits for a turn as well as for the time limit. */
  #giveUp(result: CommitResult): void {
    if (result.outcome === 'committed' || result.outcome === 'conflict') return;
    const answer = unavailable(result.reason);
    for (const waiting of this.#lineup.expire(performance.now() - FDB_LIMITS.timeoutMs)) waiting.answer(answer);
  }
}

function inspectClusterFile(path: string): void {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? error.code : reasonOf(error);
    const detail = `cannot read the cluster file ${path} (${reason})`;
    throw new StoreOpenError('store_bad_cluster_file', `${detail}; copy it from a machine of the cluster`, {
      cause: error,
    });
  }
  if (CLUSTER.test(text)) return;
  throw new StoreOpenError(
    'store_bad_cluster_file',
    `${path} is no cluster file: it holds one line as in name:id@10.0.0.1:4500,10.0.0.2:4500`,
  );
}

/** Tries until the cluster answers or the time is over: both may have been started together. */
async function reach(client: FdbClient, database: FdbDatabase, options: FdbOptions): Promise<Space> {
  const { clusterFile, directory = DIRECTORY, openMs = FDB_LIMITS.openMs } = options;
  const began = performance.now();
  for (;;) {
    try {
      return await openSpace(client, database, directory, clusterFile);
    } catch (error) {
      if (error instanceof StoreOpenError) throw error;
      if (performance.now() - began + FDB_LIMITS.timeoutMs > openMs) {
        throw new StoreOpenError(
          'store_unavailable',
          `the cluster in ${clusterFile} cannot be used: ${describe(error)}; is it up, and is this its cluster file? (fdbcli -C ${clusterFile} --exec status)`,
          { cause: error },
        );
      }
      await pause(FDB_LIMITS.openPauseMs);
    }
  }
}
