// Owns the look at an LMDB data file before it is mapped: a file cut short answers a read with SIGBUS, which nobody can
// catch, and a foreign file may do worse.
//
//   page 0 and page 1:  24 bytes header | magic 4 | version 4 | address 8 | map size 8 | free db 48 | main db 48 | last page 8 | txn 8
//   db of 48 bytes:     page size 4 (free db alone) | flags 2 | depth 2 | page counts 24 | entries 8 | root 8
//   tree page:          number 8 | txn 8 | pad 2 | flags 2 | lower 2 | upper 2 | offsets of nodes 2 each, from byte 24 …
//   node:               size or child, low 4 | flags or child, high 2 | key size 2 | key | value, or page 8, txn 8, pages 8
//
// Invariant: a file that passes has two readable meta pages and every page that its trees can reach.
// Must not: write to it, or trust a number from the file as a size to allocate.
// Source: struct MDB_meta and MDB_db in lmdb's mdb.c, data format 2 (the one the package's binaries write).

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { LIMITS } from '../actors/limits.js';
import { reasonOf, StoreOpenError } from './failure.js';

const META = 24;
const MAGIC = 0xbeefc0de;
const FORMAT = 2;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

const LEAF = 2;
const BRANCH = 1;
const BIG = 1;

interface Meta {
  readonly pageSize: number;
  readonly roots: readonly bigint[];
  readonly lastPage: bigint;
  readonly transaction: bigint;
}

/** Makes the directory if absent. Throws StoreOpenError: `store_corrupt`, `store_newer`, `store_unavailable`. */
export function inspect(directory: string): void {
  const path = join(directory, 'data.mdb');
  let file: number;
  try {
    mkdirSync(directory, { recursive: true });
    file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    throw new StoreOpenError('store_unavailable', `cannot open ${path}: ${reasonOf(error)}`, { cause: error });
  }
  try {
    const { size } = fstatSync(file);
    if (size > 0) verify(path, file, size);
    else for (const made of [resolve(directory), dirname(resolve(directory))]) flushDirectory(made);
  } finally {
    closeSync(file);
  }
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

/** Bytes of the data file. */
export function dataSize(directory: string): number {
  return statSync(join(directory, 'data.mdb')).size;
}

/** A write that a full disk cuts in its middle fails without saying why, so the disk is asked. */
export function noRoom(directory: string): boolean {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize < LIMITS.diskReserve;
}

function verify(path: string, file: number, size: number): void {
  const corrupt = (what: string): never => {
    throw new StoreOpenError('store_corrupt', `${path} is damaged: ${what}; restore it from a backup or move it away`);
  };
  const read = (at: number, length: number): Buffer => {
    const bytes = Buffer.alloc(length);
    return at + length <= size && readSync(file, bytes, 0, length, at) === length ? bytes : corrupt('it is cut short');
  };
  const first = metaOf(read(META, 136));
  const second = first && metaOf(read(META + first.pageSize, 136));
  if (first === undefined || second === undefined || first.pageSize !== second.pageSize) {
    return corrupt('it does not begin as an LMDB file of format 2');
  }
  const { pageSize, roots, lastPage } = first.transaction > second.transaction ? first : second;
  const pages = Math.floor(size / pageSize);
  for (const root of roots) if (root !== NO_PAGE && root >= BigInt(pages)) corrupt('it is cut short');
  if (lastPage < BigInt(pages)) return;
  // The end may be missing with reason: pages that were taken and freed within one transaction are never written.
  for (const root of roots) if (root !== NO_PAGE) walk(Number(root), pages, pageSize, read, corrupt);
}

/** Follows a tree to every page it reaches. Reads all of its pages, but only where a file is shorter than it says. */
function walk(
  root: number,
  pages: number,
  pageSize: number,
  read: (at: number, length: number) => Buffer,
  corrupt: (what: string) => never,
): void {
  const open = [root];
  for (let visited = 0; open.length > 0; visited++) {
    const number = open.pop()!;
    if (visited > pages) corrupt('its tree has a loop');
    if (number >= pages) corrupt('it is cut short');
    const page = read(number * pageSize, pageSize);
    const flags = page.readUInt16LE(18);
    if ((flags & (LEAF | BRANCH)) === 0) corrupt(`page ${number} is not part of a tree`);
    const nodes = page.readUInt16LE(20) >> 1;
    if (META + 2 * nodes > pageSize) corrupt(`page ${number} has more nodes than room`);
    for (let i = 0; i < nodes; i++) {
      const at = META + page.readUInt16LE(META + 2 * i);
      if (at + 8 > pageSize) corrupt(`page ${number} has a node beyond its end`);
      const nodeFlags = page.readUInt16LE(at + 4);
      if ((flags & BRANCH) !== 0) open.push(page.readUInt32LE(at) + nodeFlags * 2 ** 32);
      else if ((nodeFlags & BIG) !== 0) {
        const value = at + 8 + page.readUInt16LE(at + 6);
        if (value + 24 > pageSize) corrupt(`page ${number} has a node beyond its end`);
        if (page.readBigUInt64LE(value) + page.readBigUInt64LE(value + 16) > BigInt(pages)) corrupt('it is cut short');
      }
    }
  }
}

function metaOf(bytes: Buffer): Meta | undefined {
  const pageSize = bytes.readUInt32LE(24);
  if (bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt32LE(4) !== FORMAT) return undefined;
  if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) return undefined;
  return {
    pageSize,
    roots: [bytes.readBigUInt64LE(64), bytes.readBigUInt64LE(112)],
    lastPage: bytes.readBigUInt64LE(120),
    transaction: bytes.readBigUInt64LE(128),
  };
}
