// Owns what the screen shows of one chat: its messages and events, own messages on their way, and notes of the program.
// Invariant: each sequence number stands once, in order; own messages without one follow in the order they were written;
// at most LIMITS.chatLines entries, the oldest go first.
// Must not: draw, or know connections.

import { LIMITS } from '../actors/limits.js';
import type { GroupEvent, InviteMode, Message } from '../client/index.js';
import { clean, cleanLine } from './chat-text.js';
import { formatDuration } from './duration.js';

export interface Entry {
  readonly kind: 'message' | 'event' | 'note';
  /** Place in the chat. A note has the number it came after; an own message 0 until it was acknowledged. */
  readonly seq: number;
  readonly from: string;
  readonly text: string;
  /** ms since 1970. */
  readonly at: number;
  readonly own: boolean;
  /** Why the server refused it. */
  readonly failed?: string;
}

interface Waiting {
  readonly id: string;
  readonly entry: Entry;
}

export class Transcript {
  #entries: Entry[] = [];
  #waiting: Waiting[] = [];
  readonly #known = new Set<number>();
  /** The server has more before the oldest entry. */
  more = false;

  /** Oldest first. */
  get entries(): readonly Entry[] {
    return [...this.#entries, ...this.#waiting.map(({ entry }) => entry)];
  }

  /** Highest sequence number; 0 while there is none. */
  get newest(): number {
    return this.#entries.at(-1)?.seq ?? 0;
  }

  /** Lowest sequence number; 0 while there is none. */
  get oldest(): number {
    return this.#entries.find(({ kind }) => kind !== 'note')?.seq ?? 0;
  }

  /** Something of the log, live or from its history. */
  add(item: Message | GroupEvent): void {
    this.#waiting = this.#waiting.filter(({ id }) => id !== item.id);
    if (this.#known.has(item.seq)) return;
    const { seq, at, own } = item;
    const from = cleanLine(item.from);
    if (item.type === 'message') this.#insert({ kind: 'message', seq, from, text: clean(item.text), at, own });
    else this.#insert({ kind: 'event', seq, from, text: eventText(item), at, own });
  }

  /** An own message that is not acknowledged. */
  wait(id: string, from: string, text: string, at: number): void {
    const entry: Entry = { kind: 'message', seq: 0, from: cleanLine(from), text: clean(text), at, own: true };
    this.#waiting.push({ id, entry });
  }

  waits(id: string): boolean {
    return this.#waiting.some((waiting) => waiting.id === id);
  }

  sent(id: string, seq: number): void {
    const entry = this.#take(id);
    if (entry !== undefined && !this.#known.has(seq)) this.#insert({ ...entry, seq });
  }

  failed(id: string, reason: string): void {
    const entry = this.#take(id);
    if (entry !== undefined) this.#insert({ ...entry, seq: this.newest, failed: cleanLine(reason) });
  }

  note(text: string, at: number): void {
    this.#insert({ kind: 'note', seq: this.newest, from: '', text: clean(text), at, own: false });
  }

  /** The content of these is gone: for everyone, so that a trace stays, or for this user alone. */
  erase(seqs: readonly number[], everyone: boolean): void {
    const gone = new Set(seqs);
    const hit = ({ kind, seq, failed }: Entry): boolean => kind !== 'note' && failed === undefined && gone.has(seq);
    this.#entries = everyone
      ? this.#entries.map((entry) => (hit(entry) ? { ...entry, kind: 'event', text: ERASED } : entry))
      : this.#entries.filter((entry) => !hit(entry));
  }

  /** Everything up to `seq` is deleted for this user. */
  clear(seq: number): void {
    this.#entries = this.#entries.filter((entry) => entry.kind === 'note' || entry.seq > seq);
  }

  #take(id: string): Entry | undefined {
    const found = this.#waiting.find((waiting) => waiting.id === id);
    this.#waiting = this.#waiting.filter((waiting) => waiting !== found);
    return found?.entry;
  }

  #insert(entry: Entry): void {
    const logged = entry.kind !== 'note' && entry.failed === undefined;
    if (logged) this.#known.add(entry.seq);
    let at = this.#entries.length;
    while (at > 0 && this.#after(at - 1, entry.seq, logged)) at -= 1;
    this.#entries.splice(at, 0, entry);
    if (this.#entries.length <= LIMITS.chatLines) return;
    const gone = this.#entries.shift();
    if (gone !== undefined && gone.kind !== 'note' && gone.failed === undefined) this.#known.delete(gone.seq);
    this.more = true;
  }

  /** Whether the entry at `index` belongs behind a new one: what is in the log stands before notes on it. */
  #after(index: number, seq: number, logged: boolean): boolean {
    const other = this.#entries[index];
    if (other === undefined || other.seq !== seq) return other !== undefined && other.seq > seq;
    return logged;
  }
}

const ERASED = 'message deleted';

const INVITES: Readonly<Record<InviteMode, (from: string) => string>> = {
  off: (from) => `${from} ended the invite link`,
  open: (from) => `${from} made an invite link`,
  approval: (from) => `${from} made an invite link; admins approve who comes`,
};

/** A group event as a sentence. */
export function eventText(event: GroupEvent): string {
  const from = cleanLine(event.from);
  const users = event.users.map(cleanLine);
  switch (event.change) {
    case 'created': {
      const others = users.filter((user) => user !== from);
      const guests = others.length === 0 ? '' : ` with ${listed(others)}`;
      return `${from} created “${cleanLine(event.title)}”${guests}`;
    }
    case 'added':
      return `${from} added ${listed(users)}`;
    case 'removed':
      return `${from} removed ${listed(users)}`;
    case 'left':
      return `${from} left`;
    case 'owner':
      return `${listed(users)} now owns the group`;
    case 'role':
      return event.role === 'admin'
        ? `${from} made ${listed(users)} admin`
        : `${from} took admin from ${listed(users)}`;
    case 'title':
      return `${from} called the group “${cleanLine(event.title)}”`;
    case 'avatar':
      return event.avatar === '' ? `${from} removed the picture` : `${from} set the picture ${cleanLine(event.avatar)}`;
    case 'announce':
      return event.on ? `${from}: only admins may write now` : `${from}: everybody may write again`;
    case 'invite':
      return INVITES[event.mode](from);
    case 'asked':
      return `${from} asks to join`;
    case 'declined':
      return `${from} declined ${listed(users)}`;
    case 'joined':
      return `${from} joined by the invite link`;
    case 'expiry':
      return event.seconds === 0
        ? `${from} let messages stay for good`
        : `${from} let messages end after ${formatDuration(event.seconds)}`;
    case 'deleted':
      return `${from} deleted a message`;
    case 'erased':
      return ERASED;
    case 'expired':
      return event.first === event.last
        ? 'a message ended before everyone had it'
        : `messages ${event.first} to ${event.last} ended, some before everyone had them`;
    case 'other':
      return `${from} changed the group`;
  }
}

/** `a`, `a and b`, `a, b and c`, `a, b and 8 others`. */
export function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join('');
  if (names.length <= 4) return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  return `${names.slice(0, 3).join(', ')} and ${names.length - 3} others`;
}
