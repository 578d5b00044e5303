// Owns what is told to a peer that speaks an earlier version of the link protocol, in place of what it would misread.
// Invariant: what it is told means the same, in the same order.
// Must not: agree on versions (versions.ts), or outlive the low end of what this build speaks.

import type { ChatMessage, ConnectionMessage, UserMessage } from '../actors/messages.js';

/** From this one on a delivery has several entries, and one answer stands for several SENDs. */
const RUNS = 2;

/** Null: a frame without one. */
type Message = ChatMessage | ConnectionMessage | UserMessage | null;

/** What waits for a peer that speaks `version`: as it is, or with parts in place of what it would misread. */
export function spoken<E extends { readonly message: Message }>(entries: E[], version: number): E[] {
  if (version >= RUNS) return entries;
  return entries.flatMap((entry) => partsOf(entry.message, entry));
}

function partsOf<E>(message: Message, entry: E): E[] {
  if (message?.type === 'delivery') {
    return message.entries.map((told, at) => {
      return { ...entry, message: { ...message, entries: [told], seq: message.seq + at } };
    });
  }
  if (message?.type !== 'sent') return [entry];
  return Array.from({ length: message.count }, (_, at) => {
    return { ...entry, message: { ...message, n: message.n + at, seq: message.seq + at, count: 1 } };
  });
}
