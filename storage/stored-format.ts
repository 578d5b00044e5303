// Owns the version of stored rows that is in force in a store, as one process knows it, and its rise.
//
// Whoever opens a store of an earlier version goes on writing that. It rises when all who share the store have known a later one for
// LIMITS.formatRestMs without a break: until then each of them can be replaced by the earlier build, from then on no longer.
// Invariant: what this process holds to be in force is not above what is; it rises in a transaction that requires everybody to be as they
// were when they were asked (`Terms`).
// Must not: know who shares the store.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import { encodeFormat, FORMAT_KEY, FORMATS, readable, type Versions } from './format.js';
import type { Check, Store } from './store.js';

/** What all who share the store know. */
export interface Terms {
  readonly highest: number;
  /** Rows that stand as they are while nobody else comes. */
  readonly checks: readonly Check[];
}

export class StoredFormat {
  readonly #store: Store;
  readonly #world: World;
  readonly #formats: Versions;
  #version: number;
  /** Since when all have known more than what is in force; null: they do not. */
  #since: number | null = null;
  #rising = false;

  constructor(store: Store, world: World, formats: Versions = FORMATS) {
    this.#store = store;
    this.#world = world;
    this.#formats = formats;
    this.#version = formats.low;
  }

  /** Everybody who shares the store reads rows of this version: no later ones are to be written. */
  get version(): number {
    return this.#version;
  }

  /**
   * Reads what is in force; the answer holds as long as the check does.
   * @throws StoreOpenError `store_newer`, `store_older`
   */
  async read(): Promise<Check> {
    const row = await this.#store.get(FORMAT_KEY);
    this.#version = Math.max(this.#version, readable(row, 'the store', this.#formats));
    return { key: FORMAT_KEY, value: row ?? null };
  }

  /** `highest`: what all who are there know, as it looks. Asked again and again; `terms` makes sure. */
  async look(highest: number, terms: () => Promise<Terms>): Promise<void> {
    if (this.#version >= this.#formats.high || this.#rising) return;
    this.#rising = true;
    try {
      const format = await this.read();
      if (highest <= this.#version) this.#since = null;
      else {
        this.#since ??= this.#world.now();
        if (this.#world.now() - this.#since >= LIMITS.formatRestMs) await this.#rise(format, await terms());
      }
    } finally {
      this.#rising = false;
    }
  }

  async #rise(format: Check, { highest, checks }: Terms): Promise<void> {
    if (highest <= this.#version) return;
    const write = { key: FORMAT_KEY, value: encodeFormat(highest) };
    const result = await this.#store.commit({ checks: [format, ...checks], writes: [write] });
    if (result.outcome === 'committed') this.#version = highest;
  }

  /** Of a node that is alone: rises by itself, once. Where the store does not answer then, the next start does it. */
  alone(): void {
    const { high } = this.#formats;
    if (this.#version >= high) return;
    const rise = async (): Promise<void> => this.#rise(await this.read(), { highest: high, checks: [] });
    this.#world.timer(LIMITS.formatRestMs, () => void rise().catch(() => undefined));
  }
}
