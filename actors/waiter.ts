// Owns who waits for an entry of a chat, and how they are answered.
// Invariant: a waiter is answered once, by the chat that took its message or by its own connection when that chat broke off.
// Must not: decide what the answer is.

import type { Plain } from '../transport/frames.js';
import type { Code } from './errors.js';
import type { Asker, ChatMessage, ConnectionRef, SendMessage } from './messages.js';
import type { Roster } from './roster.js';

export type RequestMessage = Extract<ChatMessage, { type: 'create' | 'change' }>;
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

export function waiterOf(message: EntryMessage, chat: Uint8Array): Waiter {
  if (message.type === 'send') return { type: 'send', connection: message.connection, n: message.n };
  const { connection, r } = message.asker;
  const results = (seq: number): readonly Plain[] => (message.type === 'create' ? [chat, seq] : [seq]);
  return { type: 'request', connection, r, results };
}

export function settle(waiter: Waiter, seq: number): void {
  if (waiter.type === 'send') waiter.connection.tell({ type: 'sent', n: waiter.n, seq });
  else waiter.connection.tell({ type: 'answer', r: waiter.r, results: waiter.results(seq) });
}

export function decline(waiter: Waiter, code: Code, detail: string): void {
  if (waiter.type === 'send') waiter.connection.tell({ type: 'failed', n: waiter.n, code, detail });
  else waiter.connection.tell({ type: 'refused', r: waiter.r, code, detail });
}

/** Answers INFO, of what is durable. `head`: null while the chat cannot be read. */
export function inform(asker: Asker, head: number | null, roster: Roster | null): void {
  const { user, connection, r } = asker;
  if (head === null) refuseInfo(asker, 'unavailable', 'the chat cannot be read now');
  else if (roster?.members.has(user) !== true) {
    refuseInfo(asker, 'unknown_chat', 'no such chat, or you are not in it');
  } else connection.tell({ type: 'answer', r, results: roster.describe(user, head) });
}

export function refuseInfo({ connection, r }: Asker, code: Code, detail: string): void {
  connection.tell({ type: 'refused', r, code, detail });
}
