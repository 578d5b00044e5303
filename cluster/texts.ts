// Owns the names that one link brings over and over: keys of chats, users, devices.
// Invariant: what is read is as if nothing were remembered: a text is taken for one only where each of its bytes is the same.
// Must not: remember what is not plain ASCII, or long.
//
// A text that is made anew for each message has to be hashed anew by each map that it is looked up in, and compared by its characters.

import { LIMITS } from '../actors/limits.js';
import { Reader } from '../transport/reader.js';
import { Slab } from '../transport/slab.js';
import { decodeText } from '../transport/utf8.js';

/** Keys of chats have 32 characters. */
const LONGEST = 40;

export class Texts {
  readonly #known: (string | undefined)[] = new Array(LIMITS.linkTexts).fill(undefined);

  /** Of the bytes from `start` to before `end`; undefined where they are no UTF-8. */
  readonly read = (bytes: Uint8Array, start: number, end: number): string | undefined => {
    const length = end - start;
    if (length > LONGEST) return decodeText(bytes, start, end);
    let hash = length;
    for (let i = start; i < end; i++) hash = Math.imul(hash, 31) + bytes[i]!;
    const place = (hash >>> 0) % LIMITS.linkTexts;
    const known = this.#known[place];
    if (known?.length === length && same(known, bytes, start)) return known;
    const text = decodeText(bytes, start, end);
    // As many characters as bytes: each is ASCII.
    if (text?.length !== length) return text;
    // What was put together character by character stays in pieces, until it is read.
    const whole = Buffer.from(text, 'latin1').toString('latin1');
    this.#known[place] = whole;
    return whole;
  };
}

/** Of what one peer sends. */
export function linkReader(): Reader {
  return new Reader(new Slab(), false, new Texts().read);
}

function same(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
