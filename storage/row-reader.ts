// Owns the strict reading of stored rows: those that are MessagePack arrays, and the text in the others.
// Invariant: a row that was damaged in a way that shows throws DamagedRow, saying which kind of row it was; it never yields a value
// that no build could have written. (A number or letter that turned into another one does not show: rows have no checksum.)
// Must not: know the fields of any row.

import { isUtf8 } from 'node:buffer';
import { assertRow } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import { Reader } from '../transport/reader.js';

// Numbers above 2³² were written as doubles from the first version on.
const reader = new Reader(undefined, true);

/**
 * Reads `[version, …fields]`, of which this build knows `known` (with the version) and the first one had `required`. What
 * a later build appended is passed over.
 */
export function readRow<T>(
  bytes: Uint8Array,
  what: string,
  [required, known]: readonly [required: number, known: number],
  read: (r: Reader, count: number) => T,
): T {
  reader.open(bytes, LIMITS.serverDepth);
  const count = reader.array();
  if (count < required) reader.fail('field missing');
  if (reader.uint() < 1) reader.fail('version 0');
  const row = read(reader, count);
  reader.skip(count - known, 1);
  assertRow(reader.close(), `a ${what} does not decode (${reader.fault})`);
  return row;
}

/** A list of whatever `read` reads. */
export function readList<T>(r: Reader, read: (r: Reader) => T): T[] {
  const list: T[] = [];
  for (let left = r.array(); left > 0 && r.fault === ''; left--) list.push(read(r));
  return list;
}

/** A pair, as an array of two. */
export function readPair<A, B>(r: Reader, first: (r: Reader) => A, second: (r: Reader) => B): [A, B] {
  if (r.array() !== 2) r.fail('a pair expected');
  return [first(r), second(r)];
}

export const readText = (r: Reader): string => r.str();
export const readFlag = (r: Reader): boolean => {
  const value = r.plain(1);
  if (typeof value !== 'boolean') r.fail('boolean expected');
  return value === true;
};
export const readNumber = (r: Reader): number => r.uint();

/** Text from `start` to before `end`, all of which must be there. */
export function textIn(row: Buffer, start: number, end: number): string {
  assertRow(end <= row.length, 'a text is cut short');
  const text = row.toString('utf8', start, end);
  // The character may have been written; more often it stands for what is no UTF-8.
  assertRow(!text.includes('\ufffd') || isUtf8(row.subarray(start, end)), 'a text is no UTF-8');
  return text;
}
