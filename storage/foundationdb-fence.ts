// Owns the certainty about commits whose answer did not come.
// Invariant: after `settle`, every commit that was open when it was called is applied or never will be, so that what a
// read shows then is final.
// Must not: tell which of the two it is; a read does.
//
// FoundationDB's own client does this before it says commit_unknown_result. Where our time limit ends the wait, it cannot:
// the request may still be on its way, and would be applied after what we wrote meanwhile. So every commit *reads* one key of
// this process; settling *writes* it (as conflict ranges: no row is stored). What arrives later has read an old version
// and is refused.

import { randomBytes } from 'node:crypto';
import { FDB_LIMITS } from '../actors/limits.js';
import type { FdbDatabase } from './foundationdb-client.js';
import { isPassing } from './foundationdb-error.js';
import type { Space } from './foundationdb-space.js';

export class Fence {
  /** Every commit adds it to what it read. */
  readonly key: Buffer;
  readonly #database: FdbDatabase;
  #opened = 0;
  #closed = 0;
  #settling: Promise<void> | undefined;

  constructor(database: FdbDatabase, space: Space) {
    this.#database = database;
    this.key = space.key(Buffer.concat([Buffer.from('\xff\xfffence', 'latin1'), randomBytes(16)]));
  }

  get isOpen(): boolean {
    return this.#opened > this.#closed;
  }

  /** A commit was sent, and what became of it is not known. */
  open(): void {
    this.#opened += 1;
  }

  /** Rejects with the client's error where the cluster does not answer. */
  async settle(): Promise<void> {
    while (this.isOpen) {
      this.#settling ??= this.#run().finally(() => {
        this.#settling = undefined;
      });
      await this.#settling;
    }
  }

  async #run(): Promise<void> {
    const opened = this.#opened;
    const began = performance.now();
    for (;;) {
      const transaction = this.#database.rawCreateTransaction();
      transaction.addReadConflictKey(this.key);
      transaction.addWriteConflictKey(this.key);
      try {
        await transaction.rawCommit();
        this.#closed = opened;
        return;
      } catch (error) {
        if (!isPassing(error) || performance.now() - began > FDB_LIMITS.timeoutMs) throw error;
      }
    }
  }
}
