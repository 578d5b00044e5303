// Owns whose turn it is: ready cells by level, how long each may run, and when the event loop gets its turn.
// Invariant: within a level first ready, first run; among levels each gets its weight's share; a turn ends on time.
// Must not: look into mailboxes or call handlers itself.

import { assert } from './errors.js';
import type { World } from './world.js';

/** Something that can be ready. Waiting costs no allocation: the queue runs through the cells themselves. */
export interface Runnable {
  /** The queue's own links. */
  nextReady: Runnable | null;
  previousReady: Runnable | null;
  readonly level: number;
  /** All that it has to do was caused by bulk work, so it waits in the bulk line, whatever its level. The queue sets it. */
  lowered: boolean;
  /** Handles messages for as long as `queue.spend()` allows. True: it is not finished and goes to the end of its level. */
  slice(queue: RunQueue): boolean;
}

/** Places of the levels (behaviour.ts) in what is kept by level. */
export const LEVELS = { system: 0, interactive: 1, bulk: 2 } as const;

/** System work waits for nobody's flood; bulk work (sweeps, large catch-ups) still moves under full interactive load. */
export const WEIGHTS = [8, 4, 1] as const;

export interface RunQueueLimits {
  readonly sliceMessages: number;
  readonly sliceMs: number;
  readonly turnMs: number;
  readonly bulkTurnMs: number;
  readonly turnMessages: number;
  readonly clockStride: number;
}

class Line {
  head: Runnable | null = null;
  tail: Runnable | null = null;
  size = 0;
}

/**
 * A round serves the levels by deficit round robin (Shreedhar & Varghese 1995): each may spend its weight in slices,
 * counted in messages and, where handlers are slow, in time. The round goes on where the last turn ended it.
 *
 *     system       [c]→[c]→[c]        8 slices' worth
 *     interactive  [c]→[c]→[c]→[c]    4
 *     bulk         [c]→[c]            1
 *
 * The clock is looked at every few messages only (`clockStride`, less when handlers prove slow), and the stride runs
 * across cells, so that a thousand cells with one message each do not cost a thousand looks.
 */
export class RunQueue {
  readonly #world: World;
  readonly #limits: RunQueueLimits;
  readonly #lines = [new Line(), new Line(), new Line()] as const;
  readonly #turn = (): void => this.#run();
  #armed = false;
  #level = 0;
  /** Messages and ms that the level may still spend in this round. */
  #credit: number;
  #creditMs: number;
  #ready = 0;
  #handled = 0;
  // The running slice and turn.
  #sliceLeft = 0;
  #sliceBegan = 0;
  #turnBegan = 0;
  #turnLeft = 0;
  #turnOver = true;
  /** A cell has its turn, at `#level`. */
  #slicing = false;
  // Looks at the clock.
  #stride = 1;
  #untilLook = 1;
  #looked = 0;

  constructor(world: World, limits: RunQueueLimits) {
    this.#world = world;
    this.#limits = limits;
    this.#credit = WEIGHTS[0] * limits.sliceMessages;
    this.#creditMs = WEIGHTS[0] * limits.sliceMs;
    this.#looked = world.now();
  }

  /** Cells waiting, in all and per level. */
  get ready(): number {
    return this.#ready;
  }

  readyAt(level: number): number {
    return this.#line(level).size;
  }

  /** Messages and signals handled so far. */
  get handled(): number {
    return this.#handled;
  }

  /** ms at the last look at the clock: at most some handlers ago during a turn, arbitrarily old outside. */
  get looked(): number {
    return this.#looked;
  }

  /** True during a turn. */
  get running(): boolean {
    return !this.#turnOver;
  }

  /** What is done now is bulk work, and so is what it causes, also what comes of it later. */
  get bulk(): boolean {
    return this.#slicing && this.#level === LEVELS.bulk;
  }

  /**
   * Of a cell that was given something to do. What bulk work causes is bulk work too: else a flood that was put back would come
   * to the front one step later.
   */
  wake(cell: Runnable, bulk: boolean): void {
    cell.lowered = bulk && cell.level === LEVELS.interactive;
    this.push(cell);
  }

