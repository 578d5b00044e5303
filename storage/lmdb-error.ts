// Owns the translation of LMDB's and the system's error numbers.
// Invariant: every number maps to one of our codes; an unknown one counts as unavailable.
// Must not: decide whether a commit was applied (lmdb.ts).
// Source: lmdb.h (MDB_* are negative), errno.h of Linux and macOS; Node's own file calls name theirs.

import { reasonOf, type StoreFailure, StoreOpenError } from './failure.js';

const EPERM = 1;
const EACCES = 13;
const EFBIG = 27;
const ENOSPC = 28;
const EROFS = 30;
const EDQUOT = [69, 122];
const MDB_BAD_TXN = -30782;
const MDB_PAGE_NOTFOUND = -30797;
const MDB_CORRUPTED = -30796;
const MDB_VERSION_MISMATCH = -30794;
const MDB_INVALID = -30793;
const MDB_MAP_FULL = -30792;
const FULL = new Set<unknown>([EFBIG, ENOSPC, ...EDQUOT, MDB_MAP_FULL, 'EFBIG', 'ENOSPC', 'EDQUOT']);
const CORRUPT = new Set<unknown>([MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_INVALID]);
const RESTORE = '; restore the folder from a backup, or move it away to begin an empty store';
const FORBIDDEN = new Set<unknown>([EPERM, EACCES, EROFS, 'EPERM', 'EACCES', 'EROFS']);

export function isFull(error: unknown): boolean {
  return FULL.has(codeOf(error));
}

/** The transaction was given up, which says nothing of why. */
export function isGivenUp(error: unknown): boolean {
  return codeOf(error) === MDB_BAD_TXN;
}

/** A read met a page that is not what the tree says; LMDB then gives the whole transaction up. */
export function isCorrupt(error: unknown): boolean {
  return CORRUPT.has(codeOf(error)) || isGivenUp(error);
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

/** What is said of a store with a damaged page. */
export function damage(path: string, error: unknown): string {
  return `${path}/data.mdb is damaged: ${reasonOf(error)}${RESTORE}`;
}

export function openError(path: string, error: unknown): StoreOpenError {
  if (error instanceof StoreOpenError) return error;
  const [code, way] = meaning(codeOf(error));
  return new StoreOpenError(code, `cannot open the store in ${path}: ${reasonOf(error)}${way}`, { cause: error });
}

/** With what to do about it, where that is known. */
function meaning(code: unknown): readonly [StoreFailure, string] {
  if (FULL.has(code)) return ['store_full', '; free room on that disk'];
  if (CORRUPT.has(code)) {
    return ['store_corrupt', RESTORE];
  }
  if (FORBIDDEN.has(code)) return ['store_unavailable', '; the user of the node must be able to write there'];
  if (code === MDB_VERSION_MISMATCH) {
    return ['store_unavailable', '; a process with another version of LMDB has it open: end that one first'];
  }
  return ['store_unavailable', ''];
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
