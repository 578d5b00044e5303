// Owns the look through the pages of an LMDB data file. LMDB trusts its file: where a page is damaged it follows numbers
// out of the map or hits an assertion of its own, and the process ends by a signal with no word of why.
//
//   tree page:   number 8 | txn 8 | pad 2 | flags 2 | lower 2 | upper 2 | offsets of nodes 2 each, from byte 24 …
//   value page:  number 8 | txn 8 | pad 2 | flags 2 | pages 4 | the value, over as many pages
//   node:        size or child, low 4 | flags or child, high 2 | key size 2 | key | value, or page 8, txn 8, pages 8
//
// Invariant: what passes can be walked by LMDB within the file: each page is what it says, where it says, and has one place;
// nodes lie within their page, keys ascend, leaves are all at one depth. What the free list names is not looked at.
// Must not: write, or trust a number from the file as a size to allocate. It cannot tell a changed value from a right one:
// LMDB keeps no checksums.
// Source: struct MDB_page, MDB_node and mdb_page_get in lmdb's mdb.c, data format 2.

const HEADER = 24;
const NODE = 8;
const BRANCH = 1;
const LEAF = 2;
const VALUE = 4;
const BIG = 1;
const BIG_BYTES = 24;
/** Of LMDB's cursors. */
const DEPTH = 32;

export interface PageFile {
  readonly pages: number;
  readonly pageSize: number;
  /** Into the same buffer each time. Throws when the file ends before. */
  read(page: number, bytes: number): Buffer;
  /** Refuses the file. */
  corrupt(what: string): never;
}

export interface Tree {
  readonly root: number;
  readonly depth: number;
  /** Its keys are numbers of 8 bytes, lowest byte first. */
  readonly free: boolean;
}

/**
 * Looks at the pages of the trees, all of them where they are no more than `budget`; else from the roots down as many as
 * that, those of the level where it ends spread evenly. Answers how many it looked at.
 */
export function checkTrees(file: PageFile, trees: readonly Tree[], budget: number): number {
  const seen = new Uint8Array((file.pages >> 3) + 1);
  const take = (page: number): void => {
    if (page < 2 || page >= file.pages) file.corrupt(`it refers to page ${page} of ${file.pages}`);
    const bit = 1 << (page & 7);
    if ((seen[page >> 3]! & bit) !== 0) file.corrupt(`page ${page} is used twice`);
    seen[page >> 3]! |= bit;
  };
  let left = budget;
  for (const tree of trees) left -= checkTree(file, tree, left, take);
  return budget - left;
}

function checkTree(file: PageFile, { root, depth, free }: Tree, budget: number, take: (page: number) => void): number {
  if (depth < 1 || depth > DEPTH) file.corrupt(`a tree says that it is ${depth} deep`);
  let level = [root];
  let looked = 0;
  for (let below = depth - 1; below >= 0; below--) {
    const step = Math.max(1, Math.ceil(level.length / Math.max(1, budget - looked)));
    const next: number[] = [];
    for (let at = 0; at < level.length; at += step) {
      const page = level[at]!;
      take(page);
      looked += 1;
      const values = checkPage(file, page, below === 0, free, next);
      for (const { page: first, pages } of values) {
        // Read after the page, as they share its buffer.
        take(first);
        looked += 1;
        const value = file.read(first, HEADER);
        if (numberAt(value, 0) !== first || value.readUInt16LE(18) !== VALUE || value.readUInt32LE(20) !== pages) {
          file.corrupt(`page ${first} is not the value that it should be`);
        }
      }
    }
    level = next;
  }
  return looked;
}

interface Value {
  readonly page: number;
  readonly pages: number;
}

/** Adds a branch's children to `children`; answers the values that lie on pages of their own. */
function checkPage(file: PageFile, number: number, leaf: boolean, free: boolean, children: number[]): Value[] {
  const { pageSize, corrupt } = file;
  const page = file.read(number, pageSize);
  const lower = page.readUInt16LE(20);
  const nodes = lower >> 1;
  if (numberAt(page, 0) !== number) corrupt(`page ${number} says that it is another`);
  if (page.readUInt16LE(18) !== (leaf ? LEAF : BRANCH)) corrupt(`page ${number} is not a ${leaf ? 'leaf' : 'branch'}`);
  if (HEADER + lower > pageSize || nodes < (leaf ? 1 : 2)) corrupt(`page ${number} has ${nodes} nodes`);
  const values: Value[] = [];
  let before = 0;
  for (let i = 0; i < nodes; i++) {
    const at = HEADER + page.readUInt16LE(HEADER + 2 * i);
    const key = at + NODE;
    if (at < HEADER + lower || key > pageSize) corrupt(`page ${number} has a node outside of itself`);
    const low = page.readUInt32LE(at);
    const high = page.readUInt16LE(at + 4);
    const value = key + page.readUInt16LE(at + 6);
    const big = leaf && high === BIG;
    const end = value + (leaf ? (big ? BIG_BYTES : low) : 0);
    if (end > pageSize || (leaf && high !== 0 && !big)) corrupt(`page ${number} has a node that cannot be`);
    // The first key of a branch stands for everything below the second.
    const first = leaf ? 0 : 1;
    if (free && i >= first && value !== key + 8) corrupt(`page ${number} has a key that cannot be`);
    if (i > first && !ascends(page, before, at, free)) corrupt(`page ${number} has keys out of order`);
    before = at;
    if (!leaf) children.push(low + high * 2 ** 32);
    else if (big) values.push(bigValue(file, page, value, low));
  }
  return values;
}

function ascends(page: Buffer, before: number, at: number, free: boolean): boolean {
  if (free) return page.readBigUInt64LE(before + NODE) < page.readBigUInt64LE(at + NODE);
  const length = (node: number): number => page.readUInt16LE(node + 6);
  return page.compare(page, at + NODE, at + NODE + length(at), before + NODE, before + NODE + length(before)) < 0;
}

function bigValue({ pages: all, pageSize, corrupt }: PageFile, leaf: Buffer, at: number, bytes: number): Value {
  const page = numberAt(leaf, at);
  const pages = numberAt(leaf, at + 16);
  if (pages * pageSize < bytes + HEADER || page + pages > all) corrupt(`a value of ${bytes} bytes is not within it`);
  return { page, pages };
}

function numberAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}
