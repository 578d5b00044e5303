// Owns who hears of the end of one party that can be monitored: an actor of this runtime, or one of another node.
// Invariant: each monitor hears exactly once, or never after it was taken back; both sides forget it at the same moment.
// Must not: decide what an end means to those who hear of it.
//
//     first → [m] ⇄ [m] ⇄ [m]     newest first, in constant time both ways

import type { ExitReason } from './behaviour.js';

/** One who wants to hear of one party's end. */
export abstract class Monitor {
  target: Watchers | null = null;
  previous: Monitor | null = null;
  next: Monitor | null = null;

  /** The party ended. Called once, when nothing of it is left but this. */
  abstract down(reason: ExitReason): void;

  /** Takes it back; harmless when it has fired. */
  detach(): void {
    this.target?.unwatch(this);
  }
}

export class Watchers {
  #first: Monitor | null = null;

  /** How many there are. Counted on demand: only operators ask. */
  get watchers(): number {
    let count = 0;
    for (let monitor = this.#first; monitor !== null; monitor = monitor.next) count++;
    return count;
  }

  get watched(): boolean {
    return this.#first !== null;
  }

  watch(monitor: Monitor): void {
    monitor.target = this;
    monitor.next = this.#first;
    if (this.#first !== null) this.#first.previous = monitor;
    this.#first = monitor;
  }

  unwatch(monitor: Monitor): void {
    if (monitor.previous === null) this.#first = monitor.next;
    else monitor.previous.next = monitor.next;
    if (monitor.next !== null) monitor.next.previous = monitor.previous;
    monitor.target = null;
    monitor.previous = null;
    monitor.next = null;
  }

  /** Tells them all. Each is cut off before it hears, so none hears twice. */
  announce(reason: ExitReason): void {
    for (let monitor = this.#first; monitor !== null; monitor = this.#first) {
      this.unwatch(monitor);
      monitor.down(reason);
    }
  }
}
