// Owns the node's list of who is online, for chats that are too large to tell it person by person.
// Invariant: one entry a user with a registered connection, made and taken back by that user's actor; bounded. Who lets
// nobody see whether he is online does not count.
// Must not: be what is told of a single user (presence.ts knows who may see that).

import { LIMITS } from './limits.js';

export class Online {
  /** All users there are have their actors on this node: what is counted is all there is. */
  readonly whole: boolean;
  /** Whether the user counts. */
  readonly #users = new Map<string, boolean>();

  constructor(whole = true) {
    this.whole = whole;
  }

  get size(): number {
    return this.#users.size;
  }

  /** Beyond the bound users are not counted. */
  add(user: string, counts: boolean): void {
    if (this.#users.size < LIMITS.poolCells || this.#users.has(user)) this.#users.set(user, counts);
  }

  delete(user: string): void {
    this.#users.delete(user);
  }

  /** How many of them are online. */
  count(users: Iterable<string>): number {
    let count = 0;
    for (const user of users) if (this.#users.get(user) === true) count += 1;
    return count;
  }
}
