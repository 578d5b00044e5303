// Owns what a client knows of a chat besides its log: settings, the user's own marks, what is unread.
// Invariant: settings follow the chat's events in their order; marks only ever go to a higher version.
// Must not: send, store or emit.

import type { Change } from './message.js';
import { type StoredUnread, Unread } from './unread.js';

/** A user's own state of a chat, the same on all devices. */
export interface Marks {
  /** ms since 1970 until which the chat is muted; 0: it is not, FOREVER: without end. */
  readonly muted: number;
  /** Higher ones stand first; 0: not pinned. */
  readonly pinned: number;
  readonly archived: boolean;
  /** Marked as unread by the user. */
  readonly unread: boolean;
  /** Everything up to here is deleted for this user. */
  readonly cleared: number;
  /** So are these. */
  readonly hidden: readonly number[];
}

/** How far all others are. */
export interface Tallied {
  readonly delivered: number;
  readonly read: number;
}

/** What is stored of it. Absent: as of a chat of which nothing is known. */
export interface StoredExtras {
  readonly head?: number;
  /** ms since 1970 of the newest entry known. */
  readonly at?: number;
  readonly avatar?: string;
  readonly announceOnly?: boolean;
  readonly expiry?: number;
  readonly marks?: Marks & { readonly version: number };
  readonly unread?: StoredUnread;
}

/** `Chat.mute` without an end: the highest number that the protocol takes. */
export const FOREVER = Number.MAX_SAFE_INTEGER;

const NO_MARKS: Marks = { muted: 0, pinned: 0, archived: false, unread: false, cleared: 0, hidden: [] };

export class ChatState {
  at = 0;
  avatar = '';
  announceOnly = false;
  /** Seconds; 0: entries do not end. */
  expiry = 0;
  marks: Marks = NO_MARKS;
  /** Of the marks. */
  version = 0;
  readonly unread = new Unread();
  /** In a large group. */
  tally: Tallied | undefined;

  /** Undefined: nothing new. Of several nodes an older word may come after a newer one. */
  tallied(delivered: number, read: number): Tallied | undefined {
    const known = this.tally;
    const next = { delivered: Math.max(known?.delivered ?? 0, delivered), read: Math.max(known?.read ?? 0, read) };
    if (known !== undefined && next.delivered === known.delivered && next.read === known.read) return undefined;
    this.tally = next;
    return next;
  }

  /** Takes in what an event says; returns whether a setting changed. */
  apply(change: Change): boolean {
    const before = [this.avatar, this.announceOnly, this.expiry];
    if (change.change === 'avatar') this.avatar = change.avatar;
    else if (change.change === 'announce') this.announceOnly = change.on;
    else if (change.change === 'expiry') this.expiry = change.seconds;
    return before.some((value, i) => value !== [this.avatar, this.announceOnly, this.expiry][i]);
  }

  /** Marks of this or a higher version; returns the entries that are hidden now and were not, undefined if they are old. */
  mark(version: number, marks: Marks): number[] | undefined {
    if (version < this.version) return undefined;
    const known = new Set(this.marks.hidden);
    this.version = version;
    this.marks = marks;
    return marks.hidden.filter((seq) => !known.has(seq));
  }

  hides(seq: number): boolean {
    return seq <= this.marks.cleared || this.marks.hidden.includes(seq);
  }

  stored(): StoredExtras {
    const { at, avatar, announceOnly, expiry, marks, version } = this;
    const unread = this.unread.stored();
    return {
      ...(at === 0 ? {} : { at }),
      ...(avatar === '' ? {} : { avatar }),
      ...(announceOnly ? { announceOnly } : {}),
      ...(expiry === 0 ? {} : { expiry }),
      ...(version === 0 ? {} : { marks: { version, ...marks } }),
      ...(unread === undefined ? {} : { unread }),
    };
  }

  restore({ at = 0, avatar = '', announceOnly = false, expiry = 0, marks, unread }: StoredExtras): void {
    this.at = at;
    this.avatar = avatar;
    this.announceOnly = announceOnly;
    this.expiry = expiry;
    if (marks !== undefined) {
      const { version, ...rest } = marks;
      this.version = version;
      this.marks = rest;
    }
    this.unread.restore(unread ?? []);
  }
}
