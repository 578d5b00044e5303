// Owns reading of the MessagePack subset that the protocol uses (docs/wire.md §2) from bytes that nobody trusts.
// Invariant: no read goes past the end, no length or count is believed before the bytes behind it are seen to be there,
// and after the first fault every read answers an empty value, so that callers check `fault` once, at the end.
// Must not: know frames, keep the input, or use Node built-ins (the SDK runs it in browsers).

import type { ChatRef, Plain, UserRef } from './frames.js';
import { isArray, isInt, isStr } from './heads.js';
import type { Slab } from './slab.js';
import { decodeText, isText } from './utf8.js';

const EMPTY = new Uint8Array(0);
const NO_ITEMS: readonly Plain[] = [];
const TWO_32 = 4_294_967_296;
/** High word of 2⁵³−1: above it, an integer is not exact in a double. */
const SAFE_HIGH = 0x1f_ffff;
/** Up to here a loop beats making a second view for `set`. */
const SHORT_BYTES = 48;
const DOUBLE = 0xcb;

export class Reader {
  /** Why the input is refused, or '' so far. */
  fault = '';
  #bytes: Uint8Array = EMPTY;
  #at = 0;
  #end = 0;
  #depth = 0;
  readonly #slab: Slab | undefined;
  readonly #doubles: boolean;
  readonly #decode: typeof decodeText;

  /** With a slab, copies come from it; without, each has memory of its own. `doubles`: floats of 64 bits are numbers too. `decode`: reads texts. */
  constructor(slab?: Slab, doubles = false, decode = decodeText) {
    this.#slab = slab;
    this.#decode = decode;
    this.#doubles = doubles;
  }

  /** Starts on `bytes`, which may nest arrays `depth` deep, the frame's own included. */
  open(bytes: Uint8Array, depth: number): void {
    this.fault = '';
    this.#bytes = bytes;
    this.#at = 0;
    this.#end = bytes.length;
    this.#depth = depth;
  }

