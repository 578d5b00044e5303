// Owns what is told to a peer that speaks an earlier version of the link protocol, in place of what it would misread.
// Invariant: what it is told means the same, in the same order.
// Must not: agree on versions (versions.ts), or outlive the low end of what this build speaks.

import type { Delivery, SentMessage } from '../actors/messages.js';

/** From this one on a delivery has several entries, and one answer stands for several SENDs. */
const RUNS = 2;

type Message = { readonly type: string } | Delivery | SentMessage;

/** What is told in place of `message`; null: itself. */
export function inParts(message: Message, version: number): readonly Message[] | null {
  if (version >= RUNS) return null;
  if (message.type === 'delivery') {
    const { entries, seq } = message as Delivery;
    return entries.map((entry, at): Delivery => ({ ...(message as Delivery), entries: [entry], seq: seq + at }));
  }
  if (message.type !== 'sent') return null;
  const sent = message as SentMessage;
  return Array.from({ length: sent.count }, (_, at) => ({ ...sent, n: sent.n + at, seq: sent.seq + at, count: 1 }));
}
