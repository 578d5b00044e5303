// Owns what a connection tells its chats after a SYNC: where its client is, and that it wants their receipts; and again what a
// chat could not take, as it rests after a crash.
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
  /** Null while nothing has had to wait: most connections are idle. */
  #waiting: Map<string, Owed> | null = null;
  /** What may be told before the next step; below 0: the last one was dear. */
  #room: number = LIMITS.followRoom;
  #ticking = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  add(owed: readonly Owed[], context: ConnectionContext): void {
    this.#waiting ??= new Map();
    for (const one of owed) this.#waiting.set(one.key, one);
    if (!this.#ticking) this.#step(context);
  }

  /** The chat could not take the client's position: nothing would say it again before the next SYNC. */
  again(key: string, { delivered, read }: NonNullable<Owed['news']>, context: ConnectionContext): void {
    this.#waiting ??= new Map();
    const known = this.#waiting.get(key);
    const { kind = CHAT_KIND.direct, large = false, news = null, wantsReceipts = false } = known ?? {};
    this.#waiting.set(key, {
      key,
      kind,
      large,
      news: { delivered: Math.max(delivered, news?.delivered ?? 0), read: Math.max(read, news?.read ?? 0) },
      wantsReceipts,
    });
    if (!this.#ticking) this.#tick(LIMITS.retryMs, context);
  }

  /** Some time is over. */
  due(context: ConnectionContext): void {
    this.#ticking = false;
    this.#room = Math.min(LIMITS.followRoom, this.#room + LIMITS.followRoom);
    if (this.#room < LIMITS.followRoom || (this.#waiting?.size ?? 0) > 0) this.#step(context);
  }

  #step(context: ConnectionContext): void {
    const { meter } = this.#connection;
    const waiting = this.#waiting ?? new Map<string, Owed>();
    const resting: Owed[] = [];
    for (const [key, one] of waiting) {
      if (this.#room <= 0 || meter.much) break;
      waiting.delete(key);
      if (!this.#tell(one, context)) {
        // No work of the client's: it does not count.
        resting.push(one);
        continue;
      }
      const cost = costOf(one);
      this.#room -= cost;
      meter.caused(cost);
    }
    const all = waiting.size === 0;
    for (const one of resting) waiting.set(one.key, one);
    this.#tick(all && resting.length > 0 ? LIMITS.retryMs : LIMITS.followMs, context);
  }

  #tick(ms: number, context: ConnectionContext): void {
    this.#ticking = true;
    context.after(ms, { type: 'follow' });
  }

  /** False: it must be told later. A chat that is given up (`dead`) is told nothing more. */
  #tell({ key, news, wantsReceipts }: Owed, context: ConnectionContext): boolean {
    const { fabric, login } = this.#connection;
    const { user, device } = login;
    if (news !== null && fabric.chats.tell(key, { type: 'cursor', user, device, ...news }) === 'busy') return false;
    return !wantsReceipts || fabric.chats.tell(key, { type: 'receipts', user, connection: context.self }) !== 'busy';
  }
}

/** By how many members' rows are read when the chat wakes. */
function costOf({ kind, large }: Owed): number {
  if (kind === CHAT_KIND.direct) return 1;
  return large ? LIMITS.followLarge : LIMITS.followGroup;
}
