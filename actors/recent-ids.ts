// Owns a chat's memory of the newest message ids: which number each got.
// Invariant: for every id above the horizon the answer is complete (absent means never stored); at or below it, only the
// store knows. Ids are UUIDv7, so fresh ones sort above and cost no read, however long the chat is.
// Must not: read the store.
//
//      pages in the store         │ last page │ since then
//   ──────────────────────────────┼───────────┼────────────▶ number
//     only the store knows        └── all of them are here ─┘
//
// The horizon is the highest id of what is not here. One phone whose clock runs ahead lifts it until that time has come:
// meanwhile each send costs a look into the store, and nothing else changes.

import { encodeIdPage } from '../storage/id-page.js';
import { idPageKey } from '../storage/keys.js';
import type { Write } from '../storage/store.js';
import type { Entry } from './entry.js';
import { assert } from './errors.js';
import { LIMITS } from './limits.js';

/** What a retry must be told: the number, and whose message it was. */
export interface Known {
  readonly seq: number;
  /** '' where the message has ended, and only its number is remembered. */
  readonly from: string;
}

/** What a page needs to know of an entry. */
export interface Numbered {
  readonly idText: string;
  readonly seq: number;
  /** Wall ms of its acceptance. */
  readonly at: number;
}

export class RecentIds {
  readonly #known = new Map<string, Known | Entry>();
  #horizon: string;
  /** Highest id of the chat that is not in `#since`. */
  #highest: string;
  /** Newest ids that are on pages, as far as those were written in this life. */
  #page: string[] = [];
  /** Ids since the last page, in order of their numbers. */
  #since: string[] = [];
  /** Number of the last id on a page. */
  #paged: number;
  /** Ids of a page. */
  readonly #length: number;

  /** `highest`: the last page's; '' when there is none. `paged`: number of its last id. */
  constructor(highest: string, paged = 0, length: number = LIMITS.idPage) {
    this.#paged = paged;
    this.#length = length;
    this.#horizon = highest;
    this.#highest = highest;
  }

  /** An entry on its way, a known number, `fresh`, or `stored`: ask the store. */
  find(id: string): Entry | Known | 'fresh' | 'stored' {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    return id > this.#horizon ? 'fresh' : 'stored';
  }

  has(id: string): boolean {
    return this.#known.has(id);
  }

  /** The entry is on its way. */
  open(entry: Entry): void {
    this.#known.set(entry.idText, entry);
  }

  /** The entry will not be stored. */
  drop(entry: Entry): void {
    this.#known.delete(entry.idText);
  }

  /** The next number went to this id. */
  add(id: string, known: Known): void {
    this.#known.set(id, known);
    this.#since.push(id);
  }

  /** Number up to which ids are on pages. */
  get paged(): number {
    return this.#paged;
  }

  /**
   * The page that an append of these entries must write too, or null. They have their numbers. `early`: whatever is on no
   * page goes on one now; `at` is the time of the chat's newest entry, wall ms.
   */
  page(chat: Uint8Array, entries: readonly Numbered[], early = false, at = 0): Write | null {
    const count = this.#since.length + entries.length;
    if (count < (early ? 1 : this.#length)) return null;
    const ids = [...this.#since, ...entries.map(({ idText }) => idText)];
    let highest = this.#highest;
    for (const id of ids) if (id > highest) highest = id;
    const value = encodeIdPage({ highest, first: this.#paged + 1, ids: ids.join('') });
    const last = entries[entries.length - 1];
    return { key: idPageKey(chat, last?.at ?? at, this.#paged + count), value };
  }

  /** The page was written: what it holds stays here until the next one. */
  turn(): void {
    assert(this.#since.length > 0, 'a page holds something');
    const all = [...this.#page, ...this.#since];
    const kept = Math.max(this.#length, this.#since.length);
    for (const id of all.splice(0, Math.max(0, all.length - kept))) {
      this.#known.delete(id);
      if (id > this.#horizon) this.#horizon = id;
    }
    for (const id of this.#since) if (id > this.#highest) this.#highest = id;
    this.#paged += this.#since.length;
    this.#page = all;
    this.#since = [];
  }

  get size(): number {
    return this.#known.size;
  }
}
