// Owns what is to be made good of news that were lost: shards of users, and how the shard's owner is told to have their clients say
// where they stand.
// Invariant: a shard stays until its users are told here, or the session with its owner has taken the duty on; it bears the mark of the
// first that may be lost, so that this counts as not arrived until then, not until it is known.
// Must not: know what the news were: the log has them.
//
//   lost ──▶ [ shard 7 since 412 ] ── the owner is known, its link up ──▶ resync 7 ──▶ its users, a few at a time
//                     ▲                                                      │
//                     └──────────── not mine ────────── link broke ──────────┘

import { LIMITS } from '../actors/limits.js';
import type { UserMessage } from '../actors/messages.js';
import type { World } from '../actors/world.js';
import { OP } from './envelope.js';
import type { Peer } from './peer.js';
import type { Placement } from './placement.js';
import type { Local } from './router.js';

export interface MissedNewsParts {
  readonly world: World;
  readonly placement: Placement;
  readonly users: Local<UserMessage>;
  peerOf(node: string): Peer | undefined;
  /** The router's. */
  count(): number;
  shardOf(user: string): number;
}

export class MissedNews {
  /** Times that a shard's news were lost. */
  losses = 0;
  readonly #parts: MissedNewsParts;
  /** By shard, the mark of the first that may be lost. */
  readonly #shards = new Map<number, number>();
  /** Users here who have to be told to resync. */
  #behind: string[] = [];
  #pacing = false;
  #trying = false;

  constructor(parts: MissedNewsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#shards.size;
  }

  /** The lowest mark of all; infinite: nothing is missed. */
  get least(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const since of this.#shards.values()) least = Math.min(least, since);
    return least;
  }

  /** `since`: where they were told before now. */
  add(shard: number, since: number | null = null): void {
    if (this.#note(shard, since)) return;
    this.losses += 1;
    this.try();
  }

  /** Whoever was told to make them good is not the owner. Not at once again: it may be so in the eyes of this node for a while. */
  keep(shard: number, since: number | null): void {
    this.#note(shard, since);
    this.#parts.world.timer(LIMITS.retryMs, () => this.try());
  }

  /** True: it was known. */
  #note(shard: number, since: number | null): boolean {
    const known = this.#shards.get(shard);
    this.#shards.set(shard, Math.min(known ?? Number.POSITIVE_INFINITY, since ?? this.#parts.count()));
    return known !== undefined;
  }

  /** In a turn of its own: whoever lost something is in the middle of it. */
  try(): void {
    if (this.#trying || this.#shards.size === 0) return;
    this.#trying = true;
    this.#parts.world.defer(() => {
      this.#trying = false;
      this.#makeGood();
    });
  }

  /** What stays is tried again when its owner is known, or its link up, or has room. */
  #makeGood(): void {
    const { placement, users, peerOf, shardOf } = this.#parts;
    const own = new Set<number>();
    for (const [shard, since] of [...this.#shards]) {
      const owner = placement.owner(shard);
      if (owner === null) continue;
      if (owner.mine) own.add(shard);
      else {
        const peer = peerOf(owner.node);
        if (peer === undefined || peer.out.full) continue;
        peer.out.control(OP.resync, shard);
        peer.out.news(shard, since);
      }
      this.#shards.delete(shard);
    }
    if (own.size === 0) return;
    for (const [user] of users.entries()) if (own.has(shardOf(user))) this.#behind.push(user);
    this.#pace();
  }

  /** Each of them has its clients ask for their chats: not all at once. */
  #pace(): void {
    if (this.#pacing) return;
    const { users, world } = this.#parts;
    for (const user of this.#behind.splice(0, LIMITS.resyncUsers)) users.lookup(user)?.tell({ type: 'resync' });
    if (this.#behind.length === 0) return;
    this.#pacing = true;
    world.timer(LIMITS.resyncMs, () => {
      this.#pacing = false;
      this.#pace();
    });
  }
}
