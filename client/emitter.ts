// Owns typed events of a session.
// Invariant: listeners run in the order they were added; one that throws keeps no other from running; what they return is
// handed back, so that a message counts as handled only when its listeners are done.
// Must not: know what the events mean.

import { LIMITS } from '../actors/limits.js';
import { WeftError } from './errors.js';

export type Listener<E> = (event: E) => unknown;

export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Listener<never>[]>();
  /** Told of every listener's failure. */
  readonly #failed: (name: keyof Events, error: unknown) => void;

  constructor(failed: (name: keyof Events, error: unknown) => void) {
    this.#failed = failed;
  }

  /** The returned function removes the listener. Throws `bad_argument` at the limit: that many are a leak. */
  on<K extends keyof Events>(name: K, listener: Listener<Events[K]>): () => void {
    const present = this.#listeners.get(name) ?? [];
    if (present.length >= LIMITS.clientListeners) {
      throw new WeftError('bad_argument', `over ${LIMITS.clientListeners} listeners for ${String(name)}`);
    }
    // Replaced, never changed in place: an emit under way goes on over the list it began with.
    this.#listeners.set(name, [...present, listener]);
    return () => {
      const rest = (this.#listeners.get(name) ?? []).filter((other) => other !== listener);
      this.#listeners.set(name, rest);
    };
  }

  has(name: keyof Events): boolean {
    return (this.#listeners.get(name)?.length ?? 0) > 0;
  }

  /** A promise where a listener returned one; it never rejects. */
  emit<K extends keyof Events>(name: K, event: Events[K]): Promise<unknown> | undefined {
    const waits: Promise<unknown>[] = [];
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        const result = (listener as Listener<Events[K]>)(event);
        if (result instanceof Promise) waits.push(result.catch((error: unknown) => this.#failed(name, error)));
      } catch (error) {
        this.#failed(name, error);
      }
    }
    return waits.length === 0 ? undefined : Promise.all(waits);
  }
}
