// Owns which shards are this node's: it takes those that fall to it, gives up those that others took, and hands over those that are
// meant for others.
// What a shard goes through is drawn in slot.ts.
// Invariant: a shard is open only under a grant that this very life wrote and was told of as committed: a grant that names this node
// and is not known to be its own is taken anew, so no two processes ever use the same bytes. A shard is opened only after
// the actors of its last time here have ended, and after what its last owner left untold is known.
// Must not: decide who is a member (observer.ts), or be trusted by the log: each append checks the grant.

import { assert } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import { equalBytes } from '../storage/bytes.js';
import { grantKey } from '../storage/cluster-keys.js';
import { decodeGrant, encodeGrant } from '../storage/cluster-rows.js';
import type { Log } from '../storage/log.js';
import type { CommitResult, Store } from '../storage/store.js';
import { AT_ONCE, type Tellings, Untold } from '../storage/untold.js';
import type { Pace } from './drain.js';
import type { Observer } from './observer.js';
import type { Owner } from './placement.js';
import { NOTHING_LEFT, type Recovery } from './recovery.js';
import { newSlots, type Slot } from './slot.js';

export interface OwnershipParts {
  readonly node: string;
  readonly world: World;
  readonly store: Store;
  readonly log: Log;
  readonly observer: Observer;
  readonly recovery: Recovery;
  readonly tellings?: Tellings;
  /** True: this node takes nothing and gives nothing away now. */
  readonly lapsed: () => boolean;
  readonly pace?: Pace;
  /** Ends the shard's actors of this node; resolves when they have ended. */
  readonly close: (shard: number) => Promise<void>;
  /** Where the shard's actors live has changed. */
  readonly moved: (shard: number, owner: Owner | null) => void;
  /** That node was given a shard: it should look at the grants. */
  readonly hint: (node: string) => void;
  /** Something did not come to its end: look again soon. */
  readonly again: () => void;
}

/** What an ownership has done. */
export interface OwnershipStats {
  readonly taken: number;
  readonly lost: number;
  readonly moves: number;
  /** On their way to others now. */
  readonly moving: number;
}

export class Ownership {
  readonly #parts: OwnershipParts;
  readonly #slots: readonly Slot[];
  readonly #mine: Owner;
  #moves = 0;
  #claiming: Promise<void> | null = null;
  #clock = 0;
  #ended = false;
  #stats = { taken: 0, lost: 0, moves: 0 };

  constructor(parts: OwnershipParts) {
    this.#parts = parts;
    this.#mine = { node: parts.node, mine: true };
    this.#slots = newSlots();
  }

  owner(shard: number): Owner | null {
    return this.#slots[shard]!.owner;
  }

  /** Of the grant as last seen; 0 none. */
  epoch(shard: number): number {
    const { row } = this.#slots[shard]!;
    return row === undefined ? 0 : decodeGrant(row).epoch;
  }

  /** Node that the grant names, whether or not it is there. */
  granted(shard: number): string | null {
    const { row } = this.#slots[shard]!;
    return row === undefined ? null : decodeGrant(row).node;
  }

  /** Shards that are open here. */
  get held(): number {
    return this.#slots.filter(({ phase }) => phase === 'open').length;
  }

