// Owns the question whether this node may still take itself for a member, by its own monotonic clock.
// Invariant: it counts itself out before anybody else may (LIMITS.lapseMs < LIMITS.leaseMs, and others count from later); asked in the
// very turn in which the answer matters, so a process that was frozen finds out before it does anything else.
// Must not: be what safety rests on: two clocks may run at two speeds. The grant in each append's transaction is.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';

export class Lease {
  readonly #world: World;
  /** Begin of the last beat that the store took. */
  #began = Number.NEGATIVE_INFINITY;

  constructor(world: World) {
    this.#world = world;
  }

  /** A beat that began then is in the store. */
  renewed(began: number): void {
    this.#began = Math.max(this.#began, began);
  }

  get lapsed(): boolean {
    return this.age > LIMITS.lapseMs;
  }

  /** ms since the begin of the last good beat. */
  get age(): number {
    return this.#world.now() - this.#began;
  }
}
