// Owns who is typing in a chat, and the end of it.
// Invariant: whoever was told that somebody types is told when that is over: the typist says so, sends, loses the connection
// or falls silent. The members are told that one types at most once in LIMITS.typingPaceMs. At most one record a member of
// a small chat.
// Must not: touch the store, or know how members are told (fan-out.ts).

import type { ChatContext } from './chat-rules.js';
import type { FanOut } from './fan-out.js';
import { LIMITS } from './limits.js';
import type { ChatMessage, ConnectionRef } from './messages.js';
import type { Roster } from './roster.js';

type TypingMessage = Extract<ChatMessage, { type: 'typing' }>;

interface Typist {
  connection: ConnectionRef;
  monitor: number;
  /** What the client said last. */
  on: boolean;
  /** What the members were told last. */
  shown: boolean;
  /** Monotonic ms: when the members were told last that the user types, and until when that counts. */
  told: number;
  until: number;
}

export class Typists {
  readonly #fanOut: FanOut;
  readonly #typists = new Map<string, Typist>();
  #ticking = false;

  constructor(fanOut: FanOut) {
    this.#fanOut = fanOut;
  }

  get none(): boolean {
    return this.#typists.size === 0;
  }

  /** A member's client says that its user types, or does not any more. Large groups hear nothing of either. */
  said({ user, connection, on }: TypingMessage, roster: Roster, context: ChatContext): void {
    if (roster.large) return;
    const typist = this.#typists.get(user) ?? this.#open(user, connection, on, context);
    if (typist === null) return;
    if (typist.connection !== connection) {
      context.demonitor(typist.monitor);
      typist.connection = connection;
      typist.monitor = context.monitor(connection);
    }
    typist.on = on;
    typist.until = context.now() + LIMITS.typingMs;
    this.#show(user, typist, roster, context);
    this.#tick(context);
  }

  #open(user: string, connection: ConnectionRef, on: boolean, context: ChatContext): Typist | null {
    if (!on) return null;
    const monitor = context.monitor(connection);
    const typist = { connection, monitor, on, shown: false, told: Number.NEGATIVE_INFINITY, until: 0 };
    this.#typists.set(user, typist);
    return typist;
  }

  /** Tells the members what they do not know yet; a repeat too, which says that it goes on. */
  #show(user: string, typist: Typist, roster: Roster, context: ChatContext): void {
    if (!typist.on && !typist.shown) return;
    if (typist.on) {
      // The end is told at once: it cannot come more often than the beginning.
      if (context.now() - typist.told < LIMITS.typingPaceMs) return;
      typist.told = context.now();
    }
    typist.shown = typist.on;
    this.#fanOut.typing(user, typist.on, roster);
  }

  /** The user sent a message, or left the chat. */
  over(user: string, roster: Roster, context: ChatContext): void {
    const typist = this.#typists.get(user);
    if (typist === undefined) return;
    typist.on = false;
    this.#show(user, typist, roster, context);
  }

  /** A monitored connection ended. `roster`: null while the chat is read again. */
  ended(connection: unknown, roster: Roster | null, context: ChatContext): void {
    for (const [user, typist] of this.#typists) {
      if (typist.connection !== connection) continue;
      if (roster !== null) this.over(user, roster, context);
      this.#typists.delete(user);
    }
  }

  /** The time of a tick is over. */
  due(roster: Roster | null, context: ChatContext): void {
    this.#ticking = false;
    for (const [user, typist] of this.#typists) {
      if (typist.until <= context.now() || roster?.audience.has(user) !== true) typist.on = false;
      // While the chat is read again nobody can be told; clients take it for over by themselves then.
      if (roster !== null && typist.on !== typist.shown) this.#show(user, typist, roster, context);
      if (typist.on || context.now() - typist.told < LIMITS.typingPaceMs) continue;
      context.demonitor(typist.monitor);
      this.#typists.delete(user);
    }
    this.#tick(context);
  }

  #tick(context: ChatContext): void {
    if (this.#ticking || this.none) return;
    this.#ticking = true;
    context.after(LIMITS.typingPaceMs, { type: 'typing' });
  }
}
