// Owns the SYNC frames of one client that wait for their turn: a vector may list 20,000 chats.
// Invariant: in order; as many entries in one turn as take a few ms, and none while the client has used up its rate. None is
// refused for that: it is a client that comes back, again and again.
// Must not: answer (resume.ts).

import { CLOSE, type ClientFrame } from '../transport/frames.js';
import type { Connection, ConnectionContext } from './connection.js';
import { LIMITS } from './limits.js';

type Sync = Extract<ClientFrame, { type: 6 }>;

/** ms after which the next ones may come: as soon as others had their turn. */
const SOON = 1;

export class Syncs {
  readonly #connection: Connection;
  #waiting: Sync[] = [];
  /** Of those that wait. */
  #entries = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Its turn comes with `proceed`. */
  take(sync: Sync, context: ConnectionContext): void {
    this.#entries += sync.entries.length;
    if (this.#waiting.length < LIMITS.syncFrames && this.#entries <= 2 * LIMITS.userChats) {
      this.#waiting.push(sync);
      return;
    }
    this.#drop();
    this.#connection.meter.flooded();
    this.#connection.violation('rate_limited', CLOSE.flood, 'flooding', context);
  }

  /** Takes what may be taken now. Answers ms after which that may be otherwise; 0: nothing waits. */
  proceed(context: ConnectionContext): number {
    const { meter } = this.#connection;
    for (let entries = 0; this.#waiting.length > 0; ) {
      if (meter.pause > 0) return meter.pause;
      if (entries >= LIMITS.syncPart) return SOON;
      const sync = this.#waiting.shift()!;
      entries += sync.entries.length;
      this.#entries -= sync.entries.length;
      meter.count(sync, 0);
      this.#add(sync, context);
    }
    return 0;
  }

  #add({ entries, more, backfill }: Sync, context: ConnectionContext): void {
    const next = this.#connection.resume.add(entries, more, backfill);
    if (next === 'read') this.#connection.synchronise(context);
    if (next !== 'flood') return;
    this.#drop();
    const detail = `a vector lists at most ${LIMITS.userChats} chats`;
    this.#connection.violation('full', CLOSE.flood, detail, context);
  }

  #drop(): void {
    this.#waiting = [];
    this.#entries = 0;
  }
}
