// Owns the coalesced receipts of a large group: what all of its members but oneself have, and have read.
// Invariant: only durable positions count; whoever's tally changed is told of it, at most once in LIMITS.tallyMs, and of the
// last change in the end. A tally never goes back while its user stays: who joins counts from the entry that says so.
// Must not: touch the store, or move positions (roster.ts).
//
// A member's tally is the least position of the others. So only two numbers are kept of each kind: the least of all, with
// whose it is, and the least of the rest, which is what that one is told.

import type { ChatContext } from './chat-rules.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { Member } from './member.js';
import type { ConnectionRef, TallyNews } from './messages.js';
import type { Roster } from './roster.js';

interface Low {
  least: number;
  of: string;
  rest: number;
}

interface Lows {
  readonly delivered: Low;
  readonly read: Low;
}

const NOTHING: Lows = { delivered: { least: 0, of: '', rest: 0 }, read: { least: 0, of: '', rest: 0 } };

export class Tally {
  readonly #users: Fabric['users'];
  /** What the members know; null: nothing yet. */
  #told: Lows | null = null;
  /** A timer is set: until then changes gather. */
  #waiting = false;

  constructor(fabric: Fabric) {
    this.#users = fabric.users;
  }

  /** All changes have been told. */
  get settled(): boolean {
    return !this.#waiting;
  }

  /** The chat was read. What it holds was told by the chat's last life, or clients ask for it. */
  begin(roster: Roster): void {
    if (roster.large) this.#told ??= lowsOf(roster);
  }

  /** Positions or members changed, durably. */
  moved(roster: Roster, context: ChatContext): void {
    if (this.#waiting || !this.#tell(roster)) return;
    this.#waiting = true;
    context.after(LIMITS.tallyMs, { type: 'tally' });
  }

  /** The time is over. `roster`: null while it is ahead of the disk, or read again; what comes of that calls `moved`. */
  due(roster: Roster | null, context: ChatContext): void {
    this.#waiting = false;
    if (roster !== null) this.moved(roster, context);
  }

  /** The chat's actor has ended: what waits is told now, for its next life takes it as told. */
  end(roster: Roster | null): void {
    if (this.#told !== null && roster !== null) this.#tell(roster);
  }

  /** How things stand, for one connection of `user`: by way of the user, or it would overtake what was told before. */
  to(user: string, connection: ConnectionRef, roster: Roster): void {
    const news = newsFor(user, lowsOf(roster), roster);
    if (news === null) return;
    const told = this.#users.lookup(user)?.tell({ type: 'pass', connection, news });
    if (told === 'busy') connection.tell({ type: 'unpassed', key: roster.info.key, large: true });
  }

  /** False: there was nothing new for anybody. */
  #tell(roster: Roster): boolean {
    if (!roster.large) return false;
    const [before, now] = [this.#told ?? NOTHING, lowsOf(roster)];
    this.#told = now;
    let told = false;
    for (const user of roster.audience) {
      const same =
        valueFor(user, before.delivered) === valueFor(user, now.delivered) &&
        valueFor(user, before.read) === valueFor(user, now.read);
      const news = same ? null : newsFor(user, now, roster);
      if (news === null) continue;
      told = true;
      this.#users.lookup(user)?.tell(news);
    }
    return told;
  }
}

function newsFor(user: string, { delivered, read }: Lows, roster: Roster): TallyNews | null {
  const [has, seen] = [valueFor(user, delivered), valueFor(user, read)];
  // Nobody else is there: infinite.
  if (!Number.isFinite(has)) return null;
  return { type: 'tally', info: roster.info, delivered: has, read: seen };
}

function valueFor(user: string, low: Low): number {
  return low.of === user ? low.rest : low.least;
}

function lowsOf(roster: Roster): Lows {
  const delivered: Low = { least: Number.POSITIVE_INFINITY, of: '', rest: Number.POSITIVE_INFINITY };
  const read: Low = { ...delivered };
  for (const member of roster.members.values()) {
    const since = sinceOf(member);
    lower(delivered, member.user, Math.max(member.told.delivered, since));
    lower(read, member.user, Math.max(member.told.read, since));
  }
  return { delivered, read };
}

function lower(low: Low, user: string, value: number): void {
  if (value < low.least) {
    low.rest = low.least;
    low.least = value;
    low.of = user;
  } else low.rest = Math.min(low.rest, value);
}

/** What came before the member did is not for it to have. */
function sinceOf({ inbox }: Member): number {
  return inbox.spans[inbox.spans.length - 1]!.from - 1;
}
