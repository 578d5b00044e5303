// Owns which connections of this node others know: by number, with whom to tell of their end.
// Invariant: a connection has one number in its node's life, its incarnation, whoever asks; it is known as long as it lives, and each
// node that was told of it hears of its end once.
// Must not: know links, or what is told to connections.

import type { ConnectionRef } from '../actors/messages.js';
import type { Runtime } from '../actors/runtime.js';

/** One session with another node. */
export interface Guest {
  /** Numbers of the connections that it knows. */
  readonly known: Set<number>;
  gone(number: number): void;
}

interface Export {
  readonly ref: ConnectionRef;
  readonly guests: Set<Guest>;
  readonly forget: () => void;
}

export class Exports {
  readonly #runtime: Runtime;
  readonly #exports = new Map<number, Export>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  get size(): number {
    return this.#exports.size;
  }

  /** The number of a connection of this node, which the guest knows from now on. */
  share(ref: ConnectionRef, guest: Guest): number {
    const number = ref.incarnation;
    if (guest.known.has(number)) return number;
    guest.known.add(number);
    const known = this.#exports.get(number);
    if (known !== undefined) known.guests.add(guest);
    else {
      const forget = this.#runtime.watch(ref, () => this.#ended(number));
      this.#exports.set(number, { ref, guests: new Set([guest]), forget });
    }
    return number;
  }

  get(number: number): ConnectionRef | undefined {
    return this.#exports.get(number)?.ref;
  }

  /** A guest was told of it by somebody else. */
  hold(number: number, guest: Guest): void {
    const known = this.#exports.get(number);
    if (known === undefined) return guest.gone(number);
    known.guests.add(guest);
    guest.known.add(number);
  }

  /** The session is over. */
  left(guest: Guest): void {
    for (const number of guest.known) {
      const known = this.#exports.get(number);
      known?.guests.delete(guest);
      if (known?.guests.size !== 0) continue;
      known.forget();
      this.#exports.delete(number);
    }
    guest.known.clear();
  }

  #ended(number: number): void {
    const known = this.#exports.get(number);
    this.#exports.delete(number);
    for (const guest of known?.guests ?? []) {
      guest.known.delete(number);
      guest.gone(number);
    }
  }
}
