// Owns which chats one connection's client has open, and how fast it may open more.
// Invariant: at most LIMITS.watches chats are open, the oldest closes for a new one; the last word on each chat is the one
// that comes into force. Opening costs the chat's members work, so it is paced: what comes too fast waits, and counts once.
// Must not: know what is told of the members (onlookers.ts).

import type { Delivery } from './behaviour.js';
import type { Connection, ConnectionContext } from './connection.js';
import { LIMITS } from './limits.js';

export class Watching {
  readonly #connection: Connection;
  /** Keys of the chats, oldest first, those that wait included. */
  readonly #open = new Set<string>();
  readonly #waiting = new Set<string>();
  #allowed: number = LIMITS.watchBurst;
  #ticking = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The client opens or closes the chat. */
  set(chat: string, on: boolean, context: ConnectionContext): void {
    if (!on) return this.#close(chat, context);
    this.#open.delete(chat);
    if (this.#open.size >= LIMITS.watches) this.#close(this.#open.values().next().value!, context);
    this.#open.add(chat);
    this.#waiting.add(chat);
    this.#step(context);
  }

  /** Whoever keeps the list of what is open may be another node by now: all of it is said again. */
  again(context: ConnectionContext): void {
    for (const chat of this.#open) this.#waiting.add(chat);
    this.#step(context);
  }

  #close(chat: string, context: ConnectionContext): void {
    this.#waiting.delete(chat);
    if (this.#open.delete(chat)) this.#tell(chat, false, context);
  }

  /** Some time is over. */
  due(context: ConnectionContext): void {
    this.#ticking = false;
    this.#allowed = Math.min(LIMITS.watchBurst, this.#allowed + 1);
    this.#step(context);
  }

  #step(context: ConnectionContext): void {
    for (const chat of [...this.#waiting]) {
      if (this.#allowed === 0) break;
      this.#allowed -= 1;
      this.#waiting.delete(chat);
      // A chat that rests after a crash takes nothing: behind the others, it is told again.
      if (this.#tell(chat, true, context) !== 'ok') this.#waiting.add(chat);
    }
    if (this.#ticking || this.#allowed === LIMITS.watchBurst) return;
    this.#ticking = true;
    context.after(LIMITS.watchPaceMs, { type: 'watch' });
  }

  /** By way of the chat also where it closes: what it was told before that comes first. */
  #tell(chat: string, on: boolean, context: ConnectionContext): Delivery {
    const { fabric, login } = this.#connection;
    return fabric.chats.tell(chat, { type: 'watch', user: login.user, connection: context.self, on });
  }
}