  /** A cell that is ready, or has its turn, was given something that is not bulk work: it waits behind bulk work no longer. */
  raise(cell: Runnable): void {
    cell.lowered = false;
    const line = this.#line(LEVELS.bulk);
    if (line.head !== cell && cell.previousReady === null) return;
    this.#remove(line, cell);
    this.push(cell);
  }

  /** Puts a cell at the end of its line. */
  push(cell: Runnable): void {
    const line = this.#line(cell.lowered ? LEVELS.bulk : cell.level);
    cell.nextReady = null;
    cell.previousReady = line.tail;
    if (line.tail === null) line.head = cell;
    else line.tail.nextReady = cell;
    line.tail = cell;
    line.size++;
    this.#ready++;
    if (!this.#armed) {
      this.#armed = true;
      this.#world.defer(this.#turn);
    }
  }

  /** Counts one handled message; false: the slice is over. */
  spend(): boolean {
    this.#sliceLeft--;
    this.#untilLook--;
    if (this.#untilLook > 0) return this.#sliceLeft > 0;
    return this.#look() && this.#sliceLeft > 0;
  }

  #run(): void {
    const { sliceMessages, turnMessages } = this.#limits;
    this.#looked = this.#world.now();
    this.#turnBegan = this.#looked;
    this.#turnLeft = turnMessages;
    this.#turnOver = false;
    this.#untilLook = this.#stride;
    try {
      while (this.#ready > 0 && !this.#turnOver) this.#serve(sliceMessages);
    } finally {
      this.#turnOver = true;
      this.#slicing = false;
      this.#armed = this.#ready > 0;
      if (this.#armed) this.#world.defer(this.#turn);
    }
  }

  #serve(sliceMessages: number): void {
    const line = this.#line(this.#level);
    const cell = line.head;
    if (cell === null || this.#credit <= 0) {
      this.#nextLevel();
      return;
    }
    this.#remove(line, cell);
    const granted = Math.min(sliceMessages, this.#credit);
    this.#sliceLeft = granted;
    this.#sliceBegan = this.#looked;
    this.#slicing = true;
    const again = cell.slice(this);
    this.#slicing = false;
    const used = granted - this.#sliceLeft;
    this.#handled += used;
    this.#credit -= used;
    this.#turnLeft -= used;
    if (this.#turnLeft <= 0) this.#turnOver = true;
    if (again) this.push(cell);
  }

  #remove(line: Line, cell: Runnable): void {
    const { nextReady, previousReady } = cell;
    if (previousReady === null) line.head = nextReady;
    else previousReady.nextReady = nextReady;
    if (nextReady === null) line.tail = previousReady;
    else nextReady.previousReady = previousReady;
    cell.nextReady = null;
    cell.previousReady = null;
    line.size--;
    this.#ready--;
  }

  #nextLevel(): void {
    this.#level = (this.#level + 1) % WEIGHTS.length;
    const weight = WEIGHTS[this.#level] ?? 1;
    this.#credit = weight * this.#limits.sliceMessages;
    this.#creditMs = weight * this.#limits.sliceMs;
  }

  /** Reads the clock and sets the stride so that two looks lie about a quarter slice apart. */
  #look(): boolean {
    const { sliceMs, turnMs, bulkTurnMs, clockStride } = this.#limits;
    const now = this.#world.now();
    const passed = now - this.#looked;
    this.#looked = now;
    const target = sliceMs / 4;
    if (passed > target) this.#stride = Math.max(1, Math.floor((this.#stride * target) / passed));
    else if (passed * 2 < target) this.#stride = Math.min(clockStride, this.#stride * 2);
    this.#untilLook = this.#stride;
    this.#creditMs -= passed;
    if (this.#creditMs <= 0) this.#credit = 0;
    if (now - this.#turnBegan >= (this.#bulkAlone() ? bulkTurnMs : turnMs)) this.#turnOver = true;
    return !this.#turnOver && now - this.#sliceBegan < sliceMs;
  }

  /** Nobody is kept waiting by an early look at the sockets but bulk work. */
  #bulkAlone(): boolean {
    return this.#level === LEVELS.bulk && this.#lines[LEVELS.system].size + this.#lines[LEVELS.interactive].size === 0;
  }

  #line(level: number): Line {
    const line = this.#lines[level];
    assert(line !== undefined, 'the level exists');
    return line;
  }
}
