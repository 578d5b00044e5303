// Owns the stored form of a chat's entries: a MessagePack array `[type, from, id, lag, …]`, with `body` for a message and
// `op, args` for an event. The row's bytes after `from` go out unchanged as the tail of MESSAGE, EVENT and PAGE rows:
//
//     row      [ type | from |       id | lag | body … ]
//                                    '------ tail -----'
//     MESSAGE  [ type | chat | from | seq | id | lag | body … ]
//
// Invariant: rows only ever gain trailing fields; a row read back is equal to what was written.
// Must not: know keys, stores or connections.

import { assertRow } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import { OP, type Plain, T } from './frames.js';
import { Reader } from './reader.js';
import { Slab } from './slab.js';
import { Writer } from './writer.js';

export type StoredRow =
  | { type: 34; from: string; id: Uint8Array; lag: number; body: Uint8Array }
  | { type: 35; from: string; id: Uint8Array; lag: number; op: number; args: readonly Plain[] };

/** Where a row's parts begin. Nothing is decoded. */
export interface RowParts {
  readonly type: 34 | 35;
  /** Fields behind `from`. */
  readonly fields: number;
  /** Offset of the encoded `from`. */
  readonly sender: number;
  /** Offset of what follows it. */
  readonly tail: number;
}

const slab = new Slab();
const reader = new Reader(slab);
const writer = new Writer();

/** A message's row. `lag` in ms, `id` of 16 bytes. */
export function encodeMessageRow(from: string, id: Uint8Array, lag: number, body: Uint8Array): Uint8Array {
  return writer.reset().array(5).int(T.MESSAGE).str(from).bin(id).int(lag).bin(body).copy(slab);
}

export function encodeEventRow(
  from: string,
  id: Uint8Array,
  lag: number,
  op: number,
  args: readonly Plain[],
): Uint8Array {
  return writer.reset().array(6).int(T.EVENT).str(from).bin(id).int(lag).int(op).plains(args).copy(slab);
}

export function encodeRow(row: StoredRow): Uint8Array {
  return row.type === T.MESSAGE
    ? encodeMessageRow(row.from, row.id, row.lag, row.body)
    : encodeEventRow(row.from, row.id, row.lag, row.op, row.args);
}

/** Decodes a row. What is in the store was written by encodeRow: anything else is a DamagedRow. */
export function decodeRow(bytes: Uint8Array): StoredRow {
  const { count, type } = open(bytes);
  const from = reader.str();
  const id = reader.id();
  const lag = reader.int();
  const row: StoredRow =
    type === T.MESSAGE
      ? { type, from, id, lag, body: reader.bin() }
      : { type, from, id, lag, op: reader.uint(), args: reader.plains(2) };
  reader.skip(count - (type === T.MESSAGE ? 5 : 6), 1);
  assertRow(reader.close(), `an entry does not decode (${reader.fault})`);
  return row;
}

/**
 * Finds a row's parts by its first bytes, which is all that delivery needs. Rows have up to 15 fields, and `from` has up
 * to 64 bytes, so their headers are short ones.
 */
export function rowParts(row: Uint8Array): RowParts {
  const head = row[0]!;
  const type = row[1]!;
  const str = row[2]!;
  assertRow(head >>> 4 === 0x9 && (type === T.MESSAGE || type === T.EVENT), 'an entry is neither message nor event');
  const tail = str === 0xd9 ? 4 + row[3]! : 3 + (str & 0x1f);
  assertRow((str === 0xd9 || str >>> 5 === 0x5) && tail < row.length, 'an entry names no sender');
  return { type, fields: (head & 0x0f) - 2, sender: 2, tail };
}

/**
 * Throws DamagedRow where the bytes are no row. For what comes from a disk and goes to clients as it is: they would drop the
 * connection for it, again and again.
 */
export function checkRow(row: Uint8Array): void {
  const { count, type } = open(row);
  const { tail } = rowParts(row);
  reader.str();
  assertRow(reader.fault !== '' || reader.position === tail, 'an entry has long headers');
  reader.id();
  reader.int();
  if (type === T.MESSAGE) reader.skipBin();
  else {
    reader.uint();
    reader.skip(reader.array(), 2);
  }
  reader.skip(count - (type === T.MESSAGE ? 5 : 6), 1);
  assertRow(reader.close(), `an entry does not decode (${reader.fault})`);
}

/** The sender of a row. */
export function rowSender(row: Uint8Array): string {
  open(row);
  const from = reader.str();
  assertRow(reader.fault === '', `an entry does not open (${reader.fault})`);
  return from;
}

/** What a row's time is made of, without the rest of it: an event may name a thousand users. */
export function rowStamp(row: Uint8Array): { readonly id: Uint8Array; readonly lag: number } {
  open(row);
  reader.str();
  const stamp = { id: reader.id(), lag: reader.int() };
  assertRow(reader.fault === '', `an entry does not open (${reader.fault})`);
  return stamp;
}

/** The row is an event that deletes an entry for everyone. */
export function rowDeletes(row: Uint8Array): boolean {
  if (row[1] !== T.EVENT) return false;
  const decoded = decodeRow(row);
  return decoded.type === T.EVENT && decoded.op === OP.deleted;
}

function open(bytes: Uint8Array): { count: number; type: 34 | 35 } {
  reader.open(bytes, LIMITS.serverDepth);
  const count = reader.array();
  const type = reader.int();
  assertRow(type === T.MESSAGE || type === T.EVENT, 'an entry is neither message nor event');
  assertRow(count >= (type === T.MESSAGE ? 5 : 6), 'an entry lacks fields');
  return { count, type };
}
