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
  /** How many of the keys begin with each byte: most that change begin with another, and cost one look then. */
  readonly #begins = new Uint32Array(256);
  #poll: NodeJS.Timeout | undefined;

  constructor(read: (key: Uint8Array) => Uint8Array | undefined) {
    this.#read = read;
  }

  add(key: Uint8Array, changed: () => void): () => void {
    const name = nameOf(key);
    const end = this.#list.add(key, changed);
    if (!this.#seen.has(name)) {
      this.#seen.set(name, this.#read(key));
      this.#begins[key[0]!]! += 1;
    }
    this.#poll ??= setInterval(() => this.#look(), LIMITS.watchPollMs).unref();
    return () => {
      end();
      if (!this.#list.has(name) && this.#seen.delete(name)) this.#begins[name.charCodeAt(0)]! -= 1;
      if (this.#list.size === 0) this.#stop();
    };
  }

  /** A commit of this process changed the key. */
  touch(key: Uint8Array): void {
    if (this.#begins[key[0]!] === 0) return;
    const name = nameOf(key);
    if (!this.#list.has(name)) return;
    this.#seen.set(name, this.#read(key));
    this.#list.touch(name);
  }

  clear(): void {
    this.#list.clear();
    this.#seen.clear();
    this.#begins.fill(0);
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
