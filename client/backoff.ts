// Owns how long a client waits before it dials again.
// Invariant: waits are uniform in 0 … min(cap, base × 2^attempt), "full jitter" (AWS Architecture Blog, "Exponential
// Backoff And Jitter"), so that the clients of a node that fell do not come back in step; never less than the server asked.
// Must not: hold timers.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';

export interface BackoffOptions {
  /** ms. */
  readonly base?: number;
  readonly cap?: number;
  /** The first attempt after a stable connection goes out at once. For few clients; a herd of them hurts a server. */
  readonly immediate?: boolean;
}

export class Backoff {
  readonly #world: World;
  readonly #base: number;
  readonly #cap: number;
  readonly #immediate: boolean;
  #attempt = 0;

  constructor(world: World, options: BackoffOptions = {}) {
    this.#world = world;
    this.#base = options.base ?? LIMITS.clientBackoffBaseMs;
    this.#cap = options.cap ?? LIMITS.clientBackoffCapMs;
    this.#immediate = options.immediate ?? false;
  }

  get attempt(): number {
    return this.#attempt;
  }

  /** ms to wait now; `floor` is what the server asked for, to which a random part is added, of `most` at most. */
  next(floor = 0, most = Number.POSITIVE_INFINITY): number {
    const attempt = this.#attempt++;
    if (attempt === 0 && this.#immediate && floor === 0) return 0;
    const ceiling = Math.min(most, this.#cap, this.#base * 2 ** Math.min(attempt, 30));
    return floor + this.#world.random() * ceiling;
  }

  reset(): void {
    this.#attempt = 0;
  }
}
