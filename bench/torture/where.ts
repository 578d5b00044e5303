// Owns where a torture's messages are stored: in the nodes' data folder, or in a FoundationDB cluster.
// Invariant: nothing of an earlier run is there at the start: its numbers would be judged as this one's.
// Must not: write.

import { join } from 'node:path';
import { openFoundationDb } from '../../storage/foundationdb.js';
import { openLmdb } from '../../storage/lmdb.js';
import type { Store } from '../../storage/store.js';

/** Every row of ours but the one that names the format. */
const ROWS = { start: Uint8Array.of(0), end: Uint8Array.of(0xff), limit: 1 } as const;

export class Where {
  readonly #clusterFile: string | null;
  readonly #data: string;

  private constructor(clusterFile: string | null, data: string) {
    this.#clusterFile = clusterFile;
    this.#data = data;
  }

  /** `store`: `fdb:CLUSTER_FILE`, or null. Rejects where something is stored already. */
  static async of(store: string | null, data: string): Promise<Where> {
    if (store === null) return new Where(null, data);
    const where = new Where(store.slice(store.indexOf(':') + 1), data);
    const opened = await where.open();
    const { rows } = await opened.range(ROWS);
    await opened.close();
    if (rows.length > 0) throw new Error(`${store} is not empty: its directory weft must be cleared first`);
    return where;
  }

  /** Of `weft start`. */
  get flags(): readonly string[] {
    return this.#clusterFile === null ? [] : ['--store', `fdb:${this.#clusterFile}`];
  }

  /** To read, while no node runs or any number of them. */
  open(): Promise<Store> {
    const clusterFile = this.#clusterFile;
    return clusterFile === null ? openLmdb({ path: join(this.#data, 'store') }) : openFoundationDb({ clusterFile });
  }
}
