// Owns who wants to hear of which key.
// Invariant: a callback runs in a microtask of its own, after the commit it tells of was answered; one that is ended does
// not run again; several changes within one turn may be told once.
// Must not: hold values or know an engine.

import { assert } from '../actors/errors.js';

interface Watch {
  readonly changed: () => void;
  told: boolean;
  ended: boolean;
}

export class WatchList {
  readonly #byKey = new Map<string, Set<Watch>>();

  /** Keys watched. */
  get size(): number {
    return this.#byKey.size;
  }

  add(key: Uint8Array, changed: () => void): () => void {
    assert(key.length > 0, 'a key has at least one byte');
    const name = nameOf(key);
    const watch: Watch = { changed, told: false, ended: false };
    const watches = this.#byKey.get(name);
    if (watches === undefined) this.#byKey.set(name, new Set([watch]));
    else watches.add(watch);
    return () => {
      watch.ended = true;
      const left = this.#byKey.get(name);
      left?.delete(watch);
      if (left?.size === 0) this.#byKey.delete(name);
    };
  }

  has(name: string): boolean {
    return this.#byKey.has(name);
  }

  /** Tells those who watch this key. */
  touch(name: string): void {
    for (const watch of this.#byKey.get(name) ?? []) {
      if (watch.told) continue;
      watch.told = true;
      queueMicrotask(() => {
        watch.told = false;
        if (!watch.ended) watch.changed();
      });
    }
  }

  clear(): void {
    for (const watches of this.#byKey.values()) for (const watch of watches) watch.ended = true;
    this.#byKey.clear();
  }
}

/** One character a byte, so that a Map can hold keys by value. */
export function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}

export function keyOf(name: string): Uint8Array {
  return Buffer.from(name, 'latin1');
}
