// Owns which members' rows lack their group's title, in a large group or after a crash: they get it with later appends.
// Invariant: a row that has the title is not due, for as the only write of an append it would witness a commit that was
// lost (storage/log.ts). All that are due become ripe together, and so are written at most as often as positions are.
// Must not: write anything.

import type { Member } from './member.js';

const NONE: ReadonlyMap<string, Member> = new Map();

export class Titles {
  readonly #due = new Map<string, Member>();
  #ripe = false;

  /** The group has the title from now on. */
  change(title: string, members: Iterable<Member>): void {
    for (const member of members) {
      member.inbox.name = title;
      if (member.named === title) this.#due.delete(member.user);
      else this.#due.set(member.user, member);
    }
    // Once more: who changes it all the time does not have a thousand rows written each time.
    this.#ripe = false;
  }

  /** Some rows lack it. */
  get wanting(): boolean {
    return this.#due.size > 0;
  }

  /** Whose rows may be written now. */
  get ripe(): ReadonlyMap<string, Member> {
    return this.#ripe ? this.#due : NONE;
  }

  /** Lets the rows that lack it into the next appends; false: none does. */
  ripen(): boolean {
    this.#ripe = this.#due.size > 0;
    return this.#ripe;
  }

  /** The member's row is written as it is now, or is none of the group's any more. */
  done(member: Member): void {
    member.named = member.inbox.name;
    this.#due.delete(member.user);
    if (this.#due.size === 0) this.#ripe = false;
  }
}
