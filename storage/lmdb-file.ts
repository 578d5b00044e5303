// Owns the look at an LMDB folder before its files are mapped: a file cut short answers a read with SIGBUS, which nobody can
// catch, and so does a lock file for which a full disk has no room; a foreign file may do worse.
//
//   page 0 and page 1:  24 bytes header | magic 4 | version 4 | address 8 | map size 8 | free db 48 | main db 48 | last page 8 | txn 8
//   db of 48 bytes:     page size 4 (free db alone) | flags 2 | depth 2 | page counts 24 | entries 8 | root 8
//
// Invariant: a file that passes has two readable meta pages and trees that LMDB can walk (lmdb-tree.ts); an absent or empty
// one passes only where there was none before.
// Must not: write to a data file, or trust a number from the file as a size to allocate.
// Source: struct MDB_meta and MDB_db in lmdb's mdb.c, data format 2 (the one the package's binaries write).

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { LIMITS } from '../actors/limits.js';
import { StoreOpenError } from './failure.js';
import { openError } from './lmdb-error.js';
import { checkTrees, type Tree } from './lmdb-tree.js';

const META = 24;
const MAGIC = 0xbeefc0de;
const FORMAT = 2;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

const META_BYTES = 136;
const INTEGER_KEYS = 8;
const LARGEST_PAGE = 65_536;
/** Of LMDB's table of readers, for the 126 that it has room for where nothing else is said. */
const LOCK_BYTES = 8_192;
const LOCK_PAGE = 4_096;

const MARK = `Weft keeps a store here. Without data.mdb beside it, no node starts on this folder: put the file back,
or remove this one to begin an empty store.
`;

interface Meta {
  readonly pageSize: number;
  readonly trees: readonly Tree[];
  readonly lastPage: bigint;
  readonly transaction: bigint;
}

/**
 * Makes the directory if absent; looks at as many pages of the data file as `budget` says.
 * Throws StoreOpenError: `store_corrupt`, `store_missing`, `store_full`, `store_unavailable`.
 */
