// Owns the fingerprint of a run: a hash over every event, frame and fact, in order.
// Invariant: two runs that differ in one event, one byte or one moment differ in it (but for one chance in 2⁶⁴).
// Must not: keep what it is fed.

const FLOAT = new Float64Array(1);
const WORDS = new Uint32Array(FLOAT.buffer);

export class Trace {
  #a = 0x811c9dc5;
  #b = 0x9e3779b9;

  number(value: number): void {
    FLOAT[0] = value;
    this.#word(WORDS[0]!);
    this.#word(WORDS[1]!);
  }

  text(text: string): void {
    for (let at = 0; at < text.length; at += 1) this.#word(text.charCodeAt(at));
    this.#word(text.length);
  }

  bytes(bytes: Uint8Array): void {
    const { length } = bytes;
    let at = 0;
    for (; at + 3 < length; at += 4) {
      this.#word(bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    }
    for (; at < length; at += 1) this.#word(bytes[at]!);
    this.#word(length);
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return [this.#a, this.#b].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  #word(word: number): void {
    this.#a = Math.imul(this.#a ^ word, 0x01000193);
    this.#b = Math.imul((this.#b << 5) ^ (this.#b >>> 27) ^ word, 0x85ebca6b);
  }
}