  get stats(): OwnershipStats {
    return { ...this.#stats, moving: this.#moves };
  }

  /** Of this life's own changes to grants: what was read before one of them says nothing about it. */
  get clock(): number {
    return this.#clock;
  }

  /** Resolves when what is being taken is taken or not. */
  async settled(): Promise<void> {
    await this.#claiming;
  }

  /**
   * Compares what is with what should be, and sets about the difference. `rows`: the grants, whose reading began at `clock`, before
   * the members that the observer knows were read: so whoever a grant names was looked for after it was named.
   */
  reconcile(rows: readonly (Uint8Array | undefined)[], clock: number, plan: readonly string[]): void {
    if (this.#ended) return;
    for (const slot of this.#slots) {
      if (slot.changed > clock) continue;
      slot.row = rows[slot.shard];
      if (slot.grant !== null && (slot.row === undefined || !equalBytes(slot.row, slot.grant))) this.#lose(slot);
      if (slot.grant === null) this.#follow(slot);
    }
    if (this.#parts.lapsed()) return;
    const falling = this.#slots.filter((slot) => this.#falls(slot, plan));
    if (this.#claiming === null && falling.length > 0) this.#claiming = this.#claim(falling, plan);
    for (const slot of this.#slots) this.#offer(slot, plan[slot.shard]);
  }

  /** An append found another's grant. */
  lost(shard: number): void {
    const slot = this.#slots[shard]!;
    if (slot.grant !== null) this.#lose(slot);
    this.#parts.again();
  }

  /** This life is over: nothing is this node's any more. */
  end(): void {
    this.#ended = true;
    for (const slot of this.#slots) {
      Object.assign(slot, { phase: 'closed', grant: null, untold: null });
      this.#set(slot, null);
    }
  }

  // ---- what others have ----

  #follow(slot: Slot): void {
    const { observer, node } = this.#parts;
    const grant = slot.row === undefined ? null : decodeGrant(slot.row);
    const known = grant !== null && grant.node !== node && observer.member(grant.node) !== undefined;
    if (!known) return this.#set(slot, null);
    if (slot.owner?.node !== grant.node) this.#set(slot, { node: grant.node, mine: false });
  }

  #set(slot: Slot, owner: Owner | null): void {
    if (slot.owner === owner) return;
    slot.owner = owner;
    this.#parts.moved(slot.shard, owner);
  }

  /** The grant is another's. Its actors here must end: their state will be out of date. */
  #lose(slot: Slot): void {
    const opening = slot.phase === 'opening';
    this.#stats.lost += 1;
    slot.grant = null;
    slot.untold = null;
    this.#set(slot, null);
    this.#parts.log.drop(slot.shard);
    // While it opens no actor was made yet; while it moves, they are being ended already, and whoever does that goes on from here.
    if (opening) slot.phase = 'closed';
    else if (slot.phase === 'open') void this.#close(slot);
  }

  async #close(slot: Slot): Promise<void> {
    slot.phase = 'closing';
    await this.#parts.close(slot.shard);
    if (slot.phase === 'closing') slot.phase = 'closed';
    this.#parts.again();
  }

  // ---- what falls to this node ----

  #falls({ phase, row, shard }: Slot, plan: readonly string[]): boolean {
    if (phase !== 'closed') return false;
    const { node, observer } = this.#parts;
    const grant = row === undefined ? null : decodeGrant(row);
    // Given to this node, or left by an earlier life of it: nobody else would take it.
    if (grant?.node === node) return true;
    return plan[shard] === node && (grant === null || observer.member(grant.node) === undefined);
  }

  /** All of them in one transaction, or else each by itself: of many that fall to it some may have gone to others. */
  async #claim(slots: readonly Slot[], plan: readonly string[]): Promise<void> {
    let outcome = await this.#take(slots);
    if (outcome === 'conflict' && slots.length > 1) {
      // What a look found meanwhile counts: a member that was quicker is not robbed (seed 102 of the cluster).
      const left = slots.filter((slot) => this.#falls(slot, plan));
      const each = await Promise.all(left.map((slot) => this.#take([slot])));
      outcome = each.includes('committed') ? 'committed' : 'conflict';
    }
    this.#claiming = null;
    // A store that takes nothing is asked again with the next beat.
    if (outcome !== 'failed') this.#parts.again();
  }

  async #take(slots: readonly Slot[]): Promise<CommitResult['outcome']> {
    const { node } = this.#parts;
    const claims = slots.map((slot) => ({
      slot,
      before: slot.row ?? null,
      grant: encodeGrant({ epoch: (slot.row === undefined ? 0 : decodeGrant(slot.row).epoch) + 1, node }),
    }));
    const result = await this.#commit({
      checks: claims.map(({ slot, before }) => ({ key: grantKey(slot.shard), value: before })),
      writes: claims.map(({ slot, grant }) => ({ key: grantKey(slot.shard), value: grant })),
    });
    // Of one whose answer is not known another look finds a grant that names this node, and takes it anew.
    if (result.outcome !== 'committed' || this.#ended) return result.outcome;
    for (const { slot, grant } of claims) {
      assert(slot.phase === 'closed', 'a shard is taken while it is closed');
      Object.assign(slot, { phase: 'opening', grant });
      this.#wrote(slot, grant);
    }
    await this.#open(claims.map(({ slot, grant }) => ({ slot, grant })));
    return 'committed';
  }

