// Owns the append path: one writer per shard, which gathers what its chats append and commits it in one transaction.
// Invariant: an append is answered `committed` only after the store said durable, and a chat's appends are answered in
// order; each transaction reads the shard's grant and requires it to be mine, so a node that lost the shard cannot write. While
// its node's lease is over nothing is taken and no answer passes.
// Must not: know what the rows mean, or decide who owns a shard: a node that is alone takes all at `open`, the others are told
// (cluster/ownership.ts).
//
//   conversations ── append ──▶ shard queue ──▶ [ check grant | rows of many chats | dirty set ] ──▶ store.commit
//                                   ▲                                                                  │
//                                   └────────────── the next batch gathers meanwhile ◀─────────────────┘
//
// The dirty set names the chats of the newest transaction, and those whose news may not have reached other nodes (untold.ts). It is
// overwritten by the next one: it is cleared at no transaction of its own.

import { delayed, shrunk } from '../actors/buggify.js';
import { assert } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import type { Append, AppendResult, Refused } from './append.js';
import { equalBytes } from './bytes.js';
import { dirtyKey, grantKey } from './cluster-keys.js';
import { decodeGrant, encodeGrant } from './cluster-rows.js';
import { StoreOpenError } from './failure.js';
import { FORMATS } from './format.js';
import { encodeDirty } from './rows.js';
import type { CommitResult, Store, Write } from './store.js';
import { StoredFormat } from './stored-format.js';
import { Tenure } from './tenure.js';
import type { Untold } from './untold.js';

/** ms that a simulation lets a transaction wait, at most. */
const LATE_MS = 300;

export interface LogOptions {
  readonly store: Store;
  readonly world: World;
  /** An append found that the shard is another's. */
  readonly onLost: (shard: number) => void;
  /** True while others may take this node for dead. A node that is alone has no lease. */
  readonly lapsed?: () => boolean;
  /** Absent: the first. */
  readonly format?: StoredFormat;
}

export interface LogStats {
  readonly appends: number;
  readonly transactions: number;
  readonly queued: number;
  readonly unknown: number;
  readonly failed: number;
  /** Transactions that were refused because the shard had become another's. */
  readonly stale: number;
}

const LOST: AppendResult = { outcome: 'lost' };

export class Log {
  readonly #options: LogOptions;
  readonly #world: World;
  /** Null: not mine. */
  readonly #shards: (Tenure | null)[];
  /** Tenures that were given up with appends under way. */
  readonly #past = new Set<Tenure>();
  /** Appends that may wait for a shard, and appends of one transaction. */
  readonly #waitMost: number;
  readonly #batchMost: number;
  #ready: Tenure[] = [];
  #deferred = false;
  #idle: (() => void)[] = [];
  #waiting: { readonly chat: Uint8Array; readonly index: number; readonly resolve: () => void }[] = [];
  /** Answers that wait for the lease. */
  #held: (() => void)[] = [];
  #closed = false;
  #stats = { appends: 0, transactions: 0, queued: 0, unknown: 0, failed: 0, stale: 0 };

  /** Every shard is closed until it is taken. */
  constructor(options: LogOptions) {
    this.#options = options;
    this.#world = options.world;
    this.#waitMost = shrunk(options.world, 'shard queue', LIMITS.shardQueue, 2);
    this.#batchMost = shrunk(options.world, 'batch', LIMITS.batchAppends, 1);
    this.#shards = Array.from({ length: LIMITS.shards }, () => null);
  }

