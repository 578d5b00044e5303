// Owns what this node may have missed of the words of users' actors, and of chats': by shard, how often they had another owner or were
// out of reach.
// Invariant: a number that was answered before is answered again only where nothing of those users can have been lost in between.
// Must not: make good what was lost (who asks does, and presence-shards.ts).

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import type { Placement } from '../cluster/placement.js';
import { UserShards } from '../cluster/shards.js';

export class Hearing {
  readonly #world: World;
  readonly #placement: Placement;
  readonly #reaches: (node: string) => boolean;
  readonly #told: (shards: ReadonlySet<number>) => void;
  readonly #losses = new Array<number>(LIMITS.shards).fill(0);
  readonly #shards = new UserShards();
  #lost = new Set<number>();

  /** `told`: once for what happens in one turn. */
  constructor(
    world: World,
    placement: Placement,
    reaches: (node: string) => boolean,
    told: (shards: ReadonlySet<number>) => void,
  ) {
    this.#world = world;
    this.#placement = placement;
    this.#reaches = reaches;
    this.#told = told;
    placement.subscribe((shard, owner) => owner !== null && this.#lose(shard));
  }

  /** As Fabric.heard. */
  of(users: readonly string[]): number {
    let losses = 0;
    for (const user of users) {
      const shard = this.#shards.of(user);
      const owner = this.#placement.owner(shard);
      if (owner === null || (!owner.mine && !this.#reaches(owner.node))) return -1;
      losses += this.#losses[shard]!;
    }
    return losses;
  }

  /** The link with that node broke. */
  unlinked(node: string): void {
    for (let shard = 0; shard < LIMITS.shards; shard += 1) {
      if (this.#placement.owner(shard)?.node === node) this.#lose(shard);
    }
  }

  #lose(shard: number): void {
    this.#losses[shard]! += 1;
    this.#lost.add(shard);
    if (this.#lost.size > 1) return;
    this.#world.defer(() => {
      const shards = this.#lost;
      this.#lost = new Set();
      this.#told(shards);
    });
  }
}
