// Owns the trial of the decoders: what they make of any bytes, against a second reading of the document.
// Invariant: whatever the bytes, both readings say the same; what was taken encodes, and decodes to itself.
// Must not: make the bytes (fuzz-frames.ts).

import { isDeepStrictEqual } from 'node:util';
import { LIMITS } from '../actors/limits.js';
import { decodeClient, decodeServer, encodeClient, encodeServer } from '../transport/codec.js';
import { CLIENT, judge, SERVER } from './fuzz-grammar.js';
import { hex } from './fuzz-rows.js';

export type Side = 'client' | 'server';

export const GRAMMAR = { client: CLIENT, server: SERVER } as const;
const DEPTH = { client: LIMITS.depth, server: LIMITS.serverDepth } as const;

/** The frame's type as decoded. Throws where the readings differ. */
export function tryFrame(side: Side, bytes: Uint8Array): number {
  const expected = listed(judge(bytes, GRAMMAR[side], DEPTH[side]));
  const input = bytes.slice();
  const frame = listed(side === 'client' ? decodeClient(input) : decodeServer(input));
  // Nothing that was returned lies in the input.
  input.fill(0xff);
  if (frame.type === -1) {
    if (expected.type !== -1 || frame.reason === '') throw clash(side, bytes, frame, expected);
    return -1;
  }
  if (!isDeepStrictEqual(frame, expected)) throw clash(side, bytes, frame, expected);
  if (frame.type === 0) return 0;
  const again =
    side === 'client' ? through(frame, encodeClient, decodeClient) : through(frame, encodeServer, decodeServer);
  if (!isDeepStrictEqual(again, expected)) throw clash(side, bytes, again, expected);
  return frame.type;
}

/** The entries of SYNC as a list, whichever way they are kept; of their flags the eight that are. */
function listed<F extends object>(frame: F): F {
  if (!('entries' in frame)) return frame;
  const entries = [...(frame.entries as Iterable<object>)];
  return {
    ...frame,
    entries: entries.map((entry) => ('flags' in entry ? { ...entry, flags: Number(entry.flags) % 256 } : entry)),
  };
}

function through<F>(frame: unknown, encode: (frame: F) => Uint8Array, decode: (bytes: Uint8Array) => unknown): unknown {
  return listed(decode(encode(frame as F)) as object);
}

function clash(side: Side, bytes: Uint8Array, got: unknown, expected: unknown): Error {
  const show = (value: unknown): string =>
    JSON.stringify(value, (_key, part: unknown) => (part instanceof Uint8Array ? hex(part) : part)).slice(0, 500);
  return new Error(`${side} frame ${hex(bytes)}: decoded ${show(got)}, by the document ${show(expected)}`);
}
