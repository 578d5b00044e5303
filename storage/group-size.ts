// Owns how many commits go into one transaction of the embedded engine.
// Invariant: after a group that was not written come smaller ones, a few times; where that does not help the disk is the cause, and
// groups are of full size until one is written.
// Must not: touch the store.
//
// LMDB fails now and then where it saves its list of free pages: it looks for one more in a leaf of that list which it has just
// emptied (mdb_page_alloc from mdb_freelist_save, as of lmdb 3.5.6), and gives the transaction up. Nothing is written then, and a
// smaller transaction needs other pages.

import { LIMITS } from '../actors/limits.js';

export class GroupSize {
  /** Commits of the next transaction at most. */
  most: number = LIMITS.groupCommits;
  #halved = 0;

  /** No smaller group is to be tried any more. */
  get last(): boolean {
    return this.#halved === LIMITS.storeHalves;
  }

  written(): void {
    this.most = LIMITS.groupCommits;
    this.#halved = 0;
  }

  /** A group of so many was not written. True: the same commits may be tried again, fewer at once. */
  failed(size: number): boolean {
    if (size < 2 || this.last) {
      this.most = LIMITS.groupCommits;
      return false;
    }
    this.#halved += 1;
    // A group that LMDB failed to begin is all that waited.
    this.most = Math.min(LIMITS.groupCommits, size >> 1);
    return true;
  }
}
