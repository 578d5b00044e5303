// Owns the row by which a store knows its cluster's secret: the first node to join writes a proof of it, and each that joins holds its own
// against that before it writes anything.
// Invariant: all members joined under the row that stands. Who comes with another secret is not let in while anybody gives a sign of
// life; where nobody does, as after all were stopped, it may put its own row there, and who was silent is evicted with that.
// Must not: hold the secret (`mac` is given), or stand in for the greeting of links: who reads the store learns nothing from this row.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import { equalBytes } from '../storage/bytes.js';
import { charterKey, nodeRange } from '../storage/cluster-keys.js';
import { decodeCharter, encodeCharter } from '../storage/cluster-rows.js';
import { StoreOpenError } from '../storage/failure.js';
import type { Commit, Row, Store } from '../storage/store.js';
import { SIGN_MS } from './compatibility.js';
import type { Mac } from './link-greeting.js';

const NONCE = 16;
const WORD = new TextEncoder().encode('weft cluster\0');

const REFUSED =
  'this store belongs to a cluster with another secret: give this node the one that the others have ' +
  '(--cluster-secret-file), or another store; to change the secret stop all nodes first';

export class Charter {
  readonly #store: Store;
  readonly #world: World;
  readonly #mac: Mac;

  constructor(store: Store, world: World, mac: Mac) {
    this.#store = store;
    this.#world = world;
    this.#mac = mac;
  }

  /**
   * What the transaction of a join checks and writes besides its own rows; `own` is the key of its node row.
   * @throws StoreOpenError `cluster_secret`
   */
  async admission(own: Uint8Array): Promise<Commit> {
    const key = charterKey();
    const row = await this.#store.get(key);
    if (row !== undefined && this.#proved(row)) return { checks: [{ key, value: row }], writes: [] };
    const silent = row === undefined ? [] : await this.#silent();
    const others = silent.filter((other) => !equalBytes(other.key, own));
    return {
      checks: [{ key, value: row ?? null }, ...others],
      writes: [{ key, value: this.#made() }, ...others.map((other) => ({ key: other.key, value: null }))],
    };
  }

  #made(): Uint8Array {
    const nonce = this.#world.randomBytes(NONCE);
    return encodeCharter({ nonce, proof: this.#proof(nonce) });
  }

  #proved(row: Uint8Array): boolean {
    const { nonce, proof } = decodeCharter(row);
    return equalBytes(proof, this.#proof(nonce));
  }

  #proof(nonce: Uint8Array): Uint8Array {
    return this.#mac(Buffer.concat([WORD, nonce]));
  }

  /** Rows of nodes of which none has given a sign of life. */
  async #silent(): Promise<readonly Row[]> {
    const before = await this.#nodes();
    for (let waited = 0; before.length > 0 && waited < SIGN_MS; waited += LIMITS.beatMs) {
      await new Promise<void>((resolve) => this.#world.timer(LIMITS.beatMs, resolve));
      const now = await this.#nodes();
      const same = ({ key, value }: Row, at: number): boolean =>
        equalBytes(key, before[at]!.key) && equalBytes(value, before[at]!.value);
      if (now.length !== before.length || !now.every(same)) throw new StoreOpenError('cluster_secret', REFUSED);
    }
    return before;
  }

  async #nodes(): Promise<readonly Row[]> {
    return (await this.#store.range({ ...nodeRange(), limit: LIMITS.nodes })).rows;
  }
}
