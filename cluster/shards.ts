// Owns the way from an actor's key to its shard.
// Invariant: the same as storage/keys.ts says of the ids behind the keys.
// Must not: know who owns a shard.

import { LIMITS } from '../actors/limits.js';
import { accountId, shardOf } from '../storage/keys.js';

/** Of a chat, by the hex of its id. Without making the id: it is asked for every message. */
export function shardOfChat(key: string): number {
  const high = (digit(key, 2) << 12) | (digit(key, 3) << 8);
  return (high | (digit(key, 4) << 4) | digit(key, 5)) % LIMITS.shards;
}

function digit(key: string, at: number): number {
  const unit = key.charCodeAt(at);
  return unit < 0x40 ? unit - 0x30 : unit - 0x57;
}

/** Of users: a hash, so those that were asked are remembered. */
export class UserShards {
  #known = new Map<string, number>();

  of(user: string): number {
    const known = this.#known.get(user);
    if (known !== undefined) return known;
    // All of them at once: who is in use is known again soon, and no order has to be kept.
    if (this.#known.size >= LIMITS.userShards) this.#known = new Map();
    const shard = shardOf(accountId(user));
    this.#known.set(user, shard);
    return shard;
  }
}
