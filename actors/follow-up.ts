// Owns what a connection tells its chats: where its client is, after a SYNC also that it wants their receipts; and again what a
// chat could not take, as it rests after a crash, or may have lost by it.
// Invariant: paced. Each chat that is told may have to be read from the store first, and answers with as many receipts as it
// has members: all of them at once would stop the node and overrun their own user's mailbox, so that all would have to be
// asked again, without end. It counts for what it costs, and waits where the client has used much, so its own messages do
// not wait for it. What is said of a chat goes on top of what still waits.
// Must not: read the store, or promise anything: with the connection it ends, and the next SYNC says it again.

import { chatFromKey } from '../storage/keys.js';
import { CHAT_KIND } from '../transport/frames.js';
import type { Delivery } from './behaviour.js';
import type { Owed } from './certificate.js';
import type { Connection, ConnectionContext } from './connection.js';
import { LIMITS } from './limits.js';

type News = NonNullable<Owed['news']>;

/** What a chat costs of which only the key is known. */
const UNKNOWN = { kind: CHAT_KIND.direct, large: false } as const;

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
    for (const one of owed) this.#wait(one);
    if (!this.#ticking) this.#step(context);
  }

  /** Where the client is in a chat, by its own word. */
  tell(key: string, news: News, context: ConnectionContext): void {
    if (this.#claim(key, news, context) !== 'ok') this.again(key, news, false, context);
  }

  /** The chat could not take what it was told, or lost it: nothing would say it again before the next SYNC. */
  again(key: string, news: Owed['news'], wantsReceipts: boolean, context: ConnectionContext): void {
    const { kind, large } = this.#waiting?.get(key) ?? UNKNOWN;
    this.#wait({ key, kind, large, news, wantsReceipts });
    if (!this.#ticking) this.#tick(LIMITS.retryMs, context);
  }

  /** The chat's receipts did not get through. */
  unpassed(key: string, large: boolean, context: ConnectionContext): void {
    // The id says the kind.
    const kind = chatFromKey(key)[0]!;
    this.#wait({ key, kind, large, news: null, wantsReceipts: true });
    if (!this.#ticking) this.#tick(LIMITS.retryMs, context);
  }

  #wait(one: Owed): void {
    this.#waiting ??= new Map();
    const known = this.#waiting.get(one.key);
    const wantsReceipts = one.wantsReceipts || known?.wantsReceipts === true;
    // No user has more chats.
    if (this.#waiting.size >= LIMITS.userChats) this.#waiting.delete(this.#waiting.keys().next().value!);
    this.#waiting.set(one.key, { ...one, news: further(one.news, known?.news ?? null), wantsReceipts });
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
    let ms: number = LIMITS.givenUpMs;
    for (const [key, one] of waiting) {
      if (this.#room <= 0 || meter.much) break;
      waiting.delete(key);
      const told = this.#tell(one, context);
      if (told !== 'ok') {
        // No work of the client's: it does not count.
        resting.push(one);
        if (told === 'busy') ms = LIMITS.retryMs;
        continue;
      }
      const cost = costOf(one);
      this.#room -= cost;
      meter.caused(cost);
    }
    const all = waiting.size === 0;
    for (const one of resting) waiting.set(one.key, one);
    this.#tick(all && resting.length > 0 ? ms : LIMITS.followMs, context);
  }

  #tick(ms: number, context: ConnectionContext): void {
    this.#ticking = true;
    context.after(ms, { type: 'follow' });
  }

  /** `busy`: it must be told later; `dead`: the chat was given up, and is taken up again much later. */
  #tell({ key, news, wantsReceipts }: Owed, context: ConnectionContext): Delivery {
    const told = news === null ? 'ok' : this.#claim(key, news, context);
    return told !== 'ok' || !wantsReceipts ? told : this.#ask(key, context);
  }

  #claim(key: string, news: News, context: ConnectionContext): Delivery {
    const { fabric, login, awaited } = this.#connection;
    const { user, device } = login;
    const told = fabric.chats.tell(key, { type: 'cursor', user, device, ...news });
    if (told === 'ok') awaited.claim(key, news, fabric.chats, context);
    return told;
  }

  #ask(key: string, context: ConnectionContext): Delivery {
    const { fabric, login, awaited } = this.#connection;
    const told = fabric.chats.tell(key, { type: 'receipts', user: login.user, connection: context.self });
    if (told === 'ok') awaited.receipts(key, fabric.chats, context);
    return told;
  }
}

function further(one: Owed['news'], other: Owed['news']): Owed['news'] {
  if (one === null || other === null) return one ?? other;
  return { delivered: Math.max(one.delivered, other.delivered), read: Math.max(one.read, other.read) };
}

/** By how many members' rows are read when the chat wakes. */
function costOf({ kind, large }: Owed): number {
  if (kind === CHAT_KIND.direct) return 1;
  return large ? LIMITS.followLarge : LIMITS.followGroup;
}
