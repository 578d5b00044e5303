// Owns which chats one connection's client has open, and how fast it may open more.
// Invariant: at most LIMITS.watches chats are open, the oldest closes for a new one; the last word on each chat is the one
// that comes into force. Opening costs the chat's members work, so it is paced: what comes too fast waits, and counts once.
// Opening that did not reach the chat or all of its members is said again, ever later, as long as the chat is open.
// Must not: know what is told of the members (onlookers.ts).

import type { Delivery } from './behaviour.js';
import type { Connection, ConnectionContext } from './connection.js';
import { LIMITS } from './limits.js';

export class Watching {
  readonly #connection: Connection;
  /** Keys of the chats, oldest first, those that wait included. */
  readonly #open = new Set<string>();
  readonly #waiting = new Set<string>();
  /** Those that were not heard by all, ticks until they wait again, and ticks that passed. */
  readonly #unheard = new Set<string>();
  #patience = 1;
  #passed = 0;
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
    this.#patience = 1;
    for (const chat of this.#open) this.#waiting.add(chat);
    this.#step(context);
  }

  /** The chat, or one of its members, was on its way to another node, or could not be reached. */
  unheard(chat: string, context: ConnectionContext): void {
    if (!this.#open.has(chat)) return;
    this.#unheard.add(chat);
    this.#tick(context);
  }

  #close(chat: string, context: ConnectionContext): void {
    this.#waiting.delete(chat);
    this.#unheard.delete(chat);
    if (this.#open.delete(chat)) this.#tell(chat, false, context);
  }

  /** Some time is over. */
  due(context: ConnectionContext): void {
    this.#ticking = false;
    this.#allowed = Math.min(LIMITS.watchBurst, this.#allowed + 1);
    this.#passed = this.#unheard.size === 0 ? 0 : this.#passed + 1;
    if (this.#passed >= this.#patience) {
      for (const chat of this.#unheard) this.#waiting.add(chat);
      this.#passed = 0;
      this.#patience = Math.min(LIMITS.watchPatience, 2 * this.#patience);
    }
    this.#step(context);
  }

  #step(context: ConnectionContext): void {
    for (const chat of [...this.#waiting]) {
      if (this.#allowed === 0) break;
      this.#allowed -= 1;
      this.#waiting.delete(chat);
      this.#unheard.delete(chat);
      // A chat that rests after a crash takes nothing: behind the others, it is told again.
      if (this.#tell(chat, true, context) !== 'ok') this.#waiting.add(chat);
    }
    if (this.#allowed < LIMITS.watchBurst || this.#unheard.size > 0) this.#tick(context);
  }

  #tick(context: ConnectionContext): void {
    if (this.#ticking) return;
    this.#ticking = true;
    context.after(LIMITS.watchPaceMs, { type: 'watch' });
  }

  /** By way of the chat also where it closes: what it was told before that comes first. */
  #tell(chat: string, on: boolean, context: ConnectionContext): Delivery {
    const { fabric, login } = this.#connection;
    return fabric.chats.tell(chat, { type: 'watch', user: login.user, connection: context.self, on });
  }
}
