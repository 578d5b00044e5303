// Owns memory for short byte strings that the server makes by the thousand and soon drops: V8 takes several times longer to
// make an ArrayBuffer of its own for each than a view into a shared one.
//
//     slab  [ body | row | body |       free       ]
//                                ^ at
//
// Invariant: no byte is handed out twice; a full slab is left to the garbage collector with its last view.
// Must not: be used by the SDK: an application that clones or stores such a view would take the whole slab along.

import { LIMITS } from '../actors/limits.js';

/** Under this, V8 keeps a typed array's bytes in its own heap, which costs less than a view. */
const SMALL = 64;

export class Slab {
  #buffer = new ArrayBuffer(0);
  #at = 0;

  /** `length` bytes, all zero. */
  take(length: number): Uint8Array {
    if (length <= SMALL || length > LIMITS.slab / 8) return new Uint8Array(length);
    if (length > this.#buffer.byteLength - this.#at) {
      this.#buffer = new ArrayBuffer(LIMITS.slab);
      this.#at = 0;
    }
    const bytes = new Uint8Array(this.#buffer, this.#at, length);
    this.#at += length;
    return bytes;
  }
}
