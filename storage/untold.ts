// Owns what a shard's dirty set holds beside the chats of the newest transaction: chats whose news may not have reached every node.
// Invariant: a chat leaves only when it has told its members and all links that were up have confirmed what went out until then;
// what the row has no room for is said to exist (`more`).
// Must not: write the row (log.ts), or know links.
//
// Alone, a node needs none of this: its clients end with it.

import { LIMITS } from '../actors/limits.js';
import { idText } from '../actors/message-id.js';
import type { DirtyChat, DirtySet } from './rows.js';

/** What becomes of one append's news. */
export interface Telling {
  /** Its members were told, or there was nothing to tell. */
  done: boolean;
}

/** What knows whether that which was told has arrived on other nodes. */
export interface Tellings {
  /** Stands for all that was told up to now; answers, later and as often as asked, whether it arrived. Null: it has. */
  told(): (() => boolean) | null;
}

/** Alone: nobody lives elsewhere. */
export const AT_ONCE: Tellings = { told: () => null };

interface Open extends DirtyChat {
  readonly telling: Telling;
  arrived: (() => boolean) | null;
}

type News = DirtyChat & { readonly telling: Telling };

export class Untold {
  readonly #tellings: Tellings;
  readonly #open = new Map<string, Open>();
  /** Those that found no room here. */
  #spilt: Telling[] = [];
  #arrived: (() => boolean) | null = null;
  #more: boolean;

  /** `inherited`: what the owner before left; `more`: null, or done when all whom it may concern were asked. */
  constructor(tellings: Tellings, inherited: readonly News[], more: Telling | null) {
    this.#tellings = tellings;
    this.#more = more !== null;
    if (more !== null) this.#spilt.push(more);
    this.committed(inherited);
  }

  get size(): number {
    return this.#open.size;
  }

  /** The set that goes with a transaction of these. */
  next(batch: readonly DirtyChat[]): DirtySet {
    this.#sweep();
    if (this.#open.size === 0) return { chats: batch, more: this.#more };
    const newest = new Set(batch.map(({ chat }) => idText(chat)));
    const chats = [...batch];
    let more = this.#more;
    for (const [key, open] of this.#open) {
      if (newest.has(key)) continue;
      if (chats.length < LIMITS.batchAppends) chats.push(open);
      else more = true;
    }
    return { chats, more };
  }

  /** These are durable, and about to be told. */
  committed(batch: readonly News[]): void {
    for (const { chat, head, telling } of batch) {
      const key = idText(chat);
      // What it said before is not taken for told: its turn may come after this one's.
      const earlier = this.#open.get(key)?.telling;
      const both = earlier === undefined || earlier.done ? telling : joined(earlier, telling);
      if (this.#open.delete(key) || this.#open.size < LIMITS.batchAppends) {
        this.#open.set(key, { chat, head, telling: both, arrived: null });
      } else {
        this.#spilt.push(telling);
        this.#more = true;
        this.#arrived = null;
      }
    }
  }

  #sweep(): void {
    let mark: (() => boolean) | null | undefined;
    for (const [key, open] of this.#open) {
      if (!open.telling.done) continue;
      if (open.arrived === null) {
        if (mark === undefined) mark = this.#tellings.told();
        open.arrived = mark;
      }
      if (open.arrived === null || open.arrived()) this.#open.delete(key);
    }
    if (this.#spilt.length === 0) return;
    this.#spilt = this.#spilt.filter(({ done }) => !done);
    if (this.#spilt.length > 0) return;
    // Told, all of them: what stands for them may take its time to arrive, and is asked for again until it has.
    this.#arrived ??= this.#tellings.told();
    if (this.#arrived === null || this.#arrived()) this.#more = false;
    else this.#spilt.push({ done: true });
  }
}

/** Done when both are. */
function joined(a: Telling, b: Telling): Telling {
  return {
    get done() {
      return a.done && b.done;
    },
    set done(_) {
      // Each part says it of itself.
    },
  };
}
