// Owns where our rows lie in a FoundationDB cluster: the directory of a store, its prefix, and its format row.
// Invariant: every key of ours begins with the prefix that the directory layer gave; the cluster may hold anything beside it.
// Must not: read or write rows but the format's.

import { StoreOpenError } from './failure.js';
import { encodeFormat, FORMAT_KEY, FORMATS, isNew } from './format.js';
import type { FdbClient, FdbDatabase } from './foundationdb-client.js';

/** Names the directory as ours to other users of the cluster; the layer refuses one of another kind. */
const LAYER = 'weft';

export class Space {
  readonly #prefix: Buffer;

  constructor(prefix: Buffer) {
    this.#prefix = prefix;
  }

  /** A key of ours as the cluster knows it. Always a copy: the package takes Buffers alone. */
  key(key: Uint8Array): Buffer {
    const { length } = this.#prefix;
    const whole = Buffer.allocUnsafe(length + key.length);
    whole.set(this.#prefix);
    whole.set(key, length);
    return whole;
  }

  /** A key of the cluster as we know it. */
  own(key: Buffer): Uint8Array {
    return key.subarray(this.#prefix.length);
  }
}

/** Opens or makes the directory at `path` and its format row, in one transaction. Throws StoreOpenError or the client's error. */
export function openSpace(
  client: FdbClient,
  database: FdbDatabase,
  path: readonly string[],
  clusterFile: string,
): Promise<Space> {
  return database.doTransaction(async (transaction) => {
    const directory = await client.directory.createOrOpen(transaction, path, LAYER).catch((error: unknown) => {
      if (!(error instanceof Error) || 'code' in error) throw error;
      const where = `the directory ${path.join('/')} of the cluster in ${clusterFile}`;
      throw new StoreOpenError('store_corrupt', `${where} is not a store of Weft: ${error.message}`, { cause: error });
    });
    const space = new Space(directory.getSubspace().prefix);
    const first = client.keySelector.firstGreaterOrEqual(space.key(Uint8Array.of(0)));
    const last = client.keySelector.firstGreaterOrEqual(space.key(Uint8Array.of(0xff, 0xff)));
    const [row, rows] = await Promise.all([
      transaction.get(space.key(FORMAT_KEY)),
      transaction.getRangeRaw(first, last, 1, 0, client.StreamingMode.Exact, 1, false),
    ]);
    const where = `the directory ${path.join('/')} of the cluster in ${clusterFile}`;
    if (isNew(row, rows.results.length === 0, where)) {
      transaction.set(space.key(FORMAT_KEY), Buffer.from(encodeFormat(FORMATS.high)));
    }
    return space;
  });
}
