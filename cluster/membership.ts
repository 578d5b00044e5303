// Owns this node's own row: joining, beating, leaving, and finding out that it is no member any more.
// Invariant: each write is conditional on the row being as this life left it, so a life whose row was taken away or replaced
// never writes again. An answer that is not known is settled by the nonce, which no other life has.
// Must not: watch other nodes (observer.ts), or know shards.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import { equalBytes } from '../storage/bytes.js';
import { nodeKey, nodeRange, viewKey } from '../storage/cluster-keys.js';
import { decodeNode, decodeView, encodeNode, encodeView, NODE_STATE, type NodeRow } from '../storage/cluster-rows.js';
import { StoreOpenError } from '../storage/failure.js';
import type { Store } from '../storage/store.js';
import { Charter } from './charter.js';
import { Compatibility } from './compatibility.js';
import type { Mac } from './link-greeting.js';
import type { Speech } from './versions.js';

/** What other nodes are told of this one. */
export interface Identity {
  readonly node: string;
  /** Where other nodes reach it. */
  readonly address: string;
  /** Where clients reach it; '' the same place for all. */
  readonly url: string;
  readonly speech: Speech;
}

/** `evicted`: others took this node for dead. `replaced`: another process has joined under its name. */
export type Beat = 'held' | 'failed' | 'evicted' | 'replaced';

const UNSAID = (): number | null => null;

/** Attempts of one beat that the store leaves unsettled. */
const BEAT_TRIES = 3;

export class Membership {
  readonly compatibility: Compatibility;
  readonly #store: Store;
  readonly #key: Uint8Array;
  readonly #charter: Charter;
  readonly #p99: () => number | null;
  #row: NodeRow;
  #bytes: Uint8Array | null = null;
  /** What became of the newest attempt is not known. */
  #open = false;
  /** Wanted with the next beat. */
  #state: number = NODE_STATE.up;

  /** `p99`: what each beat says of it (storage/cluster-rows.ts). */
  constructor(store: Store, world: World, mac: Mac, { node, speech, ...identity }: Identity, p99 = UNSAID) {
    this.#store = store;
    this.#charter = new Charter(store, world, mac);
    this.compatibility = new Compatibility(store, world, speech);
    this.#p99 = p99;
    this.#key = nodeKey(node);
    const nonce = world.randomBytes(6).reduce((sum, byte) => sum * 256 + byte, 0);
    const said = { links: speech.links, rows: speech.rows.high };
    this.#row = { ...identity, ...said, incarnation: 0, beat: 0, state: NODE_STATE.up, nonce, p99: null };
  }

  get incarnation(): number {
    return this.#row.incarnation;
  }

  get nonce(): number {
    return this.#row.nonce;
  }

  /**
   * Joins; a row of an earlier life is replaced.
   * @throws StoreOpenError when the store refuses, is of another cluster or another version, or when there are as many nodes as there may be.
   */
  async join(): Promise<void> {
    for (let tries = 0; tries < LIMITS.joinTries; tries += 1) {
      const [own, view] = await Promise.all([this.#store.get(this.#key), this.#store.get(viewKey())]);
      if (this.#adopt(own)) return;
      const { rows } = await this.#store.range({ ...nodeRange(), limit: LIMITS.nodes });
      if (own === undefined && rows.length >= LIMITS.nodes && rows.every(({ key }) => !equalBytes(key, this.#key))) {
        throw new StoreOpenError('store_unavailable', `${LIMITS.nodes} nodes share this store: no more may join`);
      }
      const compatible = await this.compatibility.admission(this.#key, rows);
      const admission = await this.#charter.admission(this.#key);
      const number = decodeView(view) + 1;
      const bytes = encodeNode({ ...this.#row, incarnation: number });
      const result = await this.#store.commit({
        checks: [
          { key: this.#key, value: own ?? null },
          { key: viewKey(), value: view ?? null },
          ...compatible,
          ...admission.checks,
        ],
        writes: [{ key: this.#key, value: bytes }, { key: viewKey(), value: encodeView(number) }, ...admission.writes],
      });
      if (result.outcome === 'committed') {
        this.#adopt(bytes);
        return;
      }
      if (result.outcome === 'failed') {
        const code = result.code === 'too_large' ? 'store_unavailable' : result.code;
        throw new StoreOpenError(code, `the store takes no writes: ${result.reason}`);
      }
    }
    throw new StoreOpenError('store_unavailable', 'others join so often that this node could not');
  }

  /** True: the row is this life's. */
  #adopt(bytes: Uint8Array | undefined): boolean {
    if (bytes === undefined) return false;
    const row = decodeNode(bytes);
    if (row.nonce !== this.#row.nonce) return false;
    this.#row = row;
    this.#bytes = bytes;
    return true;
  }

  /** Takes effect with the next beat that holds. */
  enter(state: number): void {
    this.#state = state;
  }

  /** `held`: written since this was called. What an earlier call may have written renews nothing: others count from then. */
  async beat(): Promise<Beat> {
    let earlier = this.#open;
    for (let tries = 0; tries < BEAT_TRIES; tries += 1) {
      const before = this.#bytes;
      const next = encodeNode({ ...this.#row, beat: this.#row.beat + 1, state: this.#state, p99: this.#p99() });
      this.#open = true;
      const result = await this.#store.commit({
        checks: [{ key: this.#key, value: before }],
        writes: [{ key: this.#key, value: next }],
      });
      if (result.outcome === 'committed') {
        this.#open = false;
        this.#adopt(next);
        return 'held';
      }
      if (result.outcome === 'failed') {
        this.#open = earlier;
        return 'failed';
      }
      const stored = await this.#store.get(this.#key);
      this.#open = false;
      if (stored === undefined) return 'evicted';
      const { beat } = this.#row;
      if (!this.#adopt(stored)) return 'replaced';
      // An attempt whose answer was lost: its successor's check tells it from one that may still come.
      if (this.#row.beat > beat && !earlier) return 'held';
      earlier = false;
    }
    return 'failed';
  }

  /** Goes, so that others need not wait for the lease. False: it could not be said, and they will. */
  async leave(): Promise<boolean> {
    for (let tries = 0; tries < LIMITS.joinTries; tries += 1) {
      const [own, view] = await Promise.all([this.#store.get(this.#key), this.#store.get(viewKey())]);
      if (!this.#adopt(own)) return true;
      const result = await this.#store.commit({
        checks: [
          { key: this.#key, value: own! },
          { key: viewKey(), value: view ?? null },
        ],
        writes: [
          { key: this.#key, value: null },
          { key: viewKey(), value: encodeView(decodeView(view) + 1) },
        ],
      });
      if (result.outcome === 'committed') return true;
      if (result.outcome === 'failed') return false;
    }
    return false;
  }
}
