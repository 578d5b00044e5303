// Owns the way from bytes to frames and back (docs/wire.md), for server and SDK.
// Invariant: decoding never throws and allocates no more than a small multiple of the input; what it returns shares no
// memory with the input; encoding is the shortest form, in fresh memory.
// Must not: know single fields (client-frames.ts, server-frames.ts) or use Node built-ins.

import { LIMITS } from '../actors/limits.js';
import { CLIENT_FIELDS, isClientType, readClient, writeClient } from './client-frames.js';
import { type BadFrame, type ClientFrame, type FieldCounts, type ServerFrame, T, type UnknownFrame } from './frames.js';
import { Reader } from './reader.js';
import { isServerType, readServer, SERVER_FIELDS, writeServer } from './server-frames.js';
import { Slab } from './slab.js';
import { Writer } from './writer.js';

// One of each for the whole process: decoding and encoding are synchronous and never nest.
const clients = new Reader(new Slab());
const servers = new Reader();
const writer = new Writer();
const NOTHING = new Uint8Array(0);
/** Bytes of the header of a `bin` at most. */
const BIN_HEAD = 5;

/** Decodes a frame of a client. The bytes may be reused once it returns. Never throws. */
export function decodeClient(bytes: Uint8Array): ClientFrame | UnknownFrame | BadFrame {
  return decode(clients, bytes, LIMITS.depth, isClientType, CLIENT_FIELDS, readClient);
}

/**
 * A SEND whose body is not wanted: checked as by decodeClient, with an empty body in place of its own. Null: it is another frame, none, or
 * its body is over the limit. Large bodies are what makes a frame expensive, so who is refused for his rate should not have them copied.
 */
export function decodeUnread(bytes: Uint8Array): Extract<ClientFrame, { type: 2 }> | null {
  clients.open(bytes, LIMITS.depth);
  const count = clients.array();
  const type = clients.uint();
  if (type !== T.SEND || count < CLIENT_FIELDS[T.SEND][0]) clients.fail('no SEND');
  const frame = { type: T.SEND, chat: clients.chat(), id: clients.id(), body: NOTHING } as const;
  const before = clients.position;
  clients.skipBin();
  if (clients.position - before > LIMITS.body + BIN_HEAD) clients.fail('too long');
  clients.skip(count - CLIENT_FIELDS[T.SEND][1], 1);
  return clients.close() ? frame : null;
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
