// Owns virtual time: one heap of everything that is going to happen in the world.
// Invariant: events run one at a time by (time, order of scheduling); between two of them all promises that can settle have
// settled; a time in which nothing happens costs nothing. Every event counts into the trace, so two runs can be compared.
// Must not: know what happens in an event, or wait for anything of the machine.

import { Trace } from './trace.js';

/** Whose event it is: it may hold it back (frozen) or want it no more (dead). */
export interface Owner {
  readonly number: number;
  /** Asked as the event is due. `held`: the owner keeps it, and schedules it again itself. */
  takes(event: Event): 'run' | 'held' | 'dropped';
}

export interface Event {
  /** Virtual ms. */
  at: number;
  order: number;
  readonly owner: Owner;
  /** A timer of the owner's own: after a freeze those come first. */
  readonly timer: boolean;
  /** Null: cancelled, or done. */
  task: (() => void) | null;
}

/** The world itself: what plans and networks do happens whoever is dead. */
export const WORLD: Owner = { number: 0, takes: () => 'run' };

/** Events for which the machine's loop is armed at once. */
const BATCH = 128;

export class Clock {
  readonly trace = new Trace();
  /** Virtual ms since the history began. */
  now = 0;
  /** Events that ran, and how many may: more mean that something goes round and round. */
  events = 0;
  most = Number.POSITIVE_INFINITY;
  /** Whose event runs, or ran last. */
  running: Owner = WORLD;
  /** Told of what an event threw. */
  thrown: (error: unknown, owner: Owner) => void = (error) => {
    throw error;
  };
  readonly #heap: Event[] = [];
  #order = 0;
  #until = 0;
  #stopped = false;
  #armed = 0;
  #done: (() => void) | null = null;

  /** Runs `task` at `at`, or now if that is past. */
  schedule(at: number, owner: Owner, task: () => void, timer = false): Event {
    const event: Event = { at: Math.max(at, this.now), order: this.#order++, owner, timer, task };
    this.#push(event);
    return event;
  }

  /** Runs it now after all: its owner had held it back. */
  again(event: Event): void {
    event.at = this.now;
    event.order = this.#order++;
    this.#push(event);
  }

  /** Events not run yet, cancelled ones included. */
  get pending(): number {
    return this.#heap.length;
  }

  /** Ends `run` after the present event. */
  stop(): void {
    this.#stopped = true;
  }

  /** Runs what is due up to `until`, or until `stop`. */
  run(until: number): Promise<void> {
    this.#until = until;
    this.#stopped = this.events >= this.most;
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#arm();
    });
  }

  /**
   * Node drains microtasks after every immediate, also within a batch of them; so one immediate is one event, and the loop
   * itself, which costs more than an event, turns once a batch. Rejections nobody handles are told of at the same point.
   */
  #arm(): void {
    this.#armed = BATCH;
    for (let n = 0; n < BATCH; n += 1) setImmediate(this.#step);
  }

  readonly #step = (): void => {
    this.#armed -= 1;
    if (this.#done !== null && !this.#next()) {
      const done = this.#done;
      this.#done = null;
      if (!this.#stopped) this.now = Math.max(this.now, this.#until);
      done();
    }
    if (this.#armed === 0 && this.#done !== null) this.#arm();
  };

  /** Runs one event. False: there is none within the time. */
  #next(): boolean {
    for (;;) {
      const event = this.#heap[0];
      if (this.#stopped || event === undefined || event.at > this.#until) return false;
      this.#pop();
      const { task, owner } = event;
      if (task === null) continue;
      if (event.at > this.now) this.now = event.at;
      const verdict = owner.takes(event);
      if (verdict === 'held') continue;
      event.task = null;
      if (verdict === 'dropped') continue;
      this.events += 1;
      if (this.events === this.most) this.stop();
      this.running = owner;
      this.trace.number(event.at);
      this.trace.number(owner.number);
      try {
        task();
      } catch (error) {
        this.thrown(error, owner);
      }
      return true;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above]!;
      if (!before(event, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    const size = heap.length;
    if (size === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= size) break;
      if (below + 1 < size && before(heap[below + 1]!, heap[below]!)) below += 1;
      const child = heap[below]!;
      if (!before(child, last)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