  /**
   * Takes every shard for `node` (epoch + 1, in one transaction).
   * @throws StoreOpenError when the store refuses or another node takes shards at the same moment.
   */
  static async open(store: Store, world: World, node: string, onLost: (shard: number) => void): Promise<Log> {
    const before = await Promise.all(Array.from({ length: LIMITS.shards }, (_, shard) => store.get(grantKey(shard))));
    const grants = before.map((row) =>
      encodeGrant({ epoch: (row === undefined ? 0 : decodeGrant(row).epoch) + 1, node }),
    );
    const result = await store.commit({
      checks: before.map((grant, shard) => ({ key: grantKey(shard), value: grant ?? null })),
      writes: grants.map((grant, shard) => ({ key: grantKey(shard), value: grant })),
    });
    if (result.outcome === 'failed' && result.code !== 'too_large') {
      const way = result.code === 'store_full' ? '; free room on its disk' : '';
      throw new StoreOpenError(result.code, `the store takes no writes: ${result.reason}${way}`);
    }
    if (result.outcome !== 'committed') {
      throw new StoreOpenError('store_unavailable', `shards could not be taken (${result.outcome})`);
    }
    const format = new StoredFormat(store, world);
    await format.read();
    format.alone();
    const log = new Log({ store, world, format, onLost });
    for (const [shard, grant] of grants.entries()) log.take(shard, grant, null);
    return log;
  }

  /** Version of rows that all who share the store read: none of a later one is to be appended. */
  get format(): number {
    return this.#options.format?.version ?? FORMATS.low;
  }

  // ---- shards that come and go ----

