// Owns how long clients' sends took of late on this node: from the frame SEND to its answer, whatever happened in between.
// Invariant: a send that was refused for now counts with the time after which it may come again: that is what its sender feels.
// Bounded: a few KB, however many sends there are.
// Must not: know chats or clients.
//
// Counts by powers of 2^⅛ ms in slots of a second, so a percentile is exact to 9 % (as HdrHistogram does with digits).

import { LIMITS } from './limits.js';
import type { World } from './world.js';

/** ms that the first bucket ends with. */
const FINEST = 0.1;
const PER_OCTAVE = 8;
/** Up to 100 s. */
const BUCKETS = 160;
const SLOTS = LIMITS.latencySlots;

export class Latency {
  readonly #world: World;
  readonly #slots = Array.from({ length: SLOTS }, () => new Uint32Array(BUCKETS));
  /** Number of the second that each slot holds. */
  readonly #of = new Array<number>(SLOTS).fill(-1);

  constructor(world: World) {
    this.#world = world;
  }

  /** For `end`. */
  begin(): number {
    return this.#world.now();
  }

  /** `after`: ms for which the sender is to wait before it tries again. */
  end(began: number, after: number): void {
    this.note(this.#world.now() - began + after);
  }

  note(ms: number): void {
    const bucket = Math.ceil(Math.log2(ms / FINEST) * PER_OCTAVE);
    this.#now()[Math.min(BUCKETS - 1, Math.max(0, bucket))]! += 1;
  }

  /**
   * ms that 99 of 100 sends stayed within, in the last seconds. Of fewer than a hundred the slowest one is left out: a single one
   * says little. Null: there were fewer than two.
   */
  get p99(): number | null {
    const second = this.#second();
    const slots = this.#slots.filter((_, at) => second - this.#of[at]! < SLOTS);
    let count = 0;
    for (const slot of slots) for (const some of slot) count += some;
    if (count < 2) return null;
    let slower = Math.max(1, Math.floor(count / 100));
    for (let bucket = BUCKETS - 1; bucket > 0; bucket -= 1) {
      for (const slot of slots) slower -= slot[bucket]!;
      if (slower < 0) return FINEST * 2 ** (bucket / PER_OCTAVE);
    }
    return FINEST;
  }

  #now(): Uint32Array {
    const second = this.#second();
    const at = second % SLOTS;
    const slot = this.#slots[at]!;
    if (this.#of[at] !== second) {
      slot.fill(0);
      this.#of[at] = second;
    }
    return slot;
  }

  #second(): number {
    return Math.floor(this.#world.now() / LIMITS.latencySlotMs);
  }
}
