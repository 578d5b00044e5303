// Owns writing of the MessagePack subset that the protocol uses (docs/wire.md §2), always in the shortest form.
// Invariant: what it writes, Reader reads back equal; a number that is no exact integer is a bug, not a frame.
// Must not: know frames, or use Node built-ins (the SDK runs it in browsers).

import { assert } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import type { ChatRef, Plain, UserRef } from './frames.js';
import type { Slab } from './slab.js';

const START = 512;
const TWO_32 = 4_294_967_296;
/** Up to here a loop over ASCII beats the call into the encoder. */
const SHORT_TEXT = 40;
const SHORT_BYTES = 48;

const utf8 = new TextEncoder();

/** A growing buffer, used over and over: `reset`, write, then `copy` or `view`. */
export class Writer {
  #bytes = new Uint8Array(START);
  #at = 0;

  /** Starts anew; a buffer that one huge frame blew up is given back. */
  reset(): this {
    if (this.#bytes.length > LIMITS.scratch) this.#bytes = new Uint8Array(START);
    this.#at = 0;
    return this;
  }

  /** Bytes written since `reset`. */
  get length(): number {
    return this.#at;
  }

  /** Part of what was written, valid until the next `reset` or write. */
  cut(start: number, end: number): Uint8Array {
    return this.#bytes.subarray(start, end);
  }

  /** What was written, in memory of its own, or in the slab's. */
  copy(slab?: Slab): Uint8Array {
    if (slab === undefined) return this.#bytes.slice(0, this.#at);
    const out = slab.take(this.#at);
    out.set(this.view());
    return out;
  }

  /** What was written, valid until the next `reset`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  array(count: number): this {
    this.#room(5);
    if (count <= 15) this.#bytes[this.#at++] = 0x90 | count;
    else if (count <= 0xffff) this.#head(0xdc, count, 2);
    else this.#head(0xdd, count, 4);
    return this;
  }

  int(value: number): this {
    assert(Number.isSafeInteger(value), 'an integer on the wire is exact');
    this.#room(9);
    if (value >= 0) {
      if (value <= 0x7f) this.#bytes[this.#at++] = value;
      else if (value <= 0xff) this.#head(0xcc, value, 1);
      else if (value <= 0xffff) this.#head(0xcd, value, 2);
      else if (value < TWO_32) this.#head(0xce, value, 4);
      else this.#wide(0xcf, value);
    } else if (value >= -32) this.#bytes[this.#at++] = value;
    else if (value >= -0x80) this.#head(0xd0, value, 1);
    else if (value >= -0x8000) this.#head(0xd1, value, 2);
    else if (value >= -0x8000_0000) this.#head(0xd2, value, 4);
    else this.#wide(0xd3, value);
    return this;
  }

  flag(on: boolean): this {
    return this.int(on ? 1 : 0);
  }

  nil(): this {
    this.#room(1);
    this.#bytes[this.#at++] = 0xc0;
    return this;
  }

  str(text: string): this {
    const length = text.length;
    if (length <= SHORT_TEXT) {
      this.#room(length + 2);
      const start = this.#at;
      this.#strHead(length);
      const bytes = this.#bytes;
      let at = this.#at;
      let i = 0;
      for (; i < length; i++) {
        const unit = text.charCodeAt(i);
        if (unit > 0x7f) break;
        bytes[at++] = unit;
      }
      if (i === length) {
        this.#at = at;
        return this;
      }
      this.#at = start;
      const size = narrowSize(text);
      if (size > 0) return this.#narrow(text, size);
    }
    const encoded = utf8.encode(text);
    this.#room(encoded.length + 5);
    this.#strHead(encoded.length);
    return this.raw(encoded);
  }

  bin(bytes: Uint8Array): this {
    const length = bytes.length;
    this.#room(length + 5);
    if (length <= 0xff) this.#head(0xc4, length, 1);
    else if (length <= 0xffff) this.#head(0xc5, length, 2);
    else this.#head(0xc6, length, 4);
    return this.raw(bytes);
  }

  /** Bytes that are encoded already, from `start` on. */
  raw(bytes: Uint8Array, start = 0): this {
    const length = bytes.length - start;
    this.#room(length);
    if (length > SHORT_BYTES) this.#bytes.set(start === 0 ? bytes : bytes.subarray(start), this.#at);
    else {
      const out = this.#bytes;
      for (let i = start, at = this.#at; i < bytes.length; i++) out[at++] = bytes[i]!;
    }
    this.#at += length;
    return this;
  }

  chat(chat: ChatRef): this {
    return typeof chat === 'number' ? this.int(chat) : this.bin(chat);
  }

  user(user: UserRef): this {
    return typeof user === 'number' ? this.int(user) : this.str(user);
  }

  plain(value: Plain): this {
    if (value === null) return this.nil();
    if (typeof value === 'number') return this.int(value);
    if (typeof value === 'string') return this.str(value);
    if (typeof value === 'boolean') {
      this.#room(1);
      this.#bytes[this.#at++] = value ? 0xc3 : 0xc2;
      return this;
    }
    if (value instanceof Uint8Array) return this.bin(value);
    return this.plains(value);
  }

  plains(values: readonly Plain[]): this {
    this.array(values.length);
    for (const value of values) this.plain(value);
    return this;
  }

  /** A short text of which no character takes more than two bytes, say an id as text: without a call into the encoder. */
  #narrow(text: string, size: number): this {
    this.#room(size + 2);
    this.#strHead(size);
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) {
        bytes[at++] = 0xc0 | (unit >> 6);
        bytes[at++] = 0x80 | (unit & 0x3f);
      } else bytes[at++] = unit;
    }
    this.#at = at;
    return this;
  }

  #strHead(length: number): void {
    if (length <= 31) this.#bytes[this.#at++] = 0xa0 | length;
    else if (length <= 0xff) this.#head(0xd9, length, 1);
    else if (length <= 0xffff) this.#head(0xda, length, 2);
    else this.#head(0xdb, length, 4);
  }

  /** A format byte and `width` bytes of `value`, big-endian (two's complement where negative). */
  #head(format: number, value: number, width: 1 | 2 | 4): void {
    const bytes = this.#bytes;
    bytes[this.#at++] = format;
    if (width === 4) {
      bytes[this.#at++] = value >>> 24;
      bytes[this.#at++] = value >>> 16;
    }
    if (width >= 2) bytes[this.#at++] = value >>> 8;
    bytes[this.#at++] = value;
  }

  #wide(format: number, value: number): void {
    const high = Math.floor(value / TWO_32);
    const low = value - high * TWO_32;
    this.#head(format, high, 4);
    const bytes = this.#bytes;
    bytes[this.#at++] = low >>> 24;
    bytes[this.#at++] = low >>> 16;
    bytes[this.#at++] = low >>> 8;
    bytes[this.#at++] = low;
  }

  #room(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }
}

/** Bytes of a text in UTF-8; 0 where a character takes more than two. */
function narrowSize(text: string): number {
  let size = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7ff) return 0;
    if (unit > 0x7f) size++;
  }
  return size;
}
