// Owns what became of messages that no actor will handle: the newest of them, and counts of all.
// Invariant: bounded; every message refused as `dead` or left queued by an actor that ended is counted here once.
// Must not: deliver them again, or print them: they may hold bodies.

import type { ExitReason } from './behaviour.js';
import type { Ref } from './ref.js';

export interface DeadLetter {
  /** Monotonic ms of the runtime's last look at the clock. */
  readonly at: number;
  readonly to: Ref<never>;
  readonly message: unknown;
  /** Why the actor ended, when that is why the message is here; absent where it was told after its end. */
  readonly reason?: ExitReason;
}

export class DeadLetters {
  readonly #limit: number;
  readonly #letters: DeadLetter[] = [];
  readonly #subscribers = new Set<(letter: DeadLetter) => void>();
  readonly #fault: (error: unknown) => void;
  #oldest = 0;
  #count = 0;

  /** `fault` hears what a subscriber threw. */
  constructor(limit: number, fault: (error: unknown) => void) {
    this.#limit = limit;
    this.#fault = fault;
  }

  /** All there ever were. */
  get count(): number {
    return this.#count;
  }

  add(letter: DeadLetter): void {
    this.#count++;
    if (this.#letters.length < this.#limit) this.#letters.push(letter);
    else {
      this.#letters[this.#oldest] = letter;
      this.#oldest = (this.#oldest + 1) % this.#limit;
    }
    for (const subscriber of this.#subscribers) {
      try {
        subscriber(letter);
      } catch (error) {
        this.#fault(error);
      }
    }
  }

  /** The newest ones, oldest first. */
  list(): DeadLetter[] {
    return [...this.#letters.slice(this.#oldest), ...this.#letters.slice(0, this.#oldest)];
  }

  /** Calls back for each from now on; the returned function ends it. */
  subscribe(subscriber: (letter: DeadLetter) => void): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }
}
