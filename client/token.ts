// Owns the token: getting it, and getting a fresh one before it ends.
// Invariant: after `stop` nothing more is asked or done, also not by an answer under way.
// Must not: keep or log the token.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import { asWeftError, WeftError } from './errors.js';

/** A JWT, or a function that gets a fresh one for each connection and before the present one ends. */
export type TokenSource = string | (() => string | Promise<string>);

export class TokenKeeper {
  readonly #world: World;
  readonly #source: TokenSource;
  #cancel: (() => void) | undefined;
  #round = 0;

  constructor(world: World, source: TokenSource) {
    this.#world = world;
    this.#source = source;
  }

  /** A refused token may be followed by a better one. */
  get renewable(): boolean {
    return typeof this.#source === 'function';
  }

  /** Rejects with `token_failed`. */
  fetch(): Promise<string> {
    const source = this.#source;
    if (typeof source === 'string') return Promise.resolve(source);
    return new Promise((resolve, reject) => {
      const cancel = this.#world.timer(LIMITS.clientTokenMs, () => {
        reject(new WeftError('token_failed', `no token within ${LIMITS.clientTokenMs} ms`));
      });
      // Called inside a promise, so that a function that throws at once rejects like any other.
      Promise.resolve()
        .then(source)
        .then(resolve, (error: unknown) => reject(asWeftError(error, 'token_failed')))
        .finally(cancel);
    });
  }

  /**
   * Calls `due` when the token should be renewed. `expires` and `serverTime` are ms since 1970 on the server's clock, so
   * a wrong clock here does not matter; 0 stands for no end.
   */
  watch(expires: number, serverTime: number, due: () => void): void {
    this.stop();
    if (!this.renewable || expires === 0) return;
    const life = Math.max(0, expires - serverTime);
    this.#wait(this.#round, Math.max(life / 2, life - LIMITS.clientTokenLeadMs), due);
  }

  stop(): void {
    this.#round++;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #wait(round: number, ms: number, due: () => void): void {
    const step = Math.min(ms, LIMITS.clientTimerMs);
    this.#cancel = this.#world.timer(step, () => {
      if (round !== this.#round) return;
      if (ms > step) this.#wait(round, ms - step, due);
      else due();
    });
  }
}
