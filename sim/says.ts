// Owns one form for entries from all sources (SDK, frames, pages), so that the checker can hold them against each other.
// Invariant: by the table of events in docs/wire.md §5 and the words of docs/client.md; knows nothing of the product.
// Must not: judge.

import type { Entry, EventSays } from './record.js';
import type { WireEntry } from './sights.js';

const CHANGES: Readonly<Record<number, string>> = {
  1: 'created',
  2: 'added',
  3: 'removed',
  4: 'left',
  5: 'owner',
  6: 'role',
  7: 'title',
  8: 'avatar',
  9: 'announce',
  10: 'invite',
  11: 'asked',
  12: 'declined',
  13: 'expiry',
  14: 'deleted',
  15: 'erased',
  16: 'expired',
  17: 'joined',
};

/** An entry of a frame or page as an application would be shown it. */
export function entryOf({ seq, id, from, body, op, args }: WireEntry): Entry {
  if (body !== null) return { seq, id, from, type: 'message', body, event: null };
  return { seq, id, from, type: 'event', body: '', event: saysOf(op, args) };
}

function saysOf(op: number, [first, second]: readonly unknown[]): EventSays {
  const change = CHANGES[op] ?? 'other';
  const none: EventSays = { change, users: [] };
  const number = typeof first === 'number' ? first : 0;
  switch (change) {
    case 'created':
      return { ...none, title: String(first), users: names(second) };
    case 'added':
    case 'removed':
    case 'owner':
    case 'declined':
      return { ...none, users: names(first) };
    case 'role':
      return { ...none, users: names(first), role: second === 2 ? 'admin' : 'member' };
    case 'title':
      return { ...none, title: String(first) };
    case 'announce':
      return { ...none, on: number !== 0 };
    case 'invite':
      return { ...none, role: ['off', 'open', 'approval'][number] ?? 'open' };
    case 'expiry':
      return { ...none, seconds: number };
    case 'deleted':
      return { ...none, target: number };
    case 'expired':
      return { ...none, first: number, last: typeof second === 'number' ? second : number };
    default:
      return none;
  }
}

function names(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];
}

export function plainId(id: string): string {
  return id.replaceAll('-', '').toLowerCase();
}

/** The content of an entry was taken out. */
export function isErased(entry: Entry): boolean {
  return entry.event?.change === 'erased';
}

/** What differs between two sights of one number; null where they are the same entry (one may be erased). */
export function difference(one: Entry, other: Entry): string | null {
  if (one.id !== '' && other.id !== '' && plainId(one.id) !== plainId(other.id)) return `ids ${one.id} and ${other.id}`;
  if (one.from !== other.from) return `from ${one.from} and from ${other.from}`;
  if (isErased(one) || isErased(other)) return null;
  if (one.type !== other.type) return `${show(one)} and ${show(other)}`;
  if (one.body !== other.body) return `${show(one)} and ${show(other)}`;
  if (one.event?.change !== other.event?.change) return `${show(one)} and ${show(other)}`;
  const users = (entry: Entry): string => [...(entry.event?.users ?? [])].sort().join(' ');
  return users(one) === users(other) ? null : `${show(one)} and ${show(other)}`;
}

export function show(entry: Entry): string {
  if (entry.event !== null) return `${entry.event.change} ${entry.event.users.join(' ')}`.trim();
  return short(entry.body);
}

export function short(body: string): string {
  return JSON.stringify(body.length > 32 ? `${body.slice(0, 32)}…` : body);
}
