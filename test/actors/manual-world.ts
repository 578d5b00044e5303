// Owns a World for tests: a clock that moves when told, and deferred tasks that run when told.
// Invariant: deterministic; the same calls give the same course.
// Must not: touch the machine's clock, timers or randomness.

import type { World } from '../../actors/world.js';

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly task: () => void;
}

export class ManualWorld implements World {
  /** ms. Tests may also move it from within a handler, as a slow handler would. */
  time = 1_000;
  #seed = 1;
  #order = 0;
  #deferred: (() => void)[] = [];
  #timers: Entry[] = [];
  /** How often the clock was read, and timers were set. */
  reads = 0;
  armed = 0;

  now(): number {
    this.reads++;
    return this.time;
  }

  wall(): number {
    return 1_700_000_000_000 + Math.floor(this.time);
  }

  random(): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#seed / 2 ** 32;
  }

  randomBytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => Math.floor(this.random() * 256));
  }

  defer(task: () => void): void {
    this.#deferred.push(task);
  }

  timer(ms: number, task: () => void): () => void {
    if (!(ms >= 0 && ms < 2 ** 31)) throw new Error(`no machine could wait for ${ms} ms`);
    this.armed++;
    const entry = { at: this.time + ms, order: this.#order++, task };
    this.#timers.push(entry);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== entry);
    };
  }

  /** Timers set and not fired. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Tasks deferred and not run. */
  get deferred(): number {
    return this.#deferred.length;
  }

  /** One turn of the event loop: what was deferred before it. */
  turn(): void {
    const tasks = this.#deferred;
    this.#deferred = [];
    for (const task of tasks) task();
  }

  /** Turns until nothing is deferred; throws when that does not happen within `limit` turns. */
  settle(limit = 10_000): void {
    for (let turns = 0; this.#deferred.length > 0; turns++) {
      if (turns === limit) throw new Error(`still busy after ${limit} turns`);
      this.turn();
    }
  }

  /** Moves the clock on by `ms`, timer by timer, settling after each. */
  advance(ms: number): void {
    const until = this.time + ms;
    this.settle();
    for (;;) {
      const due = this.#timers.filter((entry) => entry.at <= until);
      const next = due.sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((entry) => entry !== next);
      this.time = Math.max(this.time, next.at);
      next.task();
      this.settle();
    }
    this.time = until;
  }
}
