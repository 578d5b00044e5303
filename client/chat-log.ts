// Owns a client's position in one chat's log: what came, what is held ahead of a gap, what the application handled.
// Invariant: done ≤ cursor ≤ highest; each sequence number is released once and in order; positions and receipts only rise.
// Must not: send, store or emit; its owner does, by what the methods return.

import { LIMITS } from '../actors/limits.js';
import type { Plain } from '../transport/frames.js';
import type { Tick } from './chat-info.js';
import { ChatState } from './chat-state.js';
import type { Change } from './message.js';
import type { StoredChat } from './store.js';

/** A MESSAGE or EVENT with its refs resolved. */
export interface Item {
  readonly from: string;
  readonly seq: number;
  readonly id: Uint8Array;
  readonly lag: number;
  readonly content:
    | { readonly type: 'message'; readonly body: Uint8Array }
    | { readonly type: 'event'; readonly op: number; readonly args: readonly Plain[] };
  /** It cost credit, which goes back when it is handled or dropped. */
  readonly paid: boolean;
}

/** What the application gets next: an item, nothing (an own message) or a hole that will not be filled. */
export type Release =
  | { readonly type: 'item'; readonly seq: number; readonly item: Item }
  | { readonly type: 'own'; readonly seq: number; readonly paid: boolean }
  | { readonly type: 'truncated'; readonly seq: number; readonly from: number };

/**
 * `new`: released, perhaps with what was held behind it. `held`: ahead of a gap. `old`: had before.
 * `over`: ahead of a gap and no room; it comes again when the gap is pulled.
 */
export type Arrival = 'new' | 'held' | 'old' | 'over';

export interface Positions {
  delivered: number;
  read: number;
}

/*
 *            done        cursor                     highest
 *              │            │                          │
 *   ───────────┼────────────┼──────────────────────────┼──▶ seq
 *    handled   │ in `queue` │ gap, with islands in     │
 *              │            │ `held` and `own`         │
 */
export class ChatLog {
  id: Uint8Array | undefined;
  /** 32 hexadecimal digits; empty while only the other user is known. */
  key = '';
  kind = 0;
  name = '';
  /** False until it is known where this device's log of the chat begins. */
  placed = false;
  cursor = 0;
  done = 0;
  /** What the newest SYNC said of it: the answer may be older than what has come since. */
  listed = 0;
  /** Up to here came what was missed while there was no connection; 0: nothing was, or its receipts have been asked for. */
  missed = 0;
  /** Highest sequence number seen or certified. */
  head = 0;
  /** Highest sequence number that arrived. */
  highest = 0;
  /** Highest sequence number that was dropped for want of room: the server counts it as had until the next SYNC. */
  dropped = 0;
  read = 0;
  lastOwn = 0;
  readonly state = new ChatState();
  /** This chat turned out to be that one, which took over everything. */
  mergedInto: ChatLog | undefined;
  readonly queue: Release[] = [];
  /** A listener's promise is pending: the queue waits. */
  busy = false;
  readonly held = new Map<number, Item>();
  readonly own = new Set<number>();
  /** Own changes by their number, until it is their turn. What came before them may have been said by others, and be told here later. */
  readonly made = new Map<number, Change>();
  readonly receipts = new Map<string, Positions>();
  /** Present members of a group, where INFO or events told. */
  members: Set<string> | undefined;

  /** True while something arrived above a hole. */
  get gap(): boolean {
    return this.placed ? this.highest > this.cursor : this.highest > 0;
  }

  /** Says where the log begins: everything up to `seq` counts as had. Only for a chat not placed yet. */
  place(seq: number): void {
    if (this.placed) return;
    // What is held already came from this log, so the log cannot begin above it.
    const start = Math.min(seq, ...[...this.held.keys()].map((held) => held - 1));
    this.placed = true;
    this.cursor = start;
    this.done = start;
    this.state.unread.begin(start + 1);
    this.#saw(start);
    for (const own of this.own) if (own <= start) this.own.delete(own);
    for (const seq of this.made.keys()) if (seq <= start) this.made.delete(seq);
    this.#advance();
  }

