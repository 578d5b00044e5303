// Owns stored rows of every kind as arbitraries, and what a damaged one may do: fail as a DamagedRow, or decode to a value
// that could have been written.
// Invariant: the outcome is looked at by writing the value again: what was taken decodes to itself.
// Must not: need a store.

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { DamagedRow } from '../actors/errors.js';
import {
  decodeAccount,
  decodeDevice,
  decodeMarks,
  decodeProfile,
  encodeAccount,
  encodeDevice,
  encodeMarks,
  encodeProfile,
} from '../storage/account-rows.js';
import { decodeIdPage, encodeIdPage } from '../storage/id-page.js';
import { decodeChat, decodeDirty, decodeInbox, encodeChat, encodeDirty, encodeInbox } from '../storage/rows.js';
import { decodeSweep, encodeSweep } from '../storage/sweep-row.js';
import { checkRow, decodeRow, encodeRow, rowSender } from '../transport/row.js';

export interface RowKind<T> {
  readonly name: string;
  readonly value: fc.Arbitrary<T>;
  encode(value: T): Uint8Array;
  decode(row: Uint8Array): T;
}

/** Plain objects, as decoding gives. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true });
}

const number = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 48 - 1 }));
const small = fc.nat(3);
const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
const text = fc.oneof(name, fc.constantFrom('', '\ufffd', 'é'.repeat(100)));
const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
const lag = fc.integer({ min: -(2 ** 40), max: 2 ** 40 });
const kind = fc.constantFrom(1, 2);
const letters = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('latin1'));

function rowKind<T>(all: RowKind<T>): RowKind<T> {
  return all;
}

/** Rows of the log: what an entry is stored as goes to clients as it is. */
const entry = fc.oneof(
  record({ type: fc.constant(34 as const), from: name, id, lag, body: fc.uint8Array({ maxLength: 80 }) }),
  record({
    type: fc.constant(35 as const),
    from: name,
    id,
    lag,
    op: fc.nat(17),
    args: fc.array(fc.oneof(number, text, fc.array(text, { maxLength: 3 })), { maxLength: 3 }),
  }),
);

export const ROW_KINDS = [
  rowKind({
    name: 'entry',
    value: entry,
    encode: encodeRow,
    decode: (row) => {
      // The check is all that stands between a disk and clients: it lets nothing pass that does not decode.
      checkRow(row);
      const decoded = past(() => decodeRow(row));
      if (rowSender(row) !== decoded.from) throw new Error('two readings of one sender');
      return decoded;
    },
  }),
  rowKind({
    name: 'inbox row',
    value: record({
      kind,
      large: fc.boolean(),
      hot: fc.boolean(),
      wrote: fc.boolean(),
      head: number,
      at: number,
      delivered: number,
      read: number,
      spans: fc.array(record({ from: number, until: number }), { maxLength: 8 }),
      devices: fc.array(record({ device: name, delivered: number }), { maxLength: 16 }),
      name: text,
    }),
    encode: encodeInbox,
    decode: decodeInbox,
  }),
  rowKind({
    name: 'chat row',
    value: record({
      kind,
      created: number,
      title: text,
      large: fc.boolean(),
      members: fc.array(record({ user: name, role: small }), { maxLength: 20 }),
      avatar: text,
      announce: fc.boolean(),
      expiry: number,
      invite: small,
      secret: fc.uint8Array({ maxLength: 16 }),
      waiting: fc.array(name, { maxLength: 4 }),
    }),
    encode: encodeChat,
    decode: decodeChat,
  }),
  rowKind({
    name: 'dirty set',
    value: record({ chats: fc.array(record({ chat: id, head: number }), { maxLength: 6 }), more: fc.boolean() }),
    encode: encodeDirty,
    decode: decodeDirty,
  }),
  rowKind({
    name: 'account row',
    value: record({
      revision: number,
      marks: number,
      pinned: number,
      blocks: number,
      audience: small,
      profile: number,
      floor: number,
    }),
    encode: encodeAccount,
    decode: decodeAccount,
  }),
  rowKind({
    name: 'profile row',
    value: record({
      version: number,
      full: fc.oneof(number, fc.double({ min: 0, max: 2 ** 48, noNaN: true })),
      name: text,
      avatar: text,
      about: text,
      fields: fc.array(fc.tuple(name, text), { maxLength: 4 }),
    }),
    encode: encodeProfile,
    decode: decodeProfile,
  }),
  rowKind({
    name: 'device row',
    value: record({
      first: number,
      last: number,
      barred: number,
      removed: fc.boolean(),
      lingers: fc.boolean(),
      name: text,
    }),
    encode: encodeDevice,
    decode: decodeDevice,
  }),
  rowKind({
    name: 'marks row',
    value: record({
      version: number,
      muted: number,
      pinned: number,
      archived: fc.boolean(),
      unread: fc.boolean(),
      cleared: number,
      hidden: fc.array(number, { maxLength: 10 }),
    }),
    encode: encodeMarks,
    decode: decodeMarks,
  }),
  rowKind({
    name: 'id page',
    value: record({
      highest: letters,
      first: number,
      ids: fc.array(letters, { maxLength: 8 }).map((ids) => ids.join('')),
    }),
    encode: encodeIdPage,
    decode: decodeIdPage,
  }),
  rowKind({
    name: 'sweep row',
    value: record({ swept: number, forgot: number }),
    encode: encodeSweep,
    decode: decodeSweep,
  }),
] as const;

function past<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw new Error('it passed the check', { cause: error });
  }
}

/** Whether the row was refused as damaged. Throws where the outcome is neither that nor a value that can be written. */
export function damaged<T>({ name: what, encode, decode }: RowKind<T>, row: Uint8Array): boolean {
  let value: T;
  try {
    value = decode(row);
  } catch (error) {
    if (error instanceof DamagedRow) return true;
    throw new Error(`${what} ${hex(row)}: ${error}`, { cause: error });
  }
  const again = decode(encode(value));
  if (!isDeepStrictEqual(again, value)) throw new Error(`${what} ${hex(row)} is not what it is written as`);
  return false;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