  /** Ends the frame: true when all was well and nothing is left. Lets go of the input. */
  close(): boolean {
    if (this.#at !== this.#end) this.fail('bytes after the frame');
    this.#bytes = EMPTY;
    this.#at = 0;
    this.#end = 0;
    return this.fault === '';
  }

  /** Notes the first fault; later reads find nothing. */
  fail(reason: string): void {
    if (this.fault === '') this.fault = reason;
    this.#at = this.#end;
  }

  /** Offset of the next value. */
  get position(): number {
    return this.#at;
  }

  /** The byte so far behind the next one; 0 beyond the end. */
  ahead(offset: number): number {
    const at = this.#at + offset;
    return at < this.#end ? this.#bytes[at]! : 0;
  }

  /** True, and past them, when these bytes come next. */
  passes(bytes: Uint8Array): boolean {
    const start = this.#at;
    if (bytes.length > this.#end - start) return false;
    for (let i = 0; i < bytes.length; i++) if (this.#bytes[start + i] !== bytes[i]) return false;
    this.#at = start + bytes.length;
    return true;
  }

  /** The input from `start` to the next value. */
  cut(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.#at);
  }

  get atEnd(): boolean {
    return this.#at === this.#end;
  }

  /** An array's count. Every item takes a byte at least, so a count beyond the bytes left is a lie. */
  array(): number {
    const head = this.#byte();
    let count: number;
    if (head >= 0x90 && head <= 0x9f) count = head & 0x0f;
    else if (head === 0xdc) count = this.#big(2);
    else if (head === 0xdd) count = this.#big(4);
    else {
      this.fail('array expected');
      return 0;
    }
    if (count > this.#end - this.#at) {
      this.fail('truncated');
      return 0;
    }
    return count;
  }

  /** Any integer within ±(2⁵³−1), in any of MessagePack's lengths. */
  int(): number {
    const head = this.#byte();
    if (head <= 0x7f) return head;
    if (head >= 0xe0) return head - 256;
    if (head >= 0xcc && head <= 0xce) return this.#big(1 << (head - 0xcc));
    if (head >= 0xd0 && head <= 0xd2) {
      const width = 1 << (head - 0xd0);
      const shift = 32 - 8 * width;
      return (this.#big(width) << shift) >> shift;
    }
    if (head === 0xcf || head === 0xd3) return this.#wide(head === 0xd3);
    if (this.#doubles && head === DOUBLE) return this.#double(true);
    this.fail('integer expected');
    return 0;
  }

  uint(): number {
    const value = this.int();
    if (value < 0) {
      this.fail('negative');
      return 0;
    }
    return value;
  }

  /** A request number: 0 would mean "about the connection" in an answer. */
  request(): number {
    const value = this.uint();
    if (value === 0) this.fail('request number is 0');
    return value;
  }

  flag(): boolean {
    const value = this.int();
    if (value !== 0 && value !== 1) this.fail('flag expected');
    return value === 1;
  }

  /** A count, or any double where they are read. */
  real(): number {
    if (!this.#doubles || this.#bytes[this.#at] !== DOUBLE) return this.uint();
    this.#at++;
    return this.#double(false);
  }

  str(): string {
    return this.#text(this.#strLength());
  }

  /** A copy: the input may be gone when the caller returns. */
  bin(): Uint8Array {
    const length = this.#binLength();
    const start = this.#take(length);
    if (start < 0 || length === 0) return EMPTY;
    const out = this.#slab?.take(length) ?? new Uint8Array(length);
    if (length > SHORT_BYTES) out.set(this.#bytes.subarray(start, start + length));
    else for (let i = 0; i < length; i++) out[i] = this.#bytes[start + i]!;
    return out;
  }

  skipBin(): void {
    this.#take(this.#binLength());
  }

  /** A copied `bin` of exactly 16 bytes. */
  id(): Uint8Array {
    const value = this.bin();
    if (value.length !== 16) this.fail('16 bytes expected');
    return value;
  }

  /** A `bin` of exactly 16 bytes, copied to `target` from `at` on. */
  idInto(target: Uint8Array, at: number): void {
    const length = this.#binLength();
    const start = this.#take(length);
    if (length !== 16) this.fail('16 bytes expected');
    else if (start >= 0) for (let i = 0; i < 16; i++) target[at + i] = this.#bytes[start + i]!;
  }

  chat(): ChatRef {
    return this.#at < this.#end && isInt(this.#bytes[this.#at]!) ? this.uint() : this.id();
  }

  user(): UserRef {
    return this.#at < this.#end && isInt(this.#bytes[this.#at]!) ? this.uint() : this.str();
  }

  /** True, and past it, when the next value is nil. */
  nil(): boolean {
    if (this.#bytes[this.#at] !== 0xc0 || this.#at >= this.#end) return false;
    this.#at++;
    return true;
  }

  /** Any value of the subset, `level` arrays down (the frame's fields are at 1). */
  plain(level: number): Plain {
    const head = this.#bytes[this.#at];
    if (this.#at >= this.#end || head === undefined) {
      this.fail('truncated');
      return null;
    }
    if (this.nil()) return null;
    if (head === 0xc2 || head === 0xc3) {
      this.#at++;
      return head === 0xc3;
    }
    if (head >= 0xc4 && head <= 0xc6) return this.bin();
    if (isStr(head)) return this.str();
    if (isArray(head)) return this.plains(level + 1);
    return this.int();
  }

  /** An array of any values of the subset, its items `level` arrays down. */
  plains(level: number): readonly Plain[] {
    const count = this.array();
    if (level > this.#depth) {
      this.fail('nested too deep');
      return NO_ITEMS;
    }
    const items: Plain[] = [];
    for (let i = 0; i < count && this.fault === ''; i++) items.push(this.plain(level));
    return items;
  }

  /** Passes over `count` values of any kind of the subset, checking them as if they were read. */
  skip(count: number, level: number): void {
    for (let i = 0; i < count && this.fault === ''; i++) {
      const head = this.#bytes[this.#at];
      if (this.#at >= this.#end || head === undefined) this.fail('truncated');
      else if (head === 0xc0 || head === 0xc2 || head === 0xc3) this.#at++;
      else if (head >= 0xc4 && head <= 0xc6) this.#take(this.#binLength());
      else if (isStr(head)) this.#skipText(this.#strLength());
      else if (isArray(head)) {
        const inner = this.array();
        if (level >= this.#depth) this.fail('nested too deep');
        else this.skip(inner, level + 1);
      } else this.int();
    }
  }

  /** Claims `length` bytes; answers where they start, or -1. */
  #take(length: number): number {
    const start = this.#at;
    if (length > this.#end - start) {
      this.fail('truncated');
      return -1;
    }
    this.#at = start + length;
    return start;
  }

  #byte(): number {
    const start = this.#take(1);
    // 0xc1 is the one byte that MessagePack never uses: no reader takes it for a value.
    return start < 0 ? 0xc1 : this.#bytes[start]!;
  }

  #big(width: number): number {
    const start = this.#take(width);
    if (start < 0) return 0;
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + this.#bytes[start + i]!;
    return value;
  }

  #wide(signed: boolean): number {
    const high = signed ? this.#big(4) | 0 : this.#big(4);
    const low = this.#big(4);
    const safe = high >= 0 ? high <= SAFE_HIGH : high > -SAFE_HIGH - 1 || (high === -SAFE_HIGH - 1 && low > 0);
    if (!safe) {
      this.fail('integer beyond 2^53-1');
      return 0;
    }
    return high * TWO_32 + low;
  }

  #double(whole: boolean): number {
    const start = this.#take(8);
    const { buffer, byteOffset } = this.#bytes;
    const value = start < 0 ? 0 : new DataView(buffer, byteOffset + start, 8).getFloat64(0);
    if (whole ? !Number.isSafeInteger(value) : Number.isNaN(value)) this.fail('number expected');
    return value;
  }

  #binLength(): number {
    const head = this.#byte();
    if (head >= 0xc4 && head <= 0xc6) return this.#big(1 << (head - 0xc4));
    this.fail('bytes expected');
    return 0;
  }

  #strLength(): number {
    const head = this.#byte();
    if (head >= 0xa0 && head <= 0xbf) return head & 0x1f;
    if (head >= 0xd9 && head <= 0xdb) return this.#big(1 << (head - 0xd9));
    this.fail('string expected');
    return 0;
  }

  #text(length: number): string {
    const start = this.#take(length);
    if (start < 0) return '';
    const text = this.#decode(this.#bytes, start, start + length);
    if (text === undefined) this.fail('not UTF-8');
    return text ?? '';
  }
  #skipText(length: number): void {
    const start = this.#take(length);
    if (start >= 0 && !isText(this.#bytes, start, start + length)) this.fail('not UTF-8');
  }
}
