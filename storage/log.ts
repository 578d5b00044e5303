// Owns the append path: one writer per shard, which gathers what its chats append and commits it in one transaction.
// Invariant: an append is answered `committed` only after the store said durable, and a chat's appends are answered in
// order; each transaction reads the shard's grant and requires it to be mine, so a node that lost the shard cannot write.
// Must not: know what the rows mean, or decide who owns a shard (it takes the grant at `open`).
//
//   conversations ── append ──▶ shard queue ──▶ [ check grant | rows of many chats | dirty set ] ──▶ store.commit
//                                   ▲                                                                  │
//                                   └────────────── the next batch gathers meanwhile ◀─────────────────┘
//
// The dirty set names the chats of the newest transaction. It is overwritten by the next one, which starts only after
// the batch before was answered and so fanned out in memory: it is cleared at no transaction of its own.

import { delayed, shrunk } from '../actors/buggify.js';
import { assert } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import { equalBytes } from './bytes.js';
import { StoreOpenError } from './failure.js';
import { dirtyKey, getNumber, grantKey, NUMBER_BYTES, putNumber } from './keys.js';
import { encodeDirty } from './rows.js';
import type { CommitResult, Store, Write } from './store.js';

/** ms that a simulation lets a transaction wait, at most. */
const LATE_MS = 300;

/** `lost`: another node owns the shard now; nothing of mine is written any more. Others as in CommitResult. */
export type AppendResult =
  | { readonly outcome: 'committed' }
  | { readonly outcome: 'lost' }
  | { readonly outcome: 'failed'; readonly reason: string };

/** What one chat wants written, all or nothing. */
export interface Append {
  readonly chat: Uint8Array;
  readonly shard: number;
  /** Highest sequence number of the chat after this append. */
  readonly head: number;
  readonly writes: readonly Write[];
  /** Bytes of keys and values. At most LIMITS.batchBytes. */
  readonly bytes: number;
  /** One of the writes, of which no earlier commit left the same: found as written, it shows that all of it was applied. */
  readonly witness: Write;
  readonly done: (result: AppendResult) => void;
}

export interface LogStats {
  readonly appends: number;
  readonly transactions: number;
  readonly queued: number;
  readonly unknown: number;
  readonly failed: number;
}

interface Shard {
  readonly index: number;
  readonly grant: Uint8Array;
  queue: Append[];
  /** What is being committed. */
  batch: readonly Append[];
  busy: boolean;
  lost: boolean;
}

export class Log {
  readonly #store: Store;
  readonly #world: World;
  readonly #onLost: (shard: number) => void;
  readonly #shards: Shard[];
  /** Appends that may wait for a shard, and appends of one transaction. */
  readonly #waitMost: number;
  readonly #batchMost: number;
  #ready: Shard[] = [];
  #deferred = false;
  #idle: (() => void)[] = [];
  #waiting: { readonly chat: Uint8Array; readonly index: number; readonly resolve: () => void }[] = [];
  #stats = { appends: 0, transactions: 0, queued: 0, unknown: 0, failed: 0 };

  private constructor(store: Store, world: World, grants: Uint8Array[], onLost: (shard: number) => void) {
    this.#store = store;
    this.#world = world;
    this.#onLost = onLost;
    this.#waitMost = shrunk(world, 'shard queue', LIMITS.shardQueue, 2);
    this.#batchMost = shrunk(world, 'batch', LIMITS.batchAppends, 1);
    this.#shards = grants.map((grant, index) => ({ index, grant, queue: [], batch: [], busy: false, lost: false }));
  }

  /**
   * Takes every shard for `node` (epoch + 1, in one transaction).
   * @throws StoreOpenError when the store refuses or another node takes shards at the same moment.
   */
  static async open(store: Store, world: World, node: string, onLost: (shard: number) => void): Promise<Log> {
    const before = await Promise.all(Array.from({ length: LIMITS.shards }, (_, shard) => store.get(grantKey(shard))));
    const grants = before.map((grant) => {
      const name = Buffer.from(node, 'utf8');
      const next = new Uint8Array(NUMBER_BYTES + name.length);
      putNumber(next, 0, (grant === undefined ? 0 : getNumber(grant, 0)) + 1);
      next.set(name, NUMBER_BYTES);
      return next;
    });
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
    return new Log(store, world, grants, onLost);
  }

  /** Queues the append; `busy` means that nothing was queued. `done` is called later, never from within. */
  append(append: Append): 'ok' | 'busy' {
    assert(append.bytes <= LIMITS.batchBytes, 'append fits a batch');
    const shard = this.#shards[append.shard]!;
    if (shard.queue.length >= this.#waitMost) return 'busy';
    shard.queue.push(append);
    this.#stats.appends += 1;
    this.#stats.queued += 1;
    this.#schedule(shard);
    return 'ok';
  }

  /**
   * Null when no append of the chat is on its way; else resolves when those are answered. Whoever reads a chat's state
   * after its actor broke off waits for this: an append in flight would land behind what was read.
   */
  settled(chat: Uint8Array, index: number): Promise<void> | null {
    const { queue, batch } = this.#shards[index]!;
    const mine = (append: Append): boolean => equalBytes(append.chat, chat);
    if (!queue.some(mine) && !batch.some(mine)) return null;
    return new Promise((resolve) => {
      this.#waiting.push({ chat, index, resolve });
    });
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

  #schedule(shard: Shard): void {
    if (shard.busy || shard.queue.length === 0) return;
    shard.busy = true;
    this.#ready.push(shard);
    if (this.#deferred) return;
    this.#deferred = true;
    this.#world.defer(() => {
      this.#deferred = false;
      const ready = this.#ready;
      this.#ready = [];
      for (const next of ready) void this.#commit(next, take(next, this.#batchMost));
    });
  }

  async #commit(shard: Shard, batch: Append[]): Promise<void> {
    shard.batch = batch;
    const result = shard.lost ? ({ outcome: 'lost' } as const) : await this.#write(shard, batch);
    this.#stats.queued -= batch.length;
    if (result.outcome === 'failed') this.#stats.failed += 1;
    for (const append of batch) append.done(result);
    shard.batch = [];
    shard.busy = false;
    this.#schedule(shard);
    this.#settle();
  }

  async #write(shard: Shard, batch: Append[]): Promise<AppendResult> {
    const writes: Write[] = [];
    for (const append of batch) for (const write of append.writes) writes.push(write);
    writes.push({ key: dirtyKey(shard.index), value: encodeDirty(batch) });
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
        shard.lost = true;
        this.#onLost(shard.index);
        return { outcome: 'lost' };
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
      return await this.#store.commit(commit);
    } catch (error) {
      return { outcome: 'unknown', reason: String(error) };
    }
  }

  /** Undefined also where it cannot be read: then too it is tried again. */
  async #read(key: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await this.#store.get(key);
    } catch {
      return undefined;
    }
  }

  #settle(): void {
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

/** As many appends from the front as fit one transaction; at least one. */
function take(shard: Shard, most: number): Append[] {
  let bytes = 0;
  let count = 0;
  while (count < shard.queue.length && count < most) {
    bytes += shard.queue[count]!.bytes;
    if (bytes > LIMITS.batchBytes && count > 0) break;
    count += 1;
  }
  return count === shard.queue.length ? shard.queue.splice(0) : shard.queue.splice(0, count);
}
