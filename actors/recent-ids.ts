// Owns a chat's memory of the newest message ids: which number each got.
// Invariant: for every id above the horizon, the answer is complete (absent means never stored); at or below it, only the
// store knows. Ids are UUIDv7, so fresh ones sort above and cost no read, however long the chat is.
// Must not: read the store.
//
//      only the store knows        │   all of them are here
//   ───────────────────────────────┼──▶ id order (time)
//                               horizon

import { LIMITS } from './limits.js';

/** What a retry must be told: the number, and whose message it was. */
export interface Known {
  readonly seq: number;
  readonly from: string;
}

export class RecentIds {
  #horizon: string;
  readonly #known = new Map<string, Known>();

  /** `newest`: stored ids in descending order, at most LIMITS.recentIds; `complete`: there are no others. */
  constructor(newest: readonly (readonly [string, Known])[], complete: boolean) {
    for (const [id, known] of newest) this.#known.set(id, known);
    this.#horizon = complete || newest.length === 0 ? '' : newest[newest.length - 1]![0];
  }

  /** `stored`: ask the store. */
  find(id: string): Known | 'fresh' | 'stored' {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    return id > this.#horizon ? 'fresh' : 'stored';
  }

  has(id: string): boolean {
    return this.#known.has(id);
  }

  add(id: string, known: Known): void {
    this.#known.set(id, known);
    if (this.#known.size < 2 * LIMITS.recentIds) return;
    const ids = [...this.#known.keys()].sort();
    const cut = ids.length - LIMITS.recentIds;
    for (let i = 0; i < cut; i += 1) this.#known.delete(ids[i]!);
    if (ids[cut - 1]! > this.#horizon) this.#horizon = ids[cut - 1]!;
  }

  get size(): number {
    return this.#known.size;
  }
}
