// Owns what one actor holds that its end must undo (monitors, timers, asks), its links, and those who hear of its end.
// Invariant: each monitor hears exactly once, or never after it was taken back; both sides forget it at the same moment.
// Must not: decide what an end means to those who hear of it (cell.ts).

import type { ExitReason } from './behaviour.js';
import type { Cell } from './cell.js';
import { type Monitor, Watchers } from './watchers.js';

/** A monitor that an actor keeps on another one. */
export interface Watching extends Monitor {
  readonly id: number;
}

/** Something an actor started that must not outlive it: a timer or an ask. */
export interface Held {
  readonly op: number;
  older: Held | null;
  newer: Held | null;
  /** Ends it without a signal. */
  drop(): void;
}

/**
 * What ties one actor to others; made when the first tie is. Chains through the ties themselves, so that most ties cost
 * no more than the object they need anyway.
 *
 *     held     → [t] ⇄ [a]           newest first; cancelling looks through at most LIMITS.operations
 *     watching → [m]  { id: [m] }    one alone needs no map: most actors watch one
 */
export class Bonds extends Watchers {
  readonly #cell: Cell;
  #held: Held | null = null;
  #holding = 0;
  #watchingOne: Watching | null = null;
  #watching: Map<number, Watching> | null = null;
  #links: Set<Cell> | null = null;

  constructor(cell: Cell) {
    super();
    this.#cell = cell;
  }

  /** Timers and asks open. */
  get holding(): number {
    return this.#holding;
  }

  get links(): number {
    return this.#links?.size ?? 0;
  }

  get watching(): number {
    return (this.#watchingOne === null ? 0 : 1) + (this.#watching?.size ?? 0);
  }

  hold(held: Held): void {
    held.older = this.#held;
    if (this.#held !== null) this.#held.newer = held;
    this.#held = held;
    this.#holding++;
  }

  release(held: Held): void {
    if (held.newer === null) this.#held = held.older;
    else held.newer.older = held.older;
    if (held.older !== null) held.older.newer = held.newer;
    held.older = null;
    held.newer = null;
    this.#holding--;
  }

  find(op: number): Held | null {
    let held = this.#held;
    while (held !== null && held.op !== op) held = held.older;
    return held;
  }

  /** Remembers a monitor that this actor keeps on another one. */
  addWatching(monitor: Watching): void {
    if (this.#watchingOne === null) {
      this.#watchingOne = monitor;
      return;
    }
    this.#watching ??= new Map();
    this.#watching.set(monitor.id, monitor);
  }

  removeWatching(id: number): Watching | undefined {
    const one = this.#watchingOne;
    if (one?.id === id) {
      this.#watchingOne = null;
      return one;
    }
    const monitor = this.#watching?.get(id);
    this.#watching?.delete(id);
    return monitor;
  }

  link(peer: Cell): void {
    this.#links ??= new Set();
    this.#links.add(peer);
  }

  unlink(peer: Cell): void {
    this.#links?.delete(peer);
  }

  /** Undoes what this actor holds: nothing of it fires or is answered from here on. */
  letGo(): void {
    while (this.#held !== null) this.#held.drop();
    this.#watchingOne?.detach();
    this.#watchingOne = null;
    const watching = this.#watching;
    this.#watching = null;
    if (watching !== null) for (const monitor of watching.values()) monitor.detach();
  }

  /** Tells everyone who is tied to this actor. Each tie is cut before its party hears, so none hears twice. */
  override announce(reason: ExitReason): void {
    const links = this.#links;
    this.#links = null;
    if (links !== null) {
      for (const peer of links) {
        peer.unlinked(this.#cell);
        if (reason.type !== 'normal') peer.interrupt(reason, this.#cell);
      }
    }
    super.announce(reason);
  }

  /** Cuts the links of an actor that never was. */
  forsake(): void {
    if (this.#links !== null) for (const peer of this.#links) peer.unlinked(this.#cell);
    this.#links = null;
  }
}
