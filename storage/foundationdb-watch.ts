// Owns watches over a cluster.
// Invariant: one watch of the client a key, however many want to hear of it; armed again after it fired and after every
// error, so that a change is told though the cluster was away; none is left after `close`, or Node would not end.
// Must not: hold rows beyond the values of watched keys.
//
// A watch of the client fires once, when the value is no longer what its transaction read. So after it fired the next one is
// armed *before* anybody is told: who is told reads what the new watch has read, or something later, which fires. Only for
// the first one there is a gap, between `add` and its transaction; what is read by `get` within it is compared with what
// the watch starts from.

import { setTimeout as pause } from 'node:timers/promises';
import { assert } from '../actors/errors.js';
import { FDB_LIMITS } from '../actors/limits.js';
import { equalBytes } from './bytes.js';
import type { FdbWatch } from './foundationdb-client.js';
import type { Cluster } from './foundationdb-group.js';
import { nameOf, WatchList } from './watch-list.js';

type Value = Uint8Array | null;

interface Watched {
  readonly name: string;
  /** As the cluster knows it. */
  readonly key: Buffer;
  /** What the newest watch started from; undefined before the first. */
  base: Value | undefined;
  /** What was read before the first watch was armed. */
  readonly shown: Value[];
  watch: FdbWatch | undefined;
}

export class FdbWatches {
  readonly #cluster: Cluster;
  readonly #list = new WatchList();
  readonly #watched = new Map<string, Watched>();
  readonly #kept = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Keys watched. */
  get size(): number {
    return this.#watched.size;
  }

  add(key: Uint8Array, changed: () => void): () => void {
    const end = this.#list.add(key, changed);
    const name = nameOf(key);
    if (!this.#watched.has(name) && !this.#closing.signal.aborted) {
      assert(this.#watched.size < FDB_LIMITS.watches, 'a store has few watched keys');
      const { space } = this.#cluster;
      const watched: Watched = { name, key: space.key(key), base: undefined, shown: [], watch: undefined };
      this.#watched.set(name, watched);
      const kept: Promise<void> = this.#keep(watched).finally(() => this.#kept.delete(kept));
      this.#kept.add(kept);
    }
    return () => {
      end();
      if (!this.#list.has(name)) this.#drop(name);
    };
  }

  /** A commit of this process changed the key. */
  touch(key: Uint8Array): void {
    if (this.#watched.size > 0) this.#list.touch(nameOf(key));
  }

  /** A `get` answered this. */
  saw(key: Uint8Array, value: Uint8Array | undefined): void {
    if (this.#watched.size === 0) return;
    const watched = this.#watched.get(nameOf(key));
    if (watched !== undefined && watched.base === undefined) watched.shown.push(value ?? null);
  }

  /** Resolves when the client holds none any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#list.clear();
    for (const name of [...this.#watched.keys()]) this.#drop(name);
    await Promise.all(this.#kept);
  }

  #drop(name: string): void {
    this.#watched.get(name)?.watch?.cancel();
    this.#watched.delete(name);
  }

  async #keep(watched: Watched): Promise<void> {
    let changed = false;
    while (this.#isWanted(watched)) {
      try {
        const watch = await this.#arm(watched, changed);
        changed = await watch.promise;
      } catch {
        // The cluster is away, or ended the watch: what was missed shows when the next one is armed.
        await pause(FDB_LIMITS.rewatchMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      }
    }
  }

  /** `changed`: the watch before fired. */
  async #arm(watched: Watched, changed: boolean): Promise<FdbWatch> {
    const transaction = this.#cluster.database.rawCreateTransaction();
    const value = (await transaction.get(watched.key)) ?? null;
    const watch = transaction.watch(watched.key, { throwAllErrors: false });
    await transaction.rawCommit();
    watched.watch = watch;
    if (!this.#isWanted(watched)) watch.cancel();
    const before = watched.base === undefined ? watched.shown.splice(0) : [watched.base];
    watched.base = value;
    if (changed || before.some((other) => !same(other, value))) this.#list.touch(watched.name);
    return watch;
  }

  #isWanted(watched: Watched): boolean {
    return this.#watched.get(watched.name) === watched;
  }
}

function same(a: Value, b: Value): boolean {
  return a === null || b === null ? a === b : equalBytes(a, b);
}
