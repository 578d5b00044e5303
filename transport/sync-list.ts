// Owns the entries of SYNC frames as they are kept: packed, since a vector lists up to 20,000 chats and waits for its turn.
//
//     ids    [ 16 bytes | 16 bytes | … ]
//     seqs   [    8     |    8     | … ]     reads, flags likewise
//
// Invariant: entries stay in the order in which they came. What is kept is a few buffers, whatever it lists: as objects, the
// vectors of a handful of clients kept the garbage collector busy for most of a second.
// Must not: know chats; find anything (actors/vector.ts).

import type { SyncEntries, SyncEntry } from './frames.js';

/** Bytes of a chat's id. */
export const ID_BYTES = 16;

export class SyncList implements SyncEntries {
  length = 0;
  #ids: Uint8Array;
  #seqs: Float64Array;
  #reads: Float64Array;
  #flags: Uint8Array;

  constructor(room: number) {
    this.#ids = new Uint8Array(room * ID_BYTES);
    this.#seqs = new Float64Array(room);
    this.#reads = new Float64Array(room);
    this.#flags = new Uint8Array(room);
  }

  static of(entries: SyncEntries): SyncList {
    if (entries instanceof SyncList) return entries;
    const list = new SyncList(entries.length);
    for (const { chat, seq, read, flags } of entries) {
      list.ids.set(chat, list.length * ID_BYTES);
      list.push(seq, read, flags);
    }
    return list;
  }

  /** Where the id of entry `at` is: `at` × 16. */
  get ids(): Uint8Array {
    return this.#ids;
  }

  /** The entry's id is in its place already. */
  push(seq: number, read: number, flags: number): void {
    this.set(this.length, seq, read, flags);
    this.length += 1;
  }

  set(at: number, seq: number, read: number, flags: number): void {
    this.#seqs[at] = seq;
    this.#reads[at] = read;
    // The rest of them is for later versions of the protocol.
    this.#flags[at] = flags % 256;
  }

  /** Makes room for `more` entries. */
  reserve(more: number): void {
    const room = this.length + more;
    if (room <= this.#flags.length) return;
    const grown = new SyncList(Math.max(room, 2 * this.#flags.length));
    grown.#ids.set(this.#ids);
    grown.#seqs.set(this.#seqs);
    grown.#reads.set(this.#reads);
    grown.#flags.set(this.#flags);
    this.#ids = grown.#ids;
    this.#seqs = grown.#seqs;
    this.#reads = grown.#reads;
    this.#flags = grown.#flags;
  }

  /** The id is a copy. */
  at(at: number): SyncEntry {
    const chat = this.#ids.slice(at * ID_BYTES, (at + 1) * ID_BYTES);
    return { chat, seq: this.#seqs[at]!, read: this.#reads[at]!, flags: this.#flags[at]! };
  }

  seq(at: number): number {
    return this.#seqs[at]!;
  }

  read(at: number): number {
    return this.#reads[at]!;
  }

  flags(at: number): number {
    return this.#flags[at]!;
  }

  *[Symbol.iterator](): Generator<SyncEntry> {
    for (let at = 0; at < this.length; at += 1) yield this.at(at);
  }
}
