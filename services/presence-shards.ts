// Owns what becomes of this node's share of presence when shards have another owner, or one is out of reach.
// Invariant: who watches by way of a chat is believed as long as the chat's owner, who said so, can say otherwise; what the table outside
// knows of a user is shown as long as the user's. Whatever is forgotten so is said anew, if it still holds.
// Must not: decide who owns a shard, or who may see whom.

import type { Fabric } from '../actors/fabric.js';
import { LIMITS } from '../actors/limits.js';
import type { UserMessage } from '../actors/messages.js';
import { shardOfChat, UserShards } from '../cluster/shards.js';
import type { Pool } from '../supervisors/pool.js';

type Known = Pick<Fabric, 'world' | 'online' | 'watches' | 'board'>;

export class PresenceShards {
  readonly #known: () => Known;
  readonly #users: Pick<Pool<UserMessage>, 'entries'>;
  readonly #shards = new UserShards();

  /** `users`: that have an actor here. */
  constructor(known: () => Known, users: Pick<Pool<UserMessage>, 'entries'>) {
    this.#known = known;
    this.#users = users;
  }

  /** What is known here of the shard's users will be another node's to know. */
  leaving(shard: number): void {
    const { board, online, watches } = this.#known();
    board?.leave(shard);
    for (const [user] of this.#users.entries()) if (this.#shards.of(user) === shard) online.delete(user);
    for (const user of watches.users()) if (this.#shards.of(user) === shard) watches.dismiss(user);
    for (const chat of watches.chats()) if (shardOfChat(chat) === shard) watches.forget(chat);
  }

  /** The shards have other owners, or the links with their owners broke: who left a chat, or was blocked, may not be heard of here. */
  lapsed(shards: ReadonlySet<number>): void {
    const { world } = this.#known();
    const steps = this.#lapse(shards);
    const some = (): void => {
      for (let looked = 0; looked < LIMITS.shardCells; looked += 1) if (steps.next().done === true) return;
      world.defer(some);
    };
    some();
  }

  *#lapse(shards: ReadonlySet<number>): Generator<void, void> {
    const { board, watches } = this.#known();
    yield* watches.lapse((chat) => shards.has(shardOfChat(chat)));
    for (const user of board?.readers.users() ?? []) {
      if (shards.has(this.#shards.of(user))) board?.readers.forget(user);
      yield;
    }
  }
}
