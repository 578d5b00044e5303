// Owns the hand-over of messages to the application, and the credit that paces the server by it.
// Invariant: one chat's releases are handled one after another, in order; credit for a message goes back only when its
// listeners are done, so at most LIMITS.clientCredit deliveries wait here.
// Must not: know listeners or frames.

import { LIMITS } from '../actors/limits.js';
import type { ChatLog, Item, Release } from './chat-log.js';

export interface DeliveryHooks {
  /** Tells the application. A promise holds the chat's next release back; it never rejects. */
  handle(log: ChatLog, release: Release): Promise<unknown> | undefined;
  handled(log: ChatLog, release: Release): void;
  /** CREDIT for the server. False: it does not listen yet. */
  grant(n: number): boolean;
}

export class Delivery {
  readonly #hooks: DeliveryHooks;
  readonly #credit: number;
  /** Paid items that are held or queued. */
  #outstanding = 0;
  /** Credit to give back. */
  #owed = 0;
  /** What the server may still send. */
  #left = 0;
  #started = false;
  #stopped = false;

  constructor(hooks: DeliveryHooks, credit: number = LIMITS.clientCredit) {
    this.#hooks = hooks;
    this.#credit = credit;
  }

  get started(): boolean {
    return this.#started;
  }

  /** Messages that may be held ahead of gaps: a quarter, since credit goes back by halves and what fills a gap costs credit. */
  get room(): number {
    return Math.min(LIMITS.clientHeld, Math.floor(this.#credit / 4));
  }

  /** The server has no credit left: a gap may only be waiting. */
  get starved(): boolean {
    return this.#left === 0;
  }

  /** Credit to grant in HELLO: what is still to be handled here counts against it. */
  open(): number {
    this.#owed = 0;
    this.#left = Math.max(0, this.#credit - this.#outstanding);
    return this.#left;
  }

  start(logs: Iterable<ChatLog>): void {
    this.#started = true;
    for (const log of logs) this.run(log);
  }

  stop(): void {
    this.#stopped = true;
  }

  arrived(item: Item): void {
    if (!item.paid) return;
    this.#outstanding++;
    this.#left = Math.max(0, this.#left - 1);
  }

  /** The item needs no handling, or had it. Credit goes back in halves of the window: few frames, never starved. */
  free(paid: boolean): void {
    if (!paid) return;
    this.#outstanding--;
    this.#owed++;
    this.grant();
  }

  /** Also once the server listens: what became free since HELLO is not in its credit. */
  grant(): void {
    if (this.#owed * 2 < this.#credit || !this.#hooks.grant(this.#owed)) return;
    this.#left += this.#owed;
    this.#owed = 0;
  }

  run(log: ChatLog): void {
    while (this.#started && !this.#stopped && !log.busy) {
      const release = log.queue.shift();
      if (release === undefined) return;
      // Also during a synchronous handler: what it causes must not overtake it.
      log.busy = true;
      const wait = this.#hooks.handle(log, release);
      if (wait === undefined) {
        this.#finish(log, release);
        continue;
      }
      wait.then(() => {
        this.#finish(log, release);
        this.run(log);
      });
    }
  }

  #finish(log: ChatLog, release: Release): void {
    log.busy = false;
    log.done = release.seq;
    if (release.type === 'item') this.free(release.item.paid);
    else if (release.type === 'own') this.free(release.paid);
    if (!this.#stopped) this.#hooks.handled(log, release);
  }
}
