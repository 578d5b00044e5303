// Owns who waits for an entry of a chat, and how they are answered.
// Invariant: a waiter is answered once, by the chat that took its message or by its own connection when that chat broke off.
// Must not: decide what the answer is.

import type { Plain } from '../transport/frames.js';
import { type Code, refuse } from './errors.js';
import type { ChatMessage, ConnectionRef, SendMessage } from './messages.js';

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

export function decline(waiter: Waiter, code: Code, detail: string, after?: number): void {
  const refusal = refuse(code, detail, after);
  if (waiter.type === 'send') waiter.connection.tell({ type: 'failed', n: waiter.n, ...refusal });
  else waiter.connection.tell({ type: 'refused', r: waiter.r, ...refusal });
}
