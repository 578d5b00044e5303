// Owns the row that says which version of the rows' format a store holds.
// Invariant: a store of a later format is never opened; a directory with rows of someone else is never taken over.
// Must not: convert. A format that needs it brings its own step.

import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { StoreOpenError } from './failure.js';

/** Grows when an older version could no longer read the rows; new fields do not count (docs/semantics.md). */
export const FORMAT = 1;

const KEY = Buffer.from('\xffweft-format', 'latin1');

/** Writes the row into an empty store. Throws StoreOpenError `store_newer`, `store_corrupt`. */
export async function ensureFormat(database: RootDatabase<Uint8Array, Uint8Array>, path: string): Promise<void> {
  const row = database.getBinary(KEY);
  if (row === undefined) {
    for (const _ of database.getKeys({ start: Uint8Array.of(0), limit: 1 })) {
      throw new StoreOpenError('store_corrupt', `${join(path, 'data.mdb')} holds rows but is not a store of Weft`);
    }
    await database.put(KEY, Buffer.from(`${FORMAT}`));
    return;
  }
  const found = Number(row.toString());
  if (!Number.isSafeInteger(found) || found < 1) {
    throw new StoreOpenError(
      'store_corrupt',
      `${join(path, 'data.mdb')} names no format: ${JSON.stringify(row.toString())}`,
    );
  }
  if (found > FORMAT) {
    throw new StoreOpenError(
      'store_newer',
      `${path} has format ${found}, this version knows ${FORMAT}: use a later Weft`,
    );
  }
}
