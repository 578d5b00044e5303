// Owns the line of store reads that clients wait for: pages of logs, histories, lists, certificates.
// Invariant: first come, first served, one read at a time, or as many as a store has use for that is read over a network; after
// LIMITS.readsMs of reading everything else has its turn. Each connection has a few reads in line at most, so one that asks without
// end waits behind everybody else after each.
// Must not: be in the way of chats, whose reads and writes go to the store itself.

import type { RangePage, RangeQuery, Reader } from '../storage/store.js';
import { delayed, struck } from './buggify.js';
import { LIMITS } from './limits.js';
import type { World } from './world.js';

/** ms that a simulation lets a read wait, at most. */
const LATE_MS = 200;

interface Turn {
  readonly run: () => Promise<void>;
  next: Turn | null;
}

export class ReadLine implements Reader {
  readonly #world: World;
  readonly #store: () => Reader;
  #first: Turn | null = null;
  #last: Turn | null = null;
  #running = false;
  /** On their way, where several may be. */
  readonly #under = new Set<Promise<void>>();

  /** `store` is asked at each read: it may be another one after a restart. */
  constructor(world: World, store: () => Reader) {
    this.#world = world;
    this.#store = store;
  }

  /** Somebody waits. */
  get busy(): boolean {
    return this.#running || this.#under.size > 0;
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#wait(() => this.#store().get(key));
  }

  range(query: RangeQuery): Promise<RangePage> {
    const asked = struck(this.#world, 'page') ? { ...query, limit: 1 } : query;
    return this.#wait(() => this.#store().range(asked));
  }

  #wait<T>(read: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = async (): Promise<void> => {
        try {
          resolve(await read());
        } catch (error) {
          reject(error);
        }
      };
      const turn: Turn = { run, next: null };
      if (this.#last === null) this.#first = turn;
      else this.#last.next = turn;
      this.#last = turn;
      if (!this.#running) void this.#serve();
    });
  }

  async #serve(): Promise<void> {
    this.#running = true;
    let began = this.#world.now();
    for (let turn = this.#first; turn !== null; turn = this.#first) {
      this.#first = turn.next;
      if (turn.next === null) this.#last = null;
      const late = delayed(this.#world, 'read', LATE_MS);
      if (late !== undefined) await late;
      const most = this.#most();
      if (most === 1) await turn.run();
      else await this.#among(turn, most);
      if (this.#world.now() - began < LIMITS.readsMs) continue;
      await new Promise<void>((resolve) => this.#world.defer(resolve));
      began = this.#world.now();
    }
    this.#running = false;
  }

  /** Resolves when the next one may be read. */
  async #among(turn: Turn, most: number): Promise<void> {
    const read: Promise<void> = turn.run().finally(() => this.#under.delete(read));
    this.#under.add(read);
    while (this.#under.size >= most) await Promise.race(this.#under);
  }

  #most(): number {
    try {
      return this.#store().readsAtOnce ?? 1;
    } catch {
      // Between two lives of the store: each read says so for itself.
      return 1;
    }
  }
}
