// Owns which version of the rows' format this version of Weft reads, and the row that says it in every engine.
// Invariant: a store of a later format is never opened; one with rows of someone else is never taken over.
// Must not: convert (a format that needs it brings its own step), or know an engine.

import { StoreOpenError } from './failure.js';

/** Grows when an older version could no longer read the rows; new fields do not count (docs/semantics.md). */
export const FORMAT = 1;

export const FORMAT_KEY: Uint8Array = Buffer.from('\xffweft-format', 'latin1');
export const FORMAT_ROW: Uint8Array = Buffer.from(`${FORMAT}`);

/**
 * Whether the store is new and FORMAT_ROW is to be written. `empty`: it has no row at all; `where`: for the operator.
 * Throws StoreOpenError `store_newer`, `store_corrupt`.
 */
export function isNew(row: Uint8Array | undefined, empty: boolean, where: string): boolean {
  if (row === undefined) {
    if (!empty) throw new StoreOpenError('store_corrupt', `${where} holds rows but is not a store of Weft`);
    return true;
  }
  const text = Buffer.from(row).toString();
  const found = Number(text);
  if (!Number.isSafeInteger(found) || found < 1) {
    throw new StoreOpenError('store_corrupt', `${where} names no format: ${JSON.stringify(text)}`);
  }
  if (found > FORMAT) {
    const detail = `has format ${found}, this version knows ${FORMAT}: use a later Weft`;
    throw new StoreOpenError('store_newer', `${where} ${detail}`);
  }
  return false;
}
