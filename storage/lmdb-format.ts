// Owns the format row (format.ts) in an LMDB environment.
// Invariant: as format.ts.
// Must not: judge what the row says.

import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { encodeFormat, FORMAT_KEY, FORMATS, isNew } from './format.js';

/** Writes the row into an empty store. Throws StoreOpenError `store_newer`, `store_older`, `store_corrupt`. */
export async function ensureFormat(database: RootDatabase<Uint8Array, Uint8Array>, path: string): Promise<void> {
  const row = database.getBinary(FORMAT_KEY);
  let empty = true;
  for (const _ of database.getKeys({ start: Uint8Array.of(0), limit: 1 })) empty = false;
  if (isNew(row, empty, join(path, 'data.mdb'))) await database.put(FORMAT_KEY, encodeFormat(FORMATS.high));
}
