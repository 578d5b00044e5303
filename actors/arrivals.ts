// Owns how many connections are on their way in at once: from HELLO until its client was certified, or is to ask for it itself.
// Invariant: bounded, so that each that is let in is served soon, however many come: a node that serves all of ten thousand at once serves
// none before it gives up waiting. Who has to wait is told for how long, at the rate at which the others were served, each another time,
// so that they come back one after the other and not in waves.
// Must not: keep a list of those who wait, or know what they wait for: another node may serve them.

import { LIMITS } from './limits.js';
import type { World } from './world.js';

export class Arrivals {
  readonly #world: World;
  #count = 0;
  /** ms from one that was served to the next, while many wait; smoothed. */
  #every: number = LIMITS.arrivalMs;
  /** When the last one was served. */
  #last = 0;
  /** When the last one of those that wait was told to come. */
  #booked = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Connections on their way in. */
  get size(): number {
    return this.#count;
  }

  /** 0: it is let in, and `leave` must follow. Else ms after which it may come again. */
  enter(): number {
    if (this.#count < LIMITS.arrivals) {
      this.#count += 1;
      return 0;
    }
    const now = this.#world.now();
    this.#booked = Math.max(this.#booked, now + LIMITS.arrivalLeastMs) + this.#every * LIMITS.arrivalShare;
    // What is booked further ahead is guesswork: those come spread over the time before, and may have to wait once more.
    if (this.#booked > now + LIMITS.arrivalMostMs) {
      this.#booked = now + LIMITS.arrivalMostMs;
      return Math.ceil(LIMITS.arrivalMostMs * (0.5 + this.#world.random() / 2));
    }
    return Math.ceil(this.#booked - now);
  }

  /** One that was let in is served, or gone. */
  leave(): void {
    const now = this.#world.now();
    // With few on their way, what passes between two is the time until somebody comes.
    if (this.#count > LIMITS.arrivals / 2) {
      this.#every += (Math.min(now - this.#last, LIMITS.arrivalGapMs) - this.#every) / LIMITS.arrivalSmooth;
    }
    this.#last = now;
    this.#count -= 1;
  }
}
