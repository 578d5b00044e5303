// Owns what a client says of its chats on SYNC: how far it has each, found by the chat's id.
//
//     list   [ entry | entry | entry | … ]          as they came (transport/sync-list.ts)
//     table  [   | 2 |   | 0 | 1 |   |   | … ]      places in the list + 1, by hash of the id, linear probing
//
// Invariant: one entry a chat; of two for the same chat the later one counts. A chat's place never changes.
// Must not: be a Map: at 20,000 chats that is a hundred thousand objects, all alive while the client is answered.

import type { SyncEntries, SyncEntry } from '../transport/frames.js';
import { ID_BYTES, SyncList } from '../transport/sync-list.js';

/** Slots of the smallest table; there are always twice as many slots as entries. */
const SLOTS = 16;

export class Vector {
  readonly #list = new SyncList(SLOTS / 2);
  readonly #seed: number;
  #table = new Int32Array(SLOTS);

  /** `seed`: any integer that clients do not know, or they could choose ids that all meet in one slot. */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  /** Chats listed. */
  get size(): number {
    return this.#list.length;
  }

  add(entries: SyncEntries): void {
    const more = SyncList.of(entries);
    const list = this.#list;
    list.reserve(more.length);
    this.#grow(list.length + more.length);
    for (let at = 0; at < more.length; at += 1) {
      const start = at * ID_BYTES;
      const slot = this.#slot(more.ids, start);
      let place = this.#table[slot]! - 1;
      if (place < 0) {
        place = list.length;
        for (let i = 0; i < ID_BYTES; i += 1) list.ids[place * ID_BYTES + i] = more.ids[start + i]!;
        list.length += 1;
        this.#table[slot] = place + 1;
      }
      list.set(place, more.seq(at), more.read(at), more.flags(at));
    }
  }

  /** The chat's place, -1 if it is not listed. */
  find(chat: Uint8Array): number {
    return this.#table[this.#slot(chat, 0)]! - 1;
  }

  at(place: number): SyncEntry {
    return this.#list.at(place);
  }

  /** The slot of this id, or the empty one where it belongs. */
  #slot(ids: Uint8Array, start: number): number {
    const mask = this.#table.length - 1;
    for (let slot = this.#hash(ids, start) & mask; ; slot = (slot + 1) & mask) {
      const place = this.#table[slot]! - 1;
      if (place < 0 || same(this.#list.ids, place * ID_BYTES, ids, start)) return slot;
    }
  }

  #hash(ids: Uint8Array, start: number): number {
    let hash = this.#seed;
    for (let i = start; i < start + ID_BYTES; i += 1) {
      hash = Math.imul(hash ^ ids[i]!, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  #grow(entries: number): void {
    if (2 * entries <= this.#table.length) return;
    this.#table = new Int32Array(2 ** Math.ceil(Math.log2(2 * entries)));
    for (let place = 0; place < this.#list.length; place += 1) {
      this.#table[this.#slot(this.#list.ids, place * ID_BYTES)] = place + 1;
    }
  }
}

function same(a: Uint8Array, at: number, b: Uint8Array, from: number): boolean {
  for (let i = 0; i < ID_BYTES; i += 1) if (a[at + i] !== b[from + i]) return false;
  return true;
}
