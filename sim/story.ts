// Owns what the record tells of one chat: every entry that anybody ever saw, the logs at the end, who was a member when.
// Invariant: put together from sights alone; where sights contradict each other that is kept as a clash, for the checker.
// Must not: judge more than that; the rules do.

import type { ChatId, Entry } from './record.js';
import { difference, isErased, plainId } from './says.js';

/** Entries from … to are visible to a user; `to` is infinite while he is a member. */
export interface Stay {
  readonly from: number;
  to: number;
}

export class ChatStory {
  readonly id: ChatId;
  /** 1 direct, 2 group, 0 unknown. */
  type = 0;
  /** Of a direct chat. */
  readonly parties = new Set<string>();
  /** By number: the fullest sight of each entry that there ever was. */
  readonly ever = new Map<number, Entry>();
  /** What each user reads at the end. */
  readonly logs = new Map<string, readonly Entry[]>();
  /** The logs of all users together. */
  readonly final = new Map<number, Entry>();
  readonly clashes: string[] = [];
  readonly #ids = new Map<string, number>();
  #stays: Map<string, Stay[]> | undefined;

  constructor(id: ChatId) {
    this.id = id;
  }

  get head(): number {
    return Math.max(0, ...this.ever.keys());
  }

  /** Every number from 1 to the newest was seen by somebody before it was erased, so membership can be followed without a gap. */
  get whole(): boolean {
    return this.ever.size > 0 && this.ever.size === this.head && ![...this.ever.values()].some(isErased);
  }

  saw(entry: Entry, who: string): void {
    const known = this.ever.get(entry.seq);
    if (known === undefined) {
      this.ever.set(entry.seq, entry);
      const id = plainId(entry.id);
      const place = this.#ids.get(id);
      if (id !== '' && place !== undefined && place !== entry.seq) {
        this.clashes.push(`id ${id} has numbers ${place} and ${entry.seq} (${who})`);
      }
      this.#ids.set(id, entry.seq);
      return;
    }
    if (known === entry) return;
    const differs = difference(known, entry);
    if (differs !== null) this.clashes.push(`number ${entry.seq} is ${differs} (${who})`);
    else if ((isErased(known) && !isErased(entry)) || (known.id === '' && entry.id !== ''))
      this.ever.set(entry.seq, entry);
  }

  read(user: string, entries: readonly Entry[]): void {
    this.logs.set(user, entries);
    for (const entry of entries) {
      this.saw(entry, `the log of ${user}`);
      this.final.set(entry.seq, entry);
    }
  }

  /** Numbers that this user may see. */
  visible(user: string, seq: number): boolean {
    return this.stays(user).some(({ from, to }) => seq >= from && seq <= to);
  }

  /** Nothing ended: a user's stays in this chat. */
  stays(user: string): readonly Stay[] {
    if (this.type === 1) return this.parties.has(user) ? [{ from: 1, to: Number.POSITIVE_INFINITY }] : [];
    this.#stays ??= this.#follow();
    return this.#stays.get(user) ?? [];
  }

  /** Present at the end. */
  members(): string[] {
    if (this.type === 1) return [...this.parties];
    this.#stays ??= this.#follow();
    return [...this.#stays].filter(([, stays]) => stays.at(-1)?.to === Number.POSITIVE_INFINITY).map(([user]) => user);
  }

  /** Everybody who ever was. */
  people(): string[] {
    if (this.type === 1) return [...this.parties];
    this.#stays ??= this.#follow();
    return [...this.#stays.keys()];
  }

  /** Entries in order of their numbers. */
  inOrder(): Entry[] {
    return [...this.ever.values()].sort((one, other) => one.seq - other.seq);
  }

  #follow(): Map<string, Stay[]> {
    const all = new Map<string, Stay[]>();
    const enter = (user: string, seq: number): void => {
      const stays = all.get(user) ?? [];
      all.set(user, stays);
      if (stays.at(-1)?.to === Number.POSITIVE_INFINITY) return;
      stays.push({ from: seq, to: Number.POSITIVE_INFINITY });
    };
    const leave = (user: string, seq: number): void => {
      const stay = all.get(user)?.at(-1);
      if (stay !== undefined) stay.to = Math.min(stay.to, seq);
    };
    for (const { seq, from, event } of this.inOrder()) {
      if (event === null) continue;
      if (event.change === 'created') for (const user of [from, ...event.users]) enter(user, seq);
      if (event.change === 'added') for (const user of event.users) enter(user, seq);
      if (event.change === 'joined') enter(from, seq);
      if (event.change === 'removed') for (const user of event.users) leave(user, seq);
      if (event.change === 'left') leave(from, seq);
    }
    return all;
  }
}
