// Owns the unacknowledged messages of one chat, in the order they were given.
// Invariant: while the first message is being retried, none behind it is sent; after a refusal nothing is sent before all
// that was on its way is answered: a later message would overtake one whose refusal is still to come.
// Must not: count windows or bytes; outbox.ts does.

import type { World } from '../actors/world.js';
import type { ChatLog } from './chat-log.js';
import type { WeftError } from './errors.js';
import type { Receipt } from './outbox.js';

export interface Pending {
  readonly id: Uint8Array;
  readonly body: Uint8Array;
  /** `storing`: not durable here yet. `flying`: sent, unanswered. */
  state: 'storing' | 'ready' | 'flying';
  /** Refusals so far. */
  attempts: number;
  /** Its number on the present connection. */
  number?: number;
  /** Refused for now on the present connection: the server takes nothing else of the chat before it comes again. */
  refused?: boolean;
  /** It was found in the log, and is only in line because the server may be waiting for it. */
  found?: boolean;
  /** Absent for messages of an earlier session. */
  readonly resolve?: (receipt: Receipt) => void;
  readonly reject?: (error: WeftError) => void;
}

export class Lane {
  readonly log: ChatLog;
  readonly entries: Pending[] = [];
  flying = 0;
  /** The chat's id is being asked for. */
  locating = false;
  /** One was refused for now, and others that were sent after it are not answered yet. */
  #refused = false;
  #cancel: (() => void) | undefined;
  #until = 0;

  constructor(log: ChatLog) {
    this.log = log;
  }

  /** The message to send now, if any. */
  next(pipeline: number): Pending | undefined {
    if (this.#cancel !== undefined || this.locating || this.flying >= pipeline) return undefined;
    if (this.#refused && this.flying > 0) return undefined;
    this.#refused = false;
    const index = this.entries.findIndex((pending) => pending.state !== 'flying');
    const pending = this.entries[index];
    if (pending?.state !== 'ready') return undefined;
    const first = this.entries[0]!;
    return first.attempts > 0 && pending !== first ? undefined : pending;
  }

  /** Marks a refusal for now. True: one before it was refused, too, and this one only because of that. */
  refuse(pending: Pending): boolean {
    this.#refused = true;
    pending.state = 'ready';
    pending.refused = true;
    return this.entries.find(({ state }) => state === 'ready') !== pending;
  }

  remove(pending: Pending): void {
    const index = this.entries.indexOf(pending);
    if (index >= 0) this.entries.splice(index, 1);
  }

  /** At least so long: a shorter pause, of a message behind the one that is refused, does not end a longer one. */
  holdFor(world: World, ms: number, over: () => void): void {
    const until = world.now() + ms;
    if (this.#cancel !== undefined && until <= this.#until) return;
    this.#until = until;
    this.#cancel?.();
    this.#cancel = world.timer(ms, () => {
      this.#cancel = undefined;
      over();
    });
  }

  /** A new connection knows of no refusals. */
  connected(): void {
    this.clearHold();
    for (const pending of this.entries) pending.refused = false;
  }

  clearHold(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