  arrive(item: Item, room: () => boolean): Arrival {
    const { seq } = item;
    if ((this.placed && seq <= this.cursor) || this.held.has(seq) || this.own.has(seq)) return 'old';
    this.#saw(seq);
    if (this.placed && seq === this.cursor + 1) {
      this.cursor = seq;
      this.queue.push({ type: 'item', seq, item });
      this.#advance();
      return 'new';
    }
    if (!room()) {
      this.dropped = Math.max(this.dropped, seq);
      return 'over';
    }
    this.held.set(seq, item);
    return 'held';
  }

  /** An own message, or change, has this sequence number: it counts for order, and is not released as an item. */
  sent(seq: number, change?: Change): void {
    this.lastOwn = Math.max(this.lastOwn, seq);
    if (this.placed && seq <= this.cursor) return;
    this.#saw(seq);
    this.own.add(seq);
    // What is gone is so wherever it stands in the log.
    if (change !== undefined && change.change !== 'deleted') this.made.set(seq, change);
    if (this.own.size > LIMITS.clientOwn) {
      const most = Math.max(...this.own);
      this.own.delete(most);
      this.made.delete(most);
    }
    this.#advance();
  }

  /** It is the turn of an own number. Returns whether a change of that number changed title or settings. */
  reached(seq: number, me: string): boolean {
    const change = this.made.get(seq);
    return change !== undefined && this.made.delete(seq) && this.changed(me, change);
  }

  /** What lies between the cursor and `start` is not coming. Returns whether that is news. */
  truncate(start: number): boolean {
    const target = start - 1;
    if (!this.placed || target <= this.cursor) return false;
    const islands = [...this.held.keys(), ...this.own].filter((seq) => seq <= target).sort((a, b) => a - b);
    for (const seq of islands) {
      this.#hole(seq - 1);
      this.#take(seq);
    }
    this.#hole(target);
    this.#advance();
    return true;
  }

  /** There are entries up to `seq`. Returns whether some of them are missing. */
  reach(seq: number): boolean {
    this.#saw(seq);
    return this.gap;
  }

  /** Others' or the user's own positions. Returns whether they rose. */
  receipt(user: string, delivered: number, read: number): Positions | undefined {
    const known = this.receipts.get(user) ?? { delivered: 0, read: 0 };
    const next = { delivered: Math.max(known.delivered, delivered, read), read: Math.max(known.read, read) };
    if (next.delivered === known.delivered && next.read === known.read) return undefined;
    if (!this.receipts.has(user) && this.receipts.size >= LIMITS.clientReceipts) return undefined;
    this.receipts.set(user, next);
    return next;
  }

  /** The user has read up to here, on whichever device. Returns whether that is news. */
  readTo(seq: number): boolean {
    if (seq <= this.read) return false;
    this.read = seq;
    this.settle();
    return true;
  }

  /** What was read, cleared or handled is no longer to be counted. */
  settle(): void {
    this.state.unread.settle(Math.max(this.read, this.state.marks.cleared), this.done);
  }

  /** Somebody else's message was handed out. */
  told(seq: number): void {
    if (seq > this.read && !this.state.hides(seq)) this.state.unread.add(seq);
  }

  /** Some member has not read the user's newest message, as far as is known here; or who is one is not, as of what came before it. */
  wantsReceipts(me: string): boolean {
    if (this.lastOwn === 0 || (this.state.tally?.read ?? 0) >= this.lastOwn) return false;
    if (this.done < this.lastOwn) return true;
    const others = this.others(me);
    return others === undefined || others.some((user) => (this.receipts.get(user)?.read ?? 0) < this.lastOwn);
  }

