// Owns who waits for an entry of a chat, and how they are answered.
// Invariant: a waiter is answered once, by the chat that took its message or by its own connection when that chat broke off.
// Must not: decide what the answer is.

import { JOINED, type Plain } from '../transport/frames.js';
import type { Chat } from './chat.js';
import { type Code, refuse } from './errors.js';
import { LIMITS } from './limits.js';
import type { ChatMessage, ConnectionRef, SendMessage } from './messages.js';

export type RequestMessage = Extract<ChatMessage, { type: 'create' | 'change' | 'join' }>;
/** What gets a number, once for its id. */
export type EntryMessage = SendMessage | RequestMessage;

/** A SEND by its number, or a request. */
export type Waiter =
  | { readonly type: 'send'; readonly connection: ConnectionRef; readonly n: number }
  | {
      readonly type: 'request';
      readonly connection: ConnectionRef;
      readonly r: number;
      /** Fields of the OK. */
      readonly results: (seq: number) => readonly Plain[];
    };

/** `chat`: as it stands when the answer is given. */
export function waiterOf(message: EntryMessage, chat: Chat): Waiter {
  if (message.type === 'send') return { type: 'send', connection: message.connection, n: message.n };
  const { user, connection, r } = message.asker;
  const results = (seq: number): readonly Plain[] => {
    if (message.type === 'change') return [seq];
    return message.type === 'create' ? [chat.id, seq] : [chat.id, seq, joinedAs(chat, user)];
  };
  return { type: 'request', connection, r, results };
}

/** Only what is durable is told: who was approved is a member once that is. A late retry may find that it is all over. */
function joinedAs({ roster, sequencer }: Chat, user: string): number {
  if (roster === null || sequencer === null) return JOINED.none;
  const present = roster.members.has(user);
  if (roster.audience.has(user) || (present && !sequencer.changing)) return JOINED.member;
  return present || roster.row.waiting.includes(user) ? JOINED.waiting : JOINED.none;
}

/** `members`: how many are told of the entry, if it is a new one. */
export function settle(waiter: Waiter, seq: number, members = 0): void {
  if (waiter.type === 'send') waiter.connection.tell({ type: 'sent', n: waiter.n, seq, members, count: 1 });
  else waiter.connection.tell({ type: 'answer', r: waiter.r, results: waiter.results(seq), members });
}

export function decline(waiter: Waiter, code: Code, detail: string, after?: number): void {
  const refusal = refuse(code, detail, after);
  if (waiter.type === 'send') waiter.connection.tell({ type: 'failed', n: waiter.n, ...refusal });
  else waiter.connection.tell({ type: 'refused', r: waiter.r, ...refusal });
}

/** Answers to the entries of one append: those that one connection sent one after the other are answered together. */
export class Answers {
  #connection: ConnectionRef | null = null;
  #n = 0;
  #seq = 0;
  #members = 0;
  #count = 0;

  /** As `settle`, but for a SEND that may be answered with the next. `flush` follows. */
  settle(waiter: Waiter, seq: number, members: number): void {
    if (waiter.type !== 'send') {
      this.flush();
      return settle(waiter, seq, members);
    }
    const count = this.#count;
    const follows = waiter.n === this.#n + count && seq === this.#seq + count && members === this.#members;
    if (count > 0 && count < LIMITS.window && follows && waiter.connection === this.#connection) {
      this.#count += 1;
      return;
    }
    this.flush();
    this.#connection = waiter.connection;
    this.#n = waiter.n;
    this.#seq = seq;
    this.#members = members;
    this.#count = 1;
  }

  flush(): void {
    const connection = this.#connection;
    if (connection === null) return;
    this.#connection = null;
    const count = this.#count;
    this.#count = 0;
    connection.tell({ type: 'sent', n: this.#n, seq: this.#seq, members: this.#members, count });
  }
}
