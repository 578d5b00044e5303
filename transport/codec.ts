// Owns the way from bytes to frames and back (docs/wire.md), for server and SDK.
// Invariant: decoding never throws and allocates no more than a small multiple of the input; what it returns shares no
// memory with the input; encoding is the shortest form, in fresh memory.
// Must not: know single fields (client-frames.ts, server-frames.ts) or use Node built-ins.

import { LIMITS } from '../actors/limits.js';
import { CLIENT_FIELDS, isClientType, readClient, writeClient } from './client-frames.js';
import type { BadFrame, ClientFrame, FieldCounts, ServerFrame, UnknownFrame } from './frames.js';
import { Reader } from './reader.js';
import { isServerType, readServer, SERVER_FIELDS, writeServer } from './server-frames.js';
import { Slab } from './slab.js';
import { Writer } from './writer.js';

// One of each for the whole process: decoding and encoding are synchronous and never nest.
const clients = new Reader(new Slab());
const servers = new Reader();
const writer = new Writer();

/** Decodes a frame of a client. The bytes may be reused once it returns. Never throws. */
export function decodeClient(bytes: Uint8Array): ClientFrame | UnknownFrame | BadFrame {
  return decode(clients, bytes, LIMITS.depth, isClientType, CLIENT_FIELDS, readClient);
}

/** Decodes a frame of a server. The bytes may be reused once it returns. Never throws. */
export function decodeServer(bytes: Uint8Array): ServerFrame | UnknownFrame | BadFrame {
  return decode(servers, bytes, LIMITS.serverDepth, isServerType, SERVER_FIELDS, readServer);
}

/** Encodes a frame of a client. A number that is no exact integer is a bug, and throws. */
export function encodeClient(frame: ClientFrame): Uint8Array {
  writeClient(writer.reset(), frame);
  return writer.copy();
}

/** Encodes a frame of the server. The paths of every message take FrameWriter instead. */
export function encodeServer(frame: ServerFrame): Uint8Array {
  writeServer(writer.reset(), frame);
  return writer.copy();
}

function decode<K extends number, F>(
  reader: Reader,
  bytes: Uint8Array,
  depth: number,
  isKnown: (type: number) => type is K,
  shapes: Readonly<Record<K, FieldCounts>>,
  read: (reader: Reader, type: K, count: number) => F,
): F | UnknownFrame | BadFrame {
  reader.open(bytes, depth);
  const count = reader.array();
  // Else the type would be read from behind the frame.
  if (count === 0) reader.fail('an empty array');
  const type = reader.uint();
  if (!isKnown(type)) {
    reader.skip(count - 1, 1);
    return reader.close() ? { type: 0, tag: type } : { type: -1, reason: reader.fault };
  }
  const [required, known] = shapes[type];
  if (count < required) reader.fail('field missing');
  const frame = read(reader, type, count);
  reader.skip(count - known, 1);
  return reader.close() ? frame : { type: -1, reason: reader.fault };
}