  /** How far the user's own message has come. */
  tick(seq: number, me: string): Tick {
    const others = this.others(me);
    const of = others?.length;
    const { tally } = this.state;
    const users = others ?? [...this.receipts.keys()].filter((user) => user !== me);
    const reached = (by: 'delivered' | 'read'): number => {
      // Of a large group only all of them together are known.
      if (tally !== undefined && tally[by] >= seq) return of ?? users.length;
      return users.filter((user) => (this.receipts.get(user)?.[by] ?? 0) >= seq).length;
    };
    const [delivered, read] = [reached('delivered'), reached('read')];
    const all = (by: 'delivered' | 'read', count: number): boolean =>
      (tally !== undefined && tally[by] >= seq) || (of !== undefined && of > 0 && count >= of);
    const state = all('read', read) ? 'read' : all('delivered', delivered) ? 'delivered' : 'sent';
    return { state, delivered, read, of };
  }

  /** The other present members; undefined where they are not known. */
  others(me: string): string[] | undefined {
    if (this.kind === 1) return this.name === me ? [] : [this.name];
    return this.members && [...this.members].filter((user) => user !== me);
  }

  setMembers(users: readonly string[]): void {
    this.members = new Set(users);
  }

  /** Takes in what an event says. Returns whether title or settings changed. */
  changed(from: string, change: Change): boolean {
    const settings = this.state.apply(change);
    const read = Math.max(this.read, this.state.marks.cleared);
    switch (change.change) {
      case 'created':
        this.setMembers([from, ...change.users]);
        return this.#titled(change.title) || settings;
      case 'title':
        return this.#titled(change.title) || settings;
      case 'added':
      case 'joined':
        for (const user of change.change === 'joined' ? [from] : change.users) this.members?.add(user);
        return settings;
      case 'removed':
      case 'left':
        for (const user of change.change === 'left' ? [from] : change.users) this.members?.delete(user);
        return settings;
      case 'deleted':
        this.state.unread.remove(change.target, change.target, read);
        return settings;
      case 'expired':
        this.state.unread.remove(change.first, change.last, read);
        return settings;
      default:
        return settings;
    }
  }

  stored(): StoredChat {
    const { key, kind, name, placed, done, read, lastOwn, head } = this;
    // Own numbers between done and cursor sit in the queue; they are still above what is stored as cursor.
    const queued = this.queue.flatMap((release) => (release.type === 'own' ? [release.seq] : []));
    // A change whose turn has not come is told again by its event, in order.
    const own = [...queued, ...this.own].filter((seq) => !this.made.has(seq));
    const newest = head > done ? { head } : {};
    return { id: key, kind, name, placed, cursor: done, read, lastOwn, own, ...newest, ...this.state.stored() };
  }

  restore(chat: StoredChat): void {
    this.kind = chat.kind;
    this.name = chat.name;
    this.read = chat.read;
    this.lastOwn = chat.lastOwn;
    if (chat.placed) this.place(chat.cursor);
    for (const seq of chat.own) this.sent(seq);
    this.state.restore(chat);
    this.head = Math.max(this.head, chat.head ?? 0);
  }

  #titled(title: string): boolean {
    if (title === this.name && this.kind === 2) return false;
    this.kind = 2;
    this.name = title;
    return true;
  }

  #saw(seq: number): void {
    this.highest = Math.max(this.highest, seq);
    this.head = Math.max(this.head, seq);
  }

  #hole(to: number): void {
    if (to <= this.cursor) return;
    this.queue.push({ type: 'truncated', from: this.cursor + 1, seq: to });
    this.cursor = to;
    this.#saw(to);
  }

  #take(seq: number): void {
    const item = this.held.get(seq);
    this.held.delete(seq);
    this.cursor = seq;
    // Known as own wins: the same message may have come from the log as well.
    if (this.own.delete(seq) || item === undefined) this.queue.push({ type: 'own', seq, paid: item?.paid ?? false });
    else this.queue.push({ type: 'item', seq, item });
  }

  #advance(): void {
    if (!this.placed) return;
    for (let next = this.cursor + 1; this.held.has(next) || this.own.has(next); next++) this.#take(next);
  }
}
