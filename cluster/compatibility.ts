// Owns who may join by what it speaks: the rows that are in force, and a version of the link protocol with each member.
// Invariant: who is refused has changed nothing. Members that give no sign of life refuse nobody: a cluster that died can be upgraded.
// Must not: stand in for the greeting of links, which agrees on a version for each session.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import { equalBytes } from '../storage/bytes.js';
import { nodeInKey, nodeRange, viewKey } from '../storage/cluster-keys.js';
import { decodeNode } from '../storage/cluster-rows.js';
import { StoreOpenError } from '../storage/failure.js';
import type { Check, Row, Store } from '../storage/store.js';
import { StoredFormat, type Terms } from '../storage/stored-format.js';
import { agree, type Speech } from './versions.js';

/** ms in which a living node is seen to beat: as long as others give it, and what their beats and reads take besides. */
export const SIGN_MS = LIMITS.leaseMs + 3 * LIMITS.beatMs;

export class Compatibility {
  /** What is in force. */
  readonly format: StoredFormat;
  readonly #store: Store;
  readonly #world: World;
  readonly #speech: Speech;

  constructor(store: Store, world: World, speech: Speech) {
    this.#store = store;
    this.#world = world;
    this.#speech = speech;
    this.format = new StoredFormat(store, world, speech.rows);
  }

  /**
   * What the transaction of a join checks besides the view that was read before `rows`, those of all members.
   * @throws StoreOpenError `store_newer`, `store_older`, `cluster_version`
   */
  async admission(own: Uint8Array, rows: readonly Row[]): Promise<readonly Check[]> {
    const format = await this.format.read();
    const foreign = rows.filter((row) => !equalBytes(row.key, own) && !this.#understands(row));
    if (foreign.length > 0) await this.#silent(foreign);
    return [format];
  }

  /** What all members know by what they said when they joined. */
  readonly terms = async (): Promise<Terms> => {
    // Before the rows: whoever joins in between changes it.
    const view = await this.#store.get(viewKey());
    const { rows } = await this.#store.range({ ...nodeRange(), limit: LIMITS.nodes });
    const highest = Math.min(this.#speech.rows.high, ...rows.map(({ value }) => decodeNode(value).rows));
    return { highest, checks: [{ key: viewKey(), value: view ?? null }] };
  };

  #understands({ value }: Row): boolean {
    return agree(this.#speech.links, decodeNode(value).links) > 0;
  }

  /** Resolves when none of them has given a sign of life. */
  async #silent(rows: readonly Row[]): Promise<void> {
    for (let waited = 0; waited < SIGN_MS; waited += LIMITS.beatMs) {
      await new Promise<void>((resolve) => this.#world.timer(LIMITS.beatMs, resolve));
      for (const { key, value } of rows) {
        const now = await this.#store.get(key);
        if (now !== undefined && !equalBytes(now, value)) throw this.#refusal(nodeInKey(key), now);
      }
    }
  }

  #refusal(node: string, row: Uint8Array): StoreOpenError {
    const { low, high } = this.#speech.links;
    const theirs = decodeNode(row).links;
    const spoken = `node ${node} speaks versions ${theirs.low} to ${theirs.high} of the link protocol, this one ${low} to ${high}`;
    const way = 'upgrade by way of a version between that speaks both, or stop all other nodes first';
    return new StoreOpenError('cluster_version', `${spoken}: ${way}`);
  }
}
