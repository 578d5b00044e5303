// Owns the bytes of a chat's sweep row: how far its log has been emptied.
// Invariant: with each sweep one of the two numbers rises, so no two sweeps leave the same row.
// Must not: read or write a store.
//
//     0     1        7
//    +-----+--------+---------+
//    | ver | swept·6| forgot·6|
//    +-----+--------+---------+

import { assertRow } from '../actors/errors.js';
import { getNumber, NUMBER_BYTES, putNumber } from './keys.js';

const VERSION = 1;

export interface SweepRow {
  /** Contents of entries up to here are gone. */
  readonly swept: number;
  /** Ids of entries up to here are forgotten. */
  readonly forgot: number;
}

export function encodeSweep({ swept, forgot }: SweepRow): Uint8Array {
  const row = new Uint8Array(1 + 2 * NUMBER_BYTES);
  row[0] = VERSION;
  putNumber(row, putNumber(row, 1, swept), forgot);
  return row;
}

/** `undefined`: nothing was ever swept. */
export function decodeSweep(row: Uint8Array | undefined): SweepRow {
  if (row === undefined) return { swept: 0, forgot: 0 };
  assertRow(row.length > 0 && row[0]! >= VERSION, 'no sweep row of a known version');
  return { swept: getNumber(row, 1), forgot: getNumber(row, 1 + NUMBER_BYTES) };
}
