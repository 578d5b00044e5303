// Owns watches over an environment that other processes write too.
// Invariant: a change by this process is told when its commit is answered; one by another is seen by comparing values every
// LIMITS.watchPollMs, so two changes that cancel out within that time are not told.
// Must not: keep the process alive, or poll when nobody watches.

import { LIMITS } from '../actors/limits.js';
import { equalBytes } from './bytes.js';
import { keyOf, nameOf, WatchList } from './watch-list.js';

export class LmdbWatch {
  readonly #list = new WatchList();
  readonly #seen = new Map<string, Uint8Array | undefined>();
  readonly #read: (key: Uint8Array) => Uint8Array | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor(read: (key: Uint8Array) => Uint8Array | undefined) {
    this.#read = read;
  }

  add(key: Uint8Array, changed: () => void): () => void {
    const name = nameOf(key);
    const end = this.#list.add(key, changed);
    if (!this.#seen.has(name)) this.#seen.set(name, this.#read(key));
    this.#poll ??= setInterval(() => this.#look(), LIMITS.watchPollMs).unref();
    return () => {
      end();
      if (!this.#list.has(name)) this.#seen.delete(name);
      if (this.#list.size === 0) this.#stop();
    };
  }

  /** A commit of this process changed the key. */
  touch(key: Uint8Array): void {
    if (this.#list.size === 0) return;
    const name = nameOf(key);
    if (!this.#list.has(name)) return;
    this.#seen.set(name, this.#read(key));
    this.#list.touch(name);
  }

  clear(): void {
    this.#list.clear();
    this.#seen.clear();
    this.#stop();
  }

  #look(): void {
    for (const [name, before] of this.#seen) {
      const now = this.#read(keyOf(name));
      if (before === undefined || now === undefined ? before === now : equalBytes(before, now)) continue;
      this.#seen.set(name, now);
      this.#list.touch(name);
    }
  }

  #stop(): void {
    clearInterval(this.#poll);
    this.#poll = undefined;
  }
}
