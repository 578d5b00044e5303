// Owns the bytes of the link protocol: every frame begins with its type; integers are big-endian.
// Invariant: decode() never throws; bytes after a frame's known fields are a newer version's and are passed over.
// Must not: judge: who may send what when is link-greeting.ts and link-session.ts.

import { LIMITS } from '../actors/limits.js';

const HELLO = 1;
const CHALLENGE = 2;
const PROOF = 3;
const WELCOME = 4;
const BATCH = 5;
const TAKEN = 6;
const PING = 7;
const PONG = 8;

/** Bytes before a batch. */
const BATCH_HEAD = 7;
export const NONCE = 16;

/** The dialler's first frame: who it is, whom it means, and what it speaks. */
export interface Hello {
  readonly low: number;
  readonly high: number;
  readonly node: string;
  readonly incarnation: number;
  readonly to: string;
  readonly toIncarnation: number;
  readonly nonce: Uint8Array;
}

export type LinkFrame =
  | ({ readonly type: 'hello' } & Hello)
  | { readonly type: 'challenge'; readonly low: number; readonly high: number; readonly nonce: Uint8Array }
  | { readonly type: 'proof' | 'welcome'; readonly mac: Uint8Array }
  | { readonly type: 'batch'; readonly number: number; readonly payload: Uint8Array }
  | { readonly type: 'taken' | 'ping' | 'pong'; readonly number: number }
  /** A newer version's. */
  | { readonly type: 'unknown' }
  /** No frame of any version. */
  | { readonly type: 'bad' };

const BAD: LinkFrame = { type: 'bad' };
const UNKNOWN: LinkFrame = { type: 'unknown' };
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function hello({ low, high, node, incarnation, to, toIncarnation, nonce }: Hello): Uint8Array {
  const names = [encoder.encode(node), encoder.encode(to)];
  const frame = new Writer(1 + 4 + 12 + NONCE + names.reduce((sum, name) => sum + 1 + name.length, 0));
  frame.byte(HELLO).short(low).short(high).long(incarnation).long(toIncarnation).raw(nonce);
  for (const name of names) frame.byte(name.length).raw(name);
  return frame.bytes;
}

export function challenge(low: number, high: number, nonce: Uint8Array): Uint8Array {
  return new Writer(5 + NONCE).byte(CHALLENGE).short(low).short(high).raw(nonce).bytes;
}

export function proof(mac: Uint8Array): Uint8Array {
  return new Writer(1 + mac.length).byte(PROOF).raw(mac).bytes;
}

export function welcome(mac: Uint8Array): Uint8Array {
  return new Writer(1 + mac.length).byte(WELCOME).raw(mac).bytes;
}

export function batch(number: number, payload: Uint8Array): Uint8Array {
  return new Writer(BATCH_HEAD + payload.length).byte(BATCH).long(number).raw(payload).bytes;
}

export function taken(number: number): Uint8Array {
  return new Writer(7).byte(TAKEN).long(number).bytes;
}

export function ping(number: number): Uint8Array {
  return new Writer(7).byte(PING).long(number).bytes;
}

export function pong(number: number): Uint8Array {
  return new Writer(7).byte(PONG).long(number).bytes;
}

/** Parts of the frame are views of `bytes`. */
export function decode(bytes: Uint8Array): LinkFrame {
  const [type = 0] = bytes;
  switch (type) {
    case 0:
      return BAD;
    case HELLO:
      return decodeHello(bytes);
    case CHALLENGE:
      return bytes.length < 5 + NONCE
        ? BAD
        : { type: 'challenge', low: short(bytes, 1), high: short(bytes, 3), nonce: bytes.subarray(5, 5 + NONCE) };
    case PROOF:
    case WELCOME:
      return { type: type === PROOF ? 'proof' : 'welcome', mac: bytes.subarray(1) };
    case BATCH:
      return bytes.length < BATCH_HEAD
        ? BAD
        : { type: 'batch', number: long(bytes, 1), payload: bytes.subarray(BATCH_HEAD) };
    case TAKEN:
    case PING:
    case PONG:
      if (bytes.length < 7) return BAD;
      return { type: type === TAKEN ? 'taken' : type === PING ? 'ping' : 'pong', number: long(bytes, 1) };
    default:
      return UNKNOWN;
  }
}

function decodeHello(bytes: Uint8Array): LinkFrame {
  let at = 17 + NONCE;
  const name = (): string | undefined => {
    const length = bytes[at] ?? 0;
    const end = at + 1 + length;
    if (length === 0 || length > LIMITS.nodeId || end > bytes.length) return undefined;
    const raw = bytes.subarray(at + 1, end);
    at = end;
    try {
      return decoder.decode(raw);
    } catch {
      return undefined;
    }
  };
  const node = name();
  const to = node === undefined ? undefined : name();
  if (node === undefined || to === undefined) return BAD;
  return {
    type: 'hello',
    low: short(bytes, 1),
    high: short(bytes, 3),
    incarnation: long(bytes, 5),
    toIncarnation: long(bytes, 11),
    nonce: bytes.subarray(17, 17 + NONCE),
    node,
    to,
  };
}

function short(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** 48 bits. */
function long(bytes: Uint8Array, at: number): number {
  return short(bytes, at) * 2 ** 32 + ((short(bytes, at + 2) << 16) >>> 0) + short(bytes, at + 4);
}

class Writer {
  readonly bytes: Uint8Array;
  #at = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
  }

  byte(value: number): this {
    this.bytes[this.#at++] = value;
    return this;
  }

  short(value: number): this {
    return this.byte(value >>> 8).byte(value);
  }

  long(value: number): this {
    const high = Math.floor(value / 2 ** 32);
    return this.short(high)
      .short(value >>> 16)
      .short(value);
  }

  raw(value: Uint8Array): this {
    this.bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }
}