  #wrote(slot: Slot, row: Uint8Array): void {
    this.#clock += 1;
    Object.assign(slot, { row, changed: this.#clock });
  }

  async #open(taken: readonly { readonly slot: Slot; readonly grant: Uint8Array }[]): Promise<void> {
    const { recovery, log, tellings = AT_ONCE } = this.#parts;
    const mine = ({ slot, grant }: (typeof taken)[number]): boolean => slot.grant === grant && slot.phase === 'opening';
    const left = await recovery.read(
      taken.map(({ slot }) => slot.shard),
      () => taken.some(mine),
    );
    for (const one of taken.filter(mine)) {
      const { slot, grant } = one;
      const { news, more } = left.get(slot.shard) ?? NOTHING_LEFT;
      slot.untold = new Untold(tellings, news, more);
      log.take(slot.shard, grant, slot.untold);
      slot.phase = 'open';
      this.#stats.taken += 1;
      this.#set(slot, this.#mine);
    }
    for (const { slot } of taken) {
      const found = left.get(slot.shard);
      if (found !== undefined && slot.phase === 'open') recovery.tell(slot.shard, found);
    }
  }

  // ---- what is meant for others ----

  #offer(slot: Slot, target: string | undefined): void {
    const { node, observer, world, pace } = this.#parts;
    if (slot.phase !== 'open' || target === undefined || target === node) return;
    if (this.#moves >= LIMITS.handOvers) return;
    if (!(pace?.hurry() === true || observer.rested(target, world.now())) || pace?.shard() === false) return;
    this.#moves += 1;
    void this.#handOver(slot, target);
  }

  async #handOver(slot: Slot, target: string): Promise<void> {
    const { log, close, observer, hint, again, world } = this.#parts;
    const grant = slot.grant!;
    slot.phase = 'moving';
    this.#set(slot, null);
    const sealed = log.seal(slot.shard);
    await close(slot.shard);
    const kept = (await sealed) && slot.grant === grant;
    let given: Uint8Array | null = null;
    if (kept && observer.member(target) !== undefined && !this.#ended) given = await this.#give(slot, grant, target);
    else if (kept) this.#reopen(slot, grant);
    if (slot.phase === 'moving') slot.phase = 'closed';
    if (given !== null) hint(target);
    const waits = (): boolean => given !== null && slot.row !== undefined && equalBytes(slot.row, given);
    // A few at a time: where the target, or the store, takes its time, no more shards stand between two nodes than these.
    do {
      again();
      await new Promise<void>((resolve) => world.timer(LIMITS.handOverMs, resolve));
    } while (waits() && observer.member(target) !== undefined && !this.#ended);
    this.#moves -= 1;
    again();
  }

  /** What was written; null: the shard stays, or is another's. */
  async #give(slot: Slot, grant: Uint8Array, target: string): Promise<Uint8Array | null> {
    const { shard } = slot;
    const given = encodeGrant({ epoch: decodeGrant(grant).epoch + 1, node: target });
    const result = await this.#commit({
      checks: [{ key: grantKey(shard), value: grant }],
      writes: [{ key: grantKey(shard), value: given }],
    });
    if (slot.grant !== grant || this.#ended) return null;
    if (result.outcome === 'committed') {
      this.#stats.moves += 1;
      Object.assign(slot, { grant: null, untold: null, phase: 'closed' });
      this.#wrote(slot, given);
      this.#set(slot, { node: target, mine: false });
      return given;
    }
    if (result.outcome === 'conflict') this.#lose(slot);
    // Where it is not known, it goes on being this node's until the grant says otherwise, and appends find that out.
    else this.#reopen(slot, grant);
    return null;
  }

  /** It stays, with what is not told for sure. */
  #reopen(slot: Slot, grant: Uint8Array): void {
    if (this.#ended) return;
    this.#parts.log.take(slot.shard, grant, slot.untold);
    slot.phase = 'open';
    this.#set(slot, this.#mine);
  }

  async #commit(commit: Parameters<Store['commit']>[0]): Promise<CommitResult> {
    try {
      return await this.#parts.store.commit(commit);
    } catch (error) {
      return { outcome: 'unknown', reason: String(error) };
    }
  }
}
