// Owns reading from a cluster.
// Invariant: a read sees every commit that was answered before it was asked for, and what was open then is settled; it ends
// within three time limits, as a rejection where the cluster does not answer.
// Must not: write.
//
// Reads that are asked for in one turn of the event loop share a transaction, and so one read version: it is asked for
// with the first of them, and nothing can be answered before the turn ends.

import { setTimeout as pause } from 'node:timers/promises';
import { FDB_LIMITS } from '../actors/limits.js';
import { compareBytes } from './bytes.js';
import { StoreReadError } from './failure.js';
import type { FdbClient, FdbTransaction } from './foundationdb-client.js';
import { describe, isPassing } from './foundationdb-error.js';
import type { Cluster } from './foundationdb-group.js';
import type { RangePage, RangeQuery, Row } from './store.js';

export class FdbReader {
  readonly #cluster: Cluster;
  readonly #client: FdbClient;
  #turn: FdbTransaction | undefined;
  #active = 0;
  #idle: (() => void)[] = [];

  constructor(cluster: Cluster, client: FdbClient) {
    this.#cluster = cluster;
    this.#client = client;
  }

  /** Reads on their way. */
  get active(): number {
    return this.#active;
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const whole = this.#cluster.space.key(key);
    return this.#read((transaction) => transaction.get(whole));
  }

  range(query: RangeQuery): Promise<RangePage> {
    if (compareBytes(query.start, query.end) >= 0) return Promise.resolve({ rows: [], more: false });
    return this.#read((transaction) => this.#page(transaction, query));
  }

  /** Resolves when no read is on its way. */
  async idle(): Promise<void> {
    if (this.#active > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #read<T>(read: (transaction: FdbTransaction) => Promise<T>): Promise<T> {
    this.#active += 1;
    const began = performance.now();
    try {
      for (;;) {
        try {
          if (this.#cluster.fence.isOpen) await this.#cluster.fence.settle();
          return await read(this.#transaction());
        } catch (error) {
          if (!isPassing(error) || performance.now() - began > FDB_LIMITS.timeoutMs) {
            throw new StoreReadError(`the store cannot be read: ${describe(error)}`, { cause: error });
          }
          await pause(FDB_LIMITS.rereadMs);
        }
      }
    } finally {
      this.#active -= 1;
      if (this.#active === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  #transaction(): FdbTransaction {
    if (this.#turn === undefined) {
      // Nobody writes after these reads, so they need no conflicts.
      this.#turn = this.#cluster.database.rawCreateTransaction().snapshot();
      queueMicrotask(() => {
        this.#turn = undefined;
      });
    }
    return this.#turn;
  }

  async #page(transaction: FdbTransaction, query: RangeQuery): Promise<RangePage> {
    const { limit, maxBytes = Number.POSITIVE_INFINITY, reverse = false } = query;
    const { space } = this.#cluster;
    const { firstGreaterOrEqual } = this.#client.keySelector;
    let start = firstGreaterOrEqual(space.key(query.start));
    let end = firstGreaterOrEqual(space.key(query.end));
    const rows: Row[] = [];
    let bytes = 0;
    for (let iteration = 1; ; iteration++) {
      const wanted = Math.min(limit + 1 - rows.length, FDB_LIMITS.rows);
      const target = Number.isFinite(maxBytes) ? maxBytes - bytes + FDB_LIMITS.rowsBytes : 0;
      const { Exact } = this.#client.StreamingMode;
      const found = await transaction.getRangeRaw(start, end, wanted, target, Exact, iteration, reverse);
      for (const [key, value] of found.results) {
        if (rows.length > 0 && (rows.length === limit || bytes + value.length > maxBytes)) return { rows, more: true };
        bytes += value.length;
        rows.push({ key: space.own(key), value });
      }
      const last = found.results.at(-1)?.[0];
      if (last === undefined || (!found.more && found.results.length < wanted)) return { rows, more: false };
      if (reverse) end = firstGreaterOrEqual(last);
      else start = firstGreaterOrEqual(Buffer.concat([last, Uint8Array.of(0)]));
    }
  }
}
