// Owns reading a page of a range from LMDB.
// Invariant: rows are copies in key order, and `more` tells whether the limit or the range ended them.
// Must not: know a transaction: it reads what is durable now.

import type { RootDatabase } from 'lmdb';
import { compareBytes } from './bytes.js';
import type { RangePage, RangeQuery, Row } from './store.js';

/** Below every other key: none is empty. */
export const FIRST_KEY = Uint8Array.of(0);

export function page(database: RootDatabase<Uint8Array, Uint8Array>, query: RangeQuery): RangePage {
  const { limit, maxBytes = Number.POSITIVE_INFINITY, reverse = false } = query;
  if (compareBytes(query.start, query.end) >= 0) return { rows: [], more: false };
  const start = query.start.length === 0 ? FIRST_KEY : query.start;
  const bounds = reverse
    ? { start: query.end, exclusiveStart: true, end: start, inclusiveEnd: true, reverse }
    : { start, end: query.end };
  const rows: Row[] = [];
  let bytes = 0;
  for (const { key, value } of database.getRange({ ...bounds, limit: limit + 1 })) {
    if (rows.length > 0 && (rows.length === limit || bytes + value.length > maxBytes)) return { rows, more: true };
    bytes += value.length;
    rows.push({ key, value });
  }
  return { rows, more: false };
}
