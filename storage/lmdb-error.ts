// Owns the translation of LMDB's and the system's error numbers.
// Invariant: every number maps to one of our codes; an unknown one counts as unavailable.
// Must not: decide whether a commit was applied (lmdb.ts).
// Source: lmdb.h (MDB_* are negative), errno.h of Linux and macOS.

import { reasonOf, StoreOpenError } from './failure.js';

const EFBIG = 27;
const ENOSPC = 28;
const EDQUOT = [69, 122];
const MDB_PAGE_NOTFOUND = -30797;
const MDB_CORRUPTED = -30796;
const MDB_VERSION_MISMATCH = -30794;
const MDB_INVALID = -30793;
const MDB_MAP_FULL = -30792;
const FULL = new Set([EFBIG, ENOSPC, ...EDQUOT, MDB_MAP_FULL]);
const CORRUPT = new Set([MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_VERSION_MISMATCH, MDB_INVALID]);

export function isFull(error: unknown): boolean {
  return FULL.has(numberOf(error));
}

/** The package rejects with a general error that carries a promise of the cause. Answers `error` itself where there is none. */
export async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    return await error.commitError;
  } catch (cause) {
    return cause;
  }
}

export function openError(path: string, error: unknown): StoreOpenError {
  if (error instanceof StoreOpenError) return error;
  const code = CORRUPT.has(numberOf(error)) ? 'store_corrupt' : 'store_unavailable';
  return new StoreOpenError(code, `cannot open the store in ${path}: ${reasonOf(error)}`, { cause: error });
}

function numberOf(error: unknown): number {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : 0;
}
