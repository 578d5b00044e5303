// Owns the entries of this node's users in a table of presence outside (board.ts): what each is, and which have to be written.
// Invariant: an entry carries the epoch of the grant under which its user's actor spoke, and is written under that one alone: what is
// left of an earlier owner never replaces what a later one said. One entry a user, however often it changes.
// Must not: keep who is offline once that is written, or know sessions.

import { type Entry, encodeEntry, type LineSession, type State } from './board-line.js';
import { taken } from './board-readers.js';
import { BOARD_LIMITS, LIMITS } from './limits.js';
import type { World } from './world.js';

export interface Shards {
  /** Of a user. */
  readonly shardOf: (user: string) => number;
  /** Epoch of the shard's grant; null: it is another node's. */
  readonly epoch: (shard: number) => number | null;
}

interface Own {
  readonly state: State;
  readonly epoch: number;
  readonly value: string;
  /** Monotonic ms of the last writing. */
  written: number;
}

export class Entries {
  readonly #world: World;
  readonly #shards: Shards;
  /** Those written longest ago come first. */
  readonly #own = new Map<string, Own>();
  readonly #dirty = new Set<string>();
  #count = 0;
  readonly stats = { written: 0, stale: 0 };

  constructor(world: World, shards: Shards) {
    this.#world = world;
    this.#shards = shards;
  }

  get size(): number {
    return this.#own.size;
  }

  get dirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** False: there is nothing new to write. */
  put(user: string, state: State): boolean {
    const known = this.#own.get(user);
    if (known?.state.online === state.online && known.state.lastSeen === state.lastSeen) return false;
    if (known === undefined && this.#own.size >= LIMITS.poolCells) return false;
    const epoch = this.#shards.epoch(this.#shards.shardOf(user));
    if (epoch === null) return false;
    this.#count += 1;
    this.#own.delete(user);
    this.#own.set(user, { state, epoch, value: encodeEntry(epoch, this.#count, state), written: this.#world.now() });
    this.#dirty.add(user);
    return true;
  }

  /** The shard is, or will be, another node's. */
  leave(shard: number): void {
    for (const user of this.#own.keys()) if (this.#shards.shardOf(user) === shard) this.#own.delete(user);
  }

  /** All have to be written: the table may have lost them. */
  again(): void {
    for (const user of this.#own.keys()) this.#dirty.add(user);
  }

  /** Writes some of what has to be written, and what would be gone soon. */
  async write(session: LineSession, most: number): Promise<void> {
    const before = this.#world.now() - BOARD_LIMITS.beatMs;
    for (const [user, { written }] of this.#own) {
      if (this.#dirty.size >= most || written > before) break;
      this.#dirty.add(user);
    }
    const shards = byShard(taken(this.#dirty, most), this.#shards);
    await Promise.all([...shards].map(([shard, users]) => this.#write(session, shard, users)));
  }

  async #write(session: LineSession, shard: number, users: readonly string[]): Promise<void> {
    const entries: Entry[] = [];
    const epoch = this.#shards.epoch(shard);
    for (const user of users) {
      const own = this.#own.get(user);
      if (own === undefined) continue;
      this.#own.delete(user);
      if (own.epoch !== epoch) continue;
      entries.push({ user, value: own.value });
      own.written = this.#world.now();
      this.#own.set(user, own);
    }
    if (entries.length === 0) return;
    this.stats.stale += await session.put(shard, entries);
    this.stats.written += entries.length;
    for (const { user, value } of entries) {
      const own = this.#own.get(user);
      if (own?.value === value && !own.state.online) this.#own.delete(user);
    }
  }
}

export function byShard(users: readonly string[], { shardOf }: Shards): Map<number, string[]> {
  const found = new Map<number, string[]>();
  for (const user of users) {
    const shard = shardOf(user);
    const some = found.get(shard);
    if (some === undefined) found.set(shard, [user]);
    else some.push(user);
  }
  return found;
}