export function inspect(directory: string, budget: number): void {
  const path = join(directory, 'data.mdb');
  let file: number | undefined;
  try {
    mkdirSync(directory, { recursive: true });
    reserveLock(directory);
    if (existsSync(join(directory, 'weft-store')) && !(statSync(path, { throwIfNoEntry: false })?.size ?? 0)) {
      throw missing(directory);
    }
    file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const { size } = fstatSync(file);
    if (size === 0 && noRoom(directory)) throw noSpace();
    if (size > 0) verifyAtRest(path, file, budget);
    else for (const made of [resolve(directory), dirname(resolve(directory))]) flushDirectory(made);
  } catch (error) {
    throw openError(directory, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Notes that there is a data file from now on: if it is gone one day, an empty one must not take its place unasked. */
export function mark(directory: string): void {
  const path = join(directory, 'weft-store');
  if (existsSync(path)) return;
  try {
    writeFileSync(path, MARK, { mode: 0o600, flush: true });
    flushDirectory(directory);
  } catch {
    // A disk without room for it has none for anything else either: the next start tries again.
    rmSync(path, { force: true });
  }
}

function missing(directory: string): StoreOpenError {
  const path = join(directory, 'data.mdb');
  const what = existsSync(path) ? 'is empty' : 'is gone';
  return new StoreOpenError(
    'store_missing',
    `${path} ${what}, and a store was here: put it back, or remove ${join(directory, 'weft-store')} to begin an empty one`,
  );
}

/**
 * LMDB makes its lock file as one hole and writes it through memory: where the disk is full, that is a SIGBUS. So its bytes
 * are there before. One that another process may use is left alone. What would keep LMDB from opening it is found here:
 * the package frees what it then still uses, and the process ends by a signal.
 */
function reserveLock(directory: string): void {
  const path = join(directory, 'lock.mdb');
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    try {
      writeFileSync(path, new Uint8Array(LOCK_BYTES), { flag: 'wx', mode: 0o600 });
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
      rmSync(path, { force: true });
      throw error;
    }
  } else if (found.blocks * 512 < LOCK_PAGE && noRoom(directory)) throw noSpace();
  else closeSync(openSync(path, constants.O_RDWR));
}

function noSpace(): Error {
  return Object.assign(new Error('no space left on the disk'), { code: 'ENOSPC' });
}

/** What the data file at its path is now. */
export interface Identity {
  readonly device: number;
  readonly file: number;
  readonly bytes: number;
}

/** Undefined where there is none. */
export function identify(directory: string): Identity | undefined {
  const found = statSync(join(directory, 'data.mdb'), { throwIfNoEntry: false });
  return found && { device: found.dev, file: found.ino, bytes: found.size };
}

/** LMDB flushes the file alone; a power cut could take a new file's name. */
function flushDirectory(path: string): void {
  const directory = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** A write that a full disk cuts in its middle fails without saying why, so the disk is asked. */
export function noRoom(directory: string): boolean {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize < LIMITS.diskReserve;
}

/**
 * Another process may write meanwhile (several nodes share a store), and these reads hold no place among LMDB's readers. A page
 * of the tree that is looked at is used again only after a later transaction freed it: so what is found wrong counts only if
 * no transaction was added. Where the file does not come to rest, LMDB is at work in it, and knows.
 */
function verifyAtRest(path: string, file: number, budget: number): void {
  for (let tries = LIMITS.storeCheckTries; tries > 0; tries--) {
    const before = transactions(file);
    try {
      verify(path, file, fstatSync(file).size, budget);
      return;
    } catch (error) {
      if (transactions(file) === before) throw error;
    }
  }
}

/** The transactions that the meta pages tell of; '' where they tell of none. */
function transactions(file: number): string {
  const metaAt = (at: number): Meta | undefined => {
    const bytes = Buffer.alloc(META_BYTES);
    return readSync(file, bytes, 0, META_BYTES, at) === META_BYTES ? metaOf(bytes) : undefined;
  };
  const first = metaAt(META);
  const second = first && metaAt(META + first.pageSize);
  if (first === undefined || second === undefined) return '';
  return `${first.transaction} ${second.transaction}`;
}

function verify(path: string, file: number, size: number, budget: number): void {
  const corrupt = (what: string): never => {
    throw new StoreOpenError(
      'store_corrupt',
      `${path} is damaged: ${what}; restore its folder from a backup, or move it away to begin an empty store`,
    );
  };
  const buffer = Buffer.alloc(LARGEST_PAGE);
  const read = (at: number, length: number): Buffer => {
    if (readSync(file, buffer, 0, length, at) !== length) corrupt('it is cut short');
    return buffer;
  };
  const first = metaOf(read(META, META_BYTES));
  const second = first && metaOf(read(META + first.pageSize, META_BYTES));
  if (first === undefined || second === undefined || first.pageSize !== second.pageSize) {
    return corrupt('it does not begin as an LMDB file of format 2');
  }
  const { pageSize, trees, lastPage } = first.transaction > second.transaction ? first : second;
  // The end may be missing with reason: pages that were taken and freed within one transaction are never written.
  const pages = Math.min(Math.floor(size / pageSize), Number(lastPage) + 1);
  checkTrees({ pages, pageSize, read: (page, bytes) => read(page * pageSize, bytes), corrupt }, trees, budget);
}

function metaOf(bytes: Buffer): Meta | undefined {
  const pageSize = bytes.readUInt32LE(24);
  if (bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt32LE(4) !== FORMAT) return undefined;
  if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) return undefined;
  const trees: Tree[] = [];
  for (const [at, free, flags] of [
    [24, true, INTEGER_KEYS],
    [72, false, 0],
  ] as const) {
    if (bytes.readUInt16LE(at + 4) !== flags) return undefined;
    const root = bytes.readBigUInt64LE(at + 40);
    if (root !== NO_PAGE) trees.push({ root: Number(root), depth: bytes.readUInt16LE(at + 6), free });
  }
  return { pageSize, trees, lastPage: bytes.readBigUInt64LE(120), transaction: bytes.readBigUInt64LE(128) };
}