  /** The shard is mine under this grant, which this process wrote. `untold`: null for a node that is alone. */
  take(shard: number, grant: Uint8Array, untold: Untold | null): void {
    assert(this.#shards[shard] === null && !this.#closed, 'a shard is taken once');
    this.#shards[shard] = new Tenure(shard, grant, untold);
  }

  /** Takes no more appends of the shard. Resolves when those that were taken are answered; false: it was lost meanwhile. */
  async seal(shard: number): Promise<boolean> {
    const tenure = this.#shards[shard];
    if (tenure == null) return false;
    assert(tenure.sealed === null, 'a shard is sealed once');
    await new Promise<void>((resolve) => {
      tenure.sealed = resolve;
      this.#settle();
    });
    if (this.#shards[shard] !== tenure) return false;
    this.#shards[shard] = null;
    return !tenure.lost;
  }

  /** The shard is another's: what waits is refused, what is in flight is answered as the store says. */
  drop(shard: number): void {
    const tenure = this.#shards[shard];
    if (tenure == null) return;
    this.#shards[shard] = null;
    tenure.lost = true;
    if (tenure.quiet) tenure.sealed?.();
    else this.#past.add(tenure);
    this.#settle();
  }

  /** The lease holds again: answers that waited for it pass. */
  release(): void {
    for (const pass of this.#held.splice(0)) pass();
  }

  /** This node is no member any more, for good: everybody who waits is refused. */
  close(): void {
    this.#closed = true;
    for (const [shard] of this.#shards.entries()) this.drop(shard);
    this.release();
  }

  // ---- appends ----

  /** Queues the append; otherwise nothing was queued. `done` is called later, never from within. */
  append(append: Append): 'ok' | Refused {
    assert(append.bytes <= LIMITS.batchBytes, 'append fits a batch');
    const shard = this.#shards[append.shard];
    if (shard == null || shard.sealed !== null) return 'closed';
    if (this.#options.lapsed?.() === true) return 'lapsed';
    if (shard.queue.length >= this.#waitMost) return 'busy';
    shard.queue.push(append);
    this.#stats.appends += 1;
    this.#stats.queued += 1;
    // What this turn of the loop still appends goes along.
    this.#schedule(shard, (task) => void Promise.resolve().then(task));
    return 'ok';
  }

  /**
   * Null when no append of the chat is on its way; else resolves when those are answered. Whoever reads a chat's state
   * after its actor broke off waits for this: an append in flight would land behind what was read. What an earlier tenure has
   * in flight cannot: the grant has changed since.
   */
  settled(chat: Uint8Array, index: number): Promise<void> | null {
    const shard = this.#shards[index];
    if (shard == null) return null;
    const { queue, batch } = shard;
    const mine = (append: Append): boolean => equalBytes(append.chat, chat);
    if (!queue.some(mine) && !batch.some(mine)) return null;
    return new Promise((resolve) => {
      this.#waiting.push({ chat, index, resolve });
    });
  }

  /** Chats of the shard whose news may not have reached every node. */
  dirty(shard: number): number {
    return this.#shards[shard]?.untold?.size ?? 0;
  }

  /** Of the shard's grant; null: it is not mine. */
  epoch(shard: number): number | null {
    return this.#shards[shard]?.epoch ?? null;
  }

  stats(): LogStats {
    return { ...this.#stats };
  }

  /** Resolves when nothing is queued or in flight. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#settle();
    });
  }

  #schedule(shard: Tenure, run: (task: () => void) => void): void {
    if (shard.busy || shard.queue.length === 0) return;
    shard.busy = true;
    this.#ready.push(shard);
    if (this.#deferred) return;
    this.#deferred = true;
    run(() => {
      this.#deferred = false;
      const ready = this.#ready;
      this.#ready = [];
      for (const next of ready) void this.#commit(next, next.take(this.#batchMost));
    });
  }

  async #commit(shard: Tenure, batch: Append[]): Promise<void> {
    shard.batch = batch;
    let result = shard.lost ? LOST : await this.#write(shard, batch);
    const { lapsed } = this.#options;
    while (!this.#closed && lapsed?.() === true) await new Promise<void>((resolve) => this.#held.push(resolve));
    // It may be durable. A retry finds its number, with whoever owns the shard by then.
    if (this.#closed) result = LOST;
    this.#stats.queued -= batch.length;
    if (result.outcome === 'failed') this.#stats.failed += 1;
    if (result.outcome === 'committed') shard.untold?.committed(batch);
    for (const append of batch) append.done(result);
    shard.batch = [];
    shard.busy = false;
    // Later: the chats that were just answered have their turn first, and what they append next goes along.
    this.#schedule(shard, (task) => this.#world.defer(task));
    this.#settle();
  }

  async #write(shard: Tenure, batch: Append[]): Promise<AppendResult> {
    const writes: Write[] = [];
    for (const append of batch) for (const write of append.writes) writes.push(write);
    const dirty = shard.untold === null ? { chats: batch, more: false } : shard.untold.next(batch);
    writes.push({ key: dirtyKey(shard.index), value: encodeDirty(dirty) });
    const checks = [{ key: grantKey(shard.index), value: shard.grant }];
    // An attempt whose outcome is unknown may still be applied (a disk that hangs and comes back). Until that is settled
    // the batch is not given up, whatever later attempts answer: its chats would go on from a state that is about to change.
    let open = false;
    for (;;) {
      this.#stats.transactions += 1;
      const late = delayed(this.#world, 'write delay', LATE_MS);
      if (late !== undefined) await late;
      const result = await this.#attempt({ checks, writes });
      if (result.outcome === 'committed') return result;
      if (result.outcome === 'failed' && !open) return { outcome: 'failed', reason: result.code };
      if (result.outcome === 'conflict') {
        this.#stats.stale += 1;
        shard.lost = true;
        // A tenure that is over has nothing to say about the one that followed.
        if (this.#shards[shard.index] === shard) this.#options.onLost(shard.index);
        return LOST;
      }
      if (open) await new Promise<void>((resolve) => this.#world.timer(LIMITS.reloadMs, resolve));
      open = true;
      this.#stats.unknown += 1;
      const witness = batch[0]!.witness;
      const found = await this.#read(witness.key);
      if (found !== undefined && equalBytes(found, witness.value!)) return { outcome: 'committed' };
    }
  }

  async #attempt(commit: Parameters<Store['commit']>[0]): Promise<CommitResult> {
    try {
      return await this.#options.store.commit(commit);
    } catch (error) {
      return { outcome: 'unknown', reason: String(error) };
    }
  }

  /** Undefined also where it cannot be read: then too it is tried again. */
  async #read(key: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await this.#options.store.get(key);
    } catch {
      return undefined;
    }
  }

  #settle(): void {
    for (const shard of this.#shards) if (shard !== null && shard.sealed !== null && shard.quiet) shard.sealed();
    for (const past of this.#past) {
      if (!past.quiet) continue;
      this.#past.delete(past);
      past.sealed?.();
    }
    if (this.#waiting.length > 0) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const { chat, index, resolve } of waiting) {
        const rest = this.settled(chat, index);
        if (rest === null) resolve();
        else void rest.then(resolve);
      }
    }
    if (this.#idle.length === 0 || this.#stats.queued > 0) return;
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }
}
