// Owns which versions of stored rows this build reads and writes, and the row by which a store says which one is in force.
// Invariant: a store that this build cannot read is never opened; one with rows of someone else is never taken over.
// Must not: convert (a version that needs it brings its own step), raise what is in force (stored-format.ts), or know an engine.

import { StoreOpenError } from './failure.js';

/** Versions from one to another. */
export interface Versions {
  readonly low: number;
  readonly high: number;
}

/**
 * `high` grows with whatever earlier builds would misread, or lose when they write the row again: such rows are written only where
 * the version in force says that everybody knows them. A field that may be lost needs no version (docs/semantics.md).
 */
export const FORMATS: Versions = { low: 1, high: 1 };

export const FORMAT_KEY: Uint8Array = Buffer.from('\xffweft-format', 'latin1');

export function encodeFormat(version: number): Uint8Array {
  return Buffer.from(`${version}`);
}

/** Null: it names none. A store without the row has the first. */
export function decodeFormat(row: Uint8Array | undefined): number | null {
  if (row === undefined) return 1;
  const version = Number(Buffer.from(row).toString());
  return Number.isSafeInteger(version) && version >= 1 ? version : null;
}

/** The version in force. Throws StoreOpenError `store_newer`, `store_older`, `store_corrupt`. `where`: for the operator. */
export function readable(row: Uint8Array | undefined, where: string, { low, high }: Versions = FORMATS): number {
  const found = decodeFormat(row);
  if (found === null) {
    const text = JSON.stringify(Buffer.from(row ?? []).toString());
    throw new StoreOpenError('store_corrupt', `${where} names no format: ${text}`);
  }
  if (found > high) {
    const detail = `has format ${found}, this version knows ${high}: use a later Weft`;
    throw new StoreOpenError('store_newer', `${where} ${detail}`);
  }
  if (found < low) {
    const detail = `has format ${found}, this version knows ${low} and later: start one between that knows both`;
    throw new StoreOpenError('store_older', `${where} ${detail}`);
  }
  return found;
}

/**
 * Whether the store is new, and a row is to be written that names FORMATS.high. `empty`: it has no row at all.
 * Throws StoreOpenError as readable() does.
 */
export function isNew(row: Uint8Array | undefined, empty: boolean, where: string): boolean {
  if (row === undefined) {
    if (!empty) throw new StoreOpenError('store_corrupt', `${where} holds rows but is not a store of Weft`);
    return true;
  }
  readable(row, where);
  return false;
}
