// Owns the queue of one actor: two lanes, signals before messages, and the rings they are kept in.
// Invariant: each lane is first in, first out, and a superseded message keeps its place; an idle mailbox holds no ring.
// Must not: know what messages mean, who sends them or when the cell runs.

import type { Signal } from './behaviour.js';
import { assert } from './errors.js';

/** What an empty lane yields. A message may be anything else, `undefined` included. */
export const EMPTY: unique symbol = Symbol('empty');

/**
 * A queue in a circular array. `head` and `tail` only rise, so that a position stays a message's name while others come
 * and go; the slot is the position's low bits.
 *
 *     slots   [ e | f | · | · | · | b | c | d ]      length 8, a power of two
 *                       ^tail=18  ^head=13           13 & 7 = 5, 18 & 7 = 2
 */
export class Ring<T> {
  #slots: (T | undefined)[];
  #head = 0;
  #tail = 0;
  /** Newest position of each coalescing key; exists only after the mailbox overflowed and until it is empty. */
  index: Map<unknown, number> | null = null;

  constructor(length: number) {
    assert(length > 0 && (length & (length - 1)) === 0, 'a ring has a power of two of slots');
    this.#slots = Array.from({ length }, () => undefined);
  }

  get length(): number {
    return this.#slots.length;
  }

  get size(): number {
    return this.#tail - this.#head;
  }

  get head(): number {
    return this.#head;
  }

  /** Returns the message's position. */
  push(value: T): number {
    if (this.#tail - this.#head === this.#slots.length) this.#grow();
    this.#slots[this.#tail & (this.#slots.length - 1)] = value;
    return this.#tail++;
  }

  shift(): T | typeof EMPTY {
    if (this.#head === this.#tail) return EMPTY;
    const slot = this.#head++ & (this.#slots.length - 1);
    const value = this.#slots[slot] as T;
    this.#slots[slot] = undefined;
    return value;
  }

  at(position: number): T {
    assert(position >= this.#head && position < this.#tail, 'the position is queued');
    return this.#slots[position & (this.#slots.length - 1)] as T;
  }

  replace(position: number, value: T): void {
    assert(position >= this.#head && position < this.#tail, 'the position is queued');
    this.#slots[position & (this.#slots.length - 1)] = value;
  }

  /** Only when empty: positions start again, which keeps them small integers. */
  reset(): void {
    assert(this.#head === this.#tail, 'only an empty ring is reset');
    this.#head = 0;
    this.#tail = 0;
    this.index = null;
  }

  #grow(): void {
    const length = this.#slots.length * 2;
    const slots: (T | undefined)[] = Array.from({ length }, () => undefined);
    for (let position = this.#head; position < this.#tail; position++) {
      slots[position & (length - 1)] = this.#slots[position & (this.#slots.length - 1)];
    }
    this.#slots = slots;
  }
}

/** Rings that no mailbox needs now. Last given, first taken: it is warm, and has the size that the load asks for. */
export class RingPool<T> {
  readonly #free: Ring<T>[] = [];
  readonly #start: number;
  readonly #limit: number;
  #slots = 0;

  /** `start`: slots of a new ring. `limit`: slots kept in all. */
  constructor(start: number, limit: number) {
    this.#start = start;
    this.#limit = limit;
  }

  /** Slots kept. */
  get slots(): number {
    return this.#slots;
  }

  take(): Ring<T> {
    const ring = this.#free.pop();
    if (ring === undefined) return new Ring<T>(this.#start);
    this.#slots -= ring.length;
    return ring;
  }

  give(ring: Ring<T>): void {
    ring.reset();
    if (this.#slots + ring.length > this.#limit) return;
    this.#slots += ring.length;
    this.#free.push(ring);
  }
}

/** Where all mailboxes of a runtime get their rings. */
export interface Rings {
  readonly messages: RingPool<unknown>;
  readonly signals: RingPool<Signal>;
}

/**
 * The lanes of one actor. A message alone in its lane needs no ring: most mailboxes never hold two.
 *
 * A base class of the cell and not a part of it: that saves each actor an object, and each tell a cache miss.
 */
export class Mailbox {
  #first: unknown = EMPTY;
  #messages: Ring<unknown> | null = null;
  #signals: Ring<Signal> | null = null;

  /** Messages in the user lane. */
  get queued(): number {
    if (this.#messages !== null) return this.#messages.size;
    return this.#first === EMPTY ? 0 : 1;
  }

  /** Signals in the system lane. */
  get signalled(): number {
    return this.#signals === null ? 0 : this.#signals.size;
  }

  /** Appends to the user lane; false when it holds `capacity` messages already. */
  protected offer(message: unknown, capacity: number, rings: Rings): boolean {
    let ring = this.#messages;
    if (ring === null) {
      if (this.#first === EMPTY) {
        this.#first = message;
        return true;
      }
      if (capacity <= 1) return false;
      ring = rings.messages.take();
      ring.push(this.#first);
      this.#first = EMPTY;
      this.#messages = ring;
    } else if (ring.size >= capacity) return false;
    ring.push(message);
    return true;
  }

  protected offerSignal(signal: Signal, rings: Rings): void {
    this.#signals ??= rings.signals.take();
    this.#signals.push(signal);
  }

  protected nextMessage(): unknown {
    const ring = this.#messages;
    if (ring !== null) return ring.shift();
    const message = this.#first;
    this.#first = EMPTY;
    return message;
  }

  protected nextSignal(): Signal | typeof EMPTY {
    return this.#signals === null ? EMPTY : this.#signals.shift();
  }

  /**
   * Puts what `over` makes of it in the place of the newest queued message with this key; false where there is none. `keyOf`
   * answers EMPTY for messages that cannot be superseded. Constant time but for the first call after an overflow, which
   * indexes what is queued.
   */
  protected supersede(key: unknown, keyOf: (message: unknown) => unknown, over: (queued: unknown) => unknown): boolean {
    const ring = this.#messages;
    if (ring === null) {
      if (this.#first === EMPTY || !sameKey(keyOf(this.#first), key)) return false;
      this.#first = over(this.#first);
      return true;
    }
    // Messages may have come and gone since the index was made, at its ends only: forget it when it is mostly history.
    if (ring.index === null || ring.index.size > 2 * ring.size) ring.index = new Map();
    const index = ring.index;
    const end = ring.head + ring.size;
    let position = Math.max(ring.head, (index.get(INDEXED) as number | undefined) ?? 0);
    for (; position < end; position++) {
      const queuedKey = keyOf(ring.at(position));
      if (queuedKey !== EMPTY) index.set(queuedKey, position);
    }
    index.set(INDEXED, end);
    const place = index.get(key);
    if (place === undefined || place < ring.head) return false;
    ring.replace(place, over(ring.at(place)));
    return true;
  }

  /** Gives empty rings back; the actor has nothing to do. */
  protected relax(rings: Rings): void {
    if (this.#messages !== null && this.#messages.size === 0) {
      rings.messages.give(this.#messages);
      this.#messages = null;
    }
    if (this.#signals !== null && this.#signals.size === 0) {
      rings.signals.give(this.#signals);
      this.#signals = null;
    }
  }
}

/** Key of the index's own entry: the position up to which the queue is indexed. */
const INDEXED: unique symbol = Symbol('indexed');

function sameKey(one: unknown, other: unknown): boolean {
  return one === other || (Number.isNaN(one) && Number.isNaN(other));
}
