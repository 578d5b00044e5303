// Owns which messages of a chat are unread, as far as this device can tell, and the server's count for the rest.
// Invariant: every number is counted once; `count` is what the server's LIST would say, once all that it counted has come.
// Must not: know what was read or cleared but by being told.

import { LIMITS } from '../actors/limits.js';

/** `[floor, elsewhere, listed, first, length, first, length, …]`; the last as runs of numbers in a row. */
export type StoredUnread = readonly number[];

/*
 *      read           floor                  done            listed
 *       │               │                      │                │
 *   ────┼───────────────┼──────────────────────┼────────────────┼──▶ seq
 *       │   not here:   │   each of them is    │  still to come │
 *       │  `elsewhere`  │      in `runs`       │  `elsewhere`   │
 */
export class Unread {
  /** First and length of each run, ascending. */
  #runs: number[] = [];
  #known = 0;
  /** From here up to what was handled, every unread message is in the runs. */
  #floor = 1;
  #elsewhere = 0;
  /** The server's count, by which `elsewhere` came about, was taken with this number as the newest. */
  #listed = 0;
  /** Something was taken out since the server was asked to count: it may have counted it still. */
  #outdated = false;
  /** The user was out of the group: of what was deleted meanwhile no event comes. */
  #returned = false;
  /** So what comes of what the server counted is no more than that. */
  #exact = false;
  /**
   * By how many there are more here, up to `listed`, than the server counted. They were deleted; events that say which may still come,
   * but not what happened while the user was out of the group.
   */
  #surplus = 0;

  /** Unread messages; LIMITS.unread stands for that many or more. */
  get count(): number {
    return Math.min(LIMITS.unread, this.#known + this.#elsewhere);
  }

  /** This device's log of the chat begins here. */
  begin(seq: number): void {
    if (this.#runs.length === 0) this.#floor = Math.max(this.#floor, seq);
  }

  /** The user is a member again. The server's next count tells what was deleted meanwhile. */
  returned(): void {
    this.#returned = true;
  }

  /** Somebody else's message was handled, in order. Again: changes nothing. */
  add(seq: number): void {
    const end = this.#end;
    if (seq < end) return;
    if (seq === end && this.#runs.length > 0) this.#runs[this.#runs.length - 1]!++;
    else this.#runs.push(seq, 1);
    this.#known++;
    if (seq <= this.#listed) {
      if (this.#elsewhere > 0) this.#elsewhere--;
      else if (this.#exact) this.#surplus++;
    }
    if (this.#known <= LIMITS.unread) return;
    this.#floor = this.#runs[0]! + 1;
    this.#cut(this.#runs[0]!, this.#runs[0]!);
    this.#elsewhere++;
  }

  /** These are no longer to be read: deleted, hidden or expired. Those below the floor are known to have been unread. */
  remove(from: number, to: number, read: number): void {
    this.#outdated = true;
    const before = this.#known;
    this.#cut(from, to);
    this.#surplus = Math.max(0, this.#surplus - (before - this.#known));
    const below = Math.min(to, this.#floor - 1) - Math.max(from, read + 1) + 1;
    if (below > 0) this.#exact = false;
    this.#elsewhere = Math.max(0, this.#elsewhere - Math.max(0, below));
  }

  /** Everything up to `read` was read or cleared, everything up to `done` handled. */
  settle(read: number, done: number): void {
    const before = this.#known;
    this.#cut(0, read);
    // Perhaps those were among them.
    if (this.#known < before) this.#surplus = 0;
    if (this.#exact && done >= this.#listed) {
      if (this.#surplus > 0) this.#forget();
      this.#returned = false;
      this.#exact = false;
    }
    // Nothing of what is not here can be unread any more.
    if (this.#floor <= read + 1) this.#floor = 1;
    const below = Math.max(0, this.#floor - 1 - read);
    const above = Math.max(0, this.#listed - Math.max(done, read));
    this.#elsewhere = Math.min(this.#elsewhere, below + above);
  }

  /** The server is asked to count. */
  asked(): void {
    this.#outdated = false;
  }

  /** The server counted `count` when `head` was the newest. False: that may be too much by now, and it is to be asked again. */
  list(count: number, head: number, read: number, done: number): boolean {
    if (this.#outdated) return false;
    const here = this.#upTo(head);
    this.#listed = head;
    this.#elsewhere = Math.max(0, count - here);
    this.#exact = this.#returned && count < LIMITS.unread;
    this.#surplus = this.#exact ? Math.max(0, here - count) : 0;
    this.settle(read, done);
    return true;
  }

  /** Undefined where nothing is unread, and nothing can be but what comes. */
  stored(): StoredUnread | undefined {
    if (this.#known === 0 && this.#elsewhere === 0 && this.#floor === 1) return undefined;
    return [this.#floor, this.#elsewhere, this.#listed, ...this.#runs];
  }

  restore([floor = 1, elsewhere = 0, listed = 0, ...runs]: StoredUnread): void {
    this.#floor = floor;
    this.#elsewhere = elsewhere;
    this.#listed = listed;
    this.#runs = runs;
    this.#known = runs.reduce((sum, length, i) => (i % 2 === 1 ? sum + length : sum), 0);
  }

  /** Behind the last one. */
  get #end(): number {
    const { length } = this.#runs;
    return length === 0 ? 0 : this.#runs[length - 2]! + this.#runs[length - 1]!;
  }

  /** How many of the runs' numbers are at most `seq`. */
  #upTo(seq: number): number {
    let count = 0;
    for (let i = 0; i < this.#runs.length; i += 2) {
      const first = this.#runs[i]!;
      count += Math.max(0, Math.min(first + this.#runs[i + 1]!, seq + 1) - first);
    }
    return count;
  }

  /** All that the server counted was handled, and nothing said which of them were deleted: from here on only how many are left is known. */
  #forget(): void {
    const left = Math.max(0, this.#upTo(this.#listed) - this.#surplus);
    this.#cut(0, this.#listed);
    this.#floor = Math.max(this.#floor, this.#listed + 1);
    this.#elsewhere += left;
    this.#surplus = 0;
  }

  /** Takes `from` to `to` out of the runs. */
  #cut(from: number, to: number): void {
    if (this.#runs.length === 0 || to < this.#runs[0]! || from >= this.#end) return;
    const kept: number[] = [];
    this.#known = 0;
    for (let i = 0; i < this.#runs.length; i += 2) {
      const first = this.#runs[i]!;
      const end = first + this.#runs[i + 1]!;
      const parts = [
        [first, Math.min(end, from)],
        [Math.max(first, to + 1), end],
      ] as const;
      for (const [start, stop] of parts) {
        if (start >= stop) continue;
        kept.push(start, stop - start);
        this.#known += stop - start;
      }
    }
    this.#runs = kept;
  }
}
