// Owns a simulated process: the World that its code sees, and how it dies, stands still or limps.
// Invariant: nothing of a dead process runs any more; of a frozen one nothing runs until it goes on, then all that was due, its
// timers first, as on a machine; what it deferred runs in order.
// Must not: know what the process is for.

import type { Site } from '../actors/buggify.js';
import type { World } from '../actors/world.js';
import type { Clock, Event, Owner } from './clock.js';
import { type Random, stream } from './random.js';

export interface ProcessOptions {
  readonly clock: Clock;
  readonly seed: number;
  /** Differs from all others' that ever were in this world: `n1#2` is the second life of n1. */
  readonly name: string;
  /** Identifies it in traces. */
  readonly number: number;
  /** ms by which its wall clock is ahead of the world's. */
  readonly skew: number;
  /** ms that a turn of its event loop takes, least and most. */
  readonly turn: readonly [number, number];
  /** What World.buggify answers; absent: always no. */
  readonly buggify?: ((site: Site, random: Random) => boolean) | undefined;
}

/** Wall clock of the world's beginning: a day in 2027, so that ids look like ids. */
const EPOCH = 1_800_000_000_000;

/** Wall ms at a virtual time. */
export function wallAt(ms: number): number {
  return EPOCH + Math.floor(ms);
}

export class Process implements World, Owner {
  readonly number: number;
  readonly name: string;
  readonly random: Random;
  readonly clock: Clock;
  /** ms that its wall clock is ahead; a step may move it. */
  skew: number;
  /** Timers and deferred tasks waiting. */
  timers = 0;
  readonly #options: ProcessOptions;
  readonly #luck: Random;
  readonly #born: number;
  #alive = true;
  #frozen = false;
  #held: Event[] = [];
  #turn = 0;
  /** Events of its own until it dies; null: not wanted. */
  #fuse: { left: number; readonly blow: () => void } | null = null;

  constructor(options: ProcessOptions) {
    const { clock, seed, name, number, skew } = options;
    this.#options = options;
    this.clock = clock;
    this.name = name;
    this.number = number;
    this.skew = skew;
    this.random = stream(seed, `process ${name}`);
    this.#luck = stream(seed, `turns ${name}`);
    this.#born = clock.now;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  // ---- as its code sees it ----

  now(): number {
    return 1_000 + this.clock.now - this.#born;
  }

  wall(): number {
    return wallAt(this.clock.now + this.skew);
  }

  randomBytes(length: number): Uint8Array {
    return this.random.bytes(length);
  }

  defer(task: () => void): void {
    const { now } = this.clock;
    // What is deferred within a turn waits for the next one.
    if (this.#turn <= now) {
      const [least, most] = this.#options.turn;
      this.#turn = now + least + this.#luck() * (most - least);
    }
    this.#schedule(this.#turn, task, false);
  }

  timer(ms: number, task: () => void): () => void {
    if (!(ms >= 0 && ms < 2 ** 31)) throw new Error(`no machine could wait for ${ms} ms`);
    const event = this.#schedule(this.clock.now + Math.max(1, Math.ceil(ms)), task, true);
    return () => {
      if (event.task !== null) this.timers -= 1;
      event.task = null;
    };
  }

  buggify(site: Site): boolean {
    return this.#options.buggify?.(site, this.#luck) ?? false;
  }

  // ---- as the world sees it ----

  /** Something from outside reaches it in `ms`. */
  arrive(ms: number, task: () => void): void {
    this.clock.schedule(this.clock.now + ms, this, task);
  }

  takes(event: Event): 'run' | 'held' | 'dropped' {
    if (!this.#alive) return 'dropped';
    if (this.#frozen) {
      this.#held.push(event);
      return 'held';
    }
    const fuse = this.#fuse;
    if (fuse !== null) {
      fuse.left -= 1;
      if (fuse.left < 0) {
        this.#fuse = null;
        fuse.blow();
        return this.takes(event);
      }
    }
    return 'run';
  }

  /** Calls `blow` just before the event after the next `events` ones of its own. */
  light(events: number, blow: () => void): void {
    this.#fuse = { left: events, blow };
  }

  /** Nothing of it runs any more. */
  end(): void {
    this.#alive = false;
    this.#held = [];
    this.#fuse = null;
  }

  freeze(): void {
    if (this.#alive) this.#frozen = true;
  }

  /** All that was due comes at once: timers, then what came from outside. */
  thaw(): void {
    if (!this.#frozen) return;
    this.#frozen = false;
    const held = this.#held;
    this.#held = [];
    for (const timers of [true, false]) {
      for (const event of held) if (event.timer === timers) this.clock.again(event);
    }
  }

  #schedule(at: number, task: () => void, timer: boolean): Event {
    this.timers += 1;
    return this.clock.schedule(
      at,
      this,
      () => {
        this.timers -= 1;
        task();
      },
      timer,
    );
  }
}
