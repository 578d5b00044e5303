// Owns the bytes of a user's own rows: account, profile, devices, marks.
// Invariant: every row but a device's starts with a version, and all only gain trailing fields; decoding what encoding made
// gives the same value.
// Must not: read or write a store, or know the keys.

import { pack } from 'msgpackr';
import { assertRow } from '../actors/errors.js';
import { getNumber, NUMBER_BYTES, putNumber } from './keys.js';
import { readFlag, readList, readNumber, readPair, readRow, readText, textIn } from './row-reader.js';

const VERSION = 1;

/** What is counted and chosen per user. Every append of a user's rows holds it, with the next revision. */
export interface AccountRow {
  /** Appends so far: no two of them leave the same row. */
  readonly revision: number;
  /** Newest version that a mark got. */
  readonly marks: number;
  /** Chats that are pinned. */
  readonly pinned: number;
  /** Users who are blocked. */
  readonly blocks: number;
  /** Who may see the user's presence: AUDIENCE in transport/frames.ts. */
  readonly audience: number;
  /** Version of the profile; 0: there is none. */
  readonly profile: number;
  /** Wall ms: tokens issued up to then let no unknown device in (its removal may have been forgotten). */
  readonly floor: number;
}

const NEW: AccountRow = { revision: 0, marks: 0, pinned: 0, blocks: 0, audience: 0, profile: 0, floor: 0 };

export function encodeAccount(row: AccountRow): Uint8Array {
  return pack([VERSION, row.revision, row.marks, row.pinned, row.blocks, row.audience, row.profile, row.floor]);
}

/** `undefined`: the user has none yet. */
export function decodeAccount(bytes: Uint8Array | undefined): AccountRow {
  if (bytes === undefined) return NEW;
  return readRow(bytes, 'account row', [8, 8], (r) => ({
    revision: r.uint(),
    marks: r.uint(),
    pinned: r.uint(),
    blocks: r.uint(),
    audience: r.uint(),
    profile: r.uint(),
    floor: r.uint(),
  }));
}

export interface ProfileRow {
  /** Counts up from 1. */
  readonly version: number;
  /** How often it may be changed: a bucket (actors/bucket.ts) in wall ms. */
  readonly full: number;
  readonly name: string;
  readonly avatar: string;
  readonly about: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

export function encodeProfile({ version, full, name, avatar, about, fields }: ProfileRow): Uint8Array {
  return pack([VERSION, version, full, name, avatar, about, fields]);
}

export function decodeProfile(bytes: Uint8Array): ProfileRow {
  return readRow(bytes, 'profile row', [7, 7], (r) => ({
    version: r.uint(),
    full: r.real(),
    name: r.str(),
    avatar: r.str(),
    about: r.str(),
    fields: readList(r, (each) => readPair(each, readText, readText)),
  }));
}

/**
 * A device of a user: registered, or removed and remembered so that its old tokens stay refused.
 *
 *     first·6 | last·6 | flags·1 | barred·6 | name …         (rows of before have `first` alone)
 */
export interface DeviceRow {
  /** Wall ms of its registration. */
  readonly first: number;
  /** Wall ms when it was last there, roughly; of a removed one, when it was removed. */
  readonly last: number;
  /** Wall ms: tokens issued up to then are refused; 0: the device was never removed. */
  readonly barred: number;
  readonly removed: boolean;
  /** Removed, and chats may still hold its positions. */
  readonly lingers: boolean;
  readonly name: string;
}

const REMOVED = 1;
const LINGERS = 2;
/** Offset of the name. */
const DEVICE_NAME = 3 * NUMBER_BYTES + 1;

export function encodeDevice({ first, last, barred, removed, lingers, name }: DeviceRow): Uint8Array {
  const row = Buffer.allocUnsafe(DEVICE_NAME + Buffer.byteLength(name));
  let at = putNumber(row, putNumber(row, 0, first), last);
  row[at++] = (removed ? REMOVED : 0) | (lingers ? LINGERS : 0);
  row.write(name, putNumber(row, at, barred));
  return row;
}

export function decodeDevice(bytes: Uint8Array): DeviceRow {
  const first = getNumber(bytes, 0);
  assertRow(bytes.length === NUMBER_BYTES || bytes.length >= DEVICE_NAME, 'device row cut short');
  if (bytes.length === NUMBER_BYTES) return { first, last: first, barred: 0, removed: false, lingers: false, name: '' };
  const flags = bytes[2 * NUMBER_BYTES]!;
  const row = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    first,
    last: getNumber(bytes, NUMBER_BYTES),
    barred: getNumber(bytes, 2 * NUMBER_BYTES + 1),
    removed: (flags & REMOVED) !== 0,
    lingers: (flags & LINGERS) !== 0,
    name: textIn(row, DEVICE_NAME, row.length),
  };
}

/** A user's own state of one chat. */
export interface MarksRow {
  /** The user's counter when it was changed last; 0: never. */
  readonly version: number;
  /** Wall ms until which it is muted; 0 not. */
  readonly muted: number;
  /** Orders the pinned chats; 0 not pinned. */
  readonly pinned: number;
  readonly archived: boolean;
  readonly unread: boolean;
  /** Entries up to here are gone for the user. */
  readonly cleared: number;
  /** Entries above `cleared` that are gone for the user, ascending. */
  readonly hidden: readonly number[];
}

export const UNMARKED: MarksRow = {
  version: 0,
  muted: 0,
  pinned: 0,
  archived: false,
  unread: false,
  cleared: 0,
  hidden: [],
};

export function encodeMarks(marks: MarksRow): Uint8Array {
  const { version, muted, pinned, archived, unread, cleared, hidden } = marks;
  return pack([VERSION, version, muted, pinned, archived, unread, cleared, hidden]);
}

/** `undefined`: nothing was ever marked. */
export function decodeMarks(bytes: Uint8Array | undefined): MarksRow {
  if (bytes === undefined) return UNMARKED;
  return readRow(bytes, 'marks row', [8, 8], (r) => ({
    version: r.uint(),
    muted: r.uint(),
    pinned: r.uint(),
    archived: readFlag(r),
    unread: readFlag(r),
    cleared: r.uint(),
    hidden: readList(r, readNumber),
  }));
}
