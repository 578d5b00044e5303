// Owns what a connection tells its chats after a SYNC: where its client is, and that it wants their receipts.
// Invariant: paced. Each chat that is told may have to be read from the store first, and answers with as many receipts as it
// has members: all of them at once would stop the node and overrun their own user's mailbox, whose client would then have
// to ask for all of it again, without end. It counts for what it costs, and waits where the client has used much, so its own
// messages do not wait for it. What a later SYNC says of a chat takes the place of what still waits.
// Must not: read the store, or promise anything: with the connection it ends, and the next SYNC says it again.

import { CHAT_KIND } from '../transport/frames.js';
import type { Owed } from './certificate.js';
import type { Connection, ConnectionContext } from './connection.js';
import { LIMITS } from './limits.js';

export class FollowUp {
  readonly #connection: Connection;
  readonly #waiting = new Map<string, Owed>();
  /** What may be told before the next step; below 0: the last one was dear. */
  #room: number = LIMITS.followRoom;
  #ticking = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  add(owed: readonly Owed[], context: ConnectionContext): void {
    for (const one of owed) this.#waiting.set(one.key, one);
    if (!this.#ticking) this.#step(context);
  }

  /** Some time is over. */
  due(context: ConnectionContext): void {
    this.#ticking = false;
    this.#room = Math.min(LIMITS.followRoom, this.#room + LIMITS.followRoom);
    if (this.#room < LIMITS.followRoom || this.#waiting.size > 0) this.#step(context);
  }

  #step(context: ConnectionContext): void {
    const { meter } = this.#connection;
    for (const [key, one] of this.#waiting) {
      if (this.#room <= 0 || meter.much) break;
      const cost = costOf(one);
      this.#room -= cost;
      meter.caused(cost);
      this.#waiting.delete(key);
      this.#tell(one, context);
    }
    this.#ticking = true;
    context.after(LIMITS.followMs, { type: 'follow' });
  }

  #tell({ key, news, wantsReceipts }: Owed, context: ConnectionContext): void {
    const { fabric, login } = this.#connection;
    const { user, device } = login;
    if (news !== null) fabric.chats.tell(key, { type: 'cursor', user, device, ...news });
    if (wantsReceipts) fabric.chats.tell(key, { type: 'receipts', user, connection: context.self });
  }
}

/** By how many members' rows are read when the chat wakes. */
function costOf({ kind, large }: Owed): number {
  if (kind === CHAT_KIND.direct) return 1;
  return large ? LIMITS.followLarge : LIMITS.followGroup;
}
