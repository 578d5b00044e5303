// Owns time-outs: a hashed hierarchical timing wheel (Varghese & Lauck 1987, scheme 7) over one timer of the world.
// Invariant: a timer fires once, never early, and at most a tick and the event loop's delay late; after `remove`, never.
// Must not: know what timers are for. Timers of the same tick fire in no promised order.

import { assert } from './errors.js';
import { LIMITS } from './limits.js';
import type { World } from './world.js';

const BITS = 8;
const SLOTS = 1 << BITS;
const LEVELS = 4;
const WORDS = SLOTS / 32;
/** Ticks ahead that the top level reaches: 497 days at 10 ms. Longer ones are carried over again when they get there. */
const REACH = SLOTS ** LEVELS - 1;

/** Something due. Subclasses say what happens; the links make insertion and removal constant time, without allocation. */
export abstract class Timer {
  /** Slot in the wheel, −1 outside it. */
  slot = -1;
  /** Tick at which it is due. */
  tick = 0;
  previous: Timer | null = null;
  next: Timer | null = null;

  abstract fire(): void;
}

/**
 *     level 0   256 slots of 1 tick        fires
 *     level 1   256 slots of 256 ticks     is spread over level 0 when its slot begins
 *     level 2   256 slots of 256² ticks    is spread over level 1 …
 *     level 3   256 slots of 256³ ticks
 *
 * A bit per slot says whether it holds anything, so that idle stretches are jumped over and the world's timer is set for
 * the next slot in use, not for each tick.
 */
export class TimerWheel {
  readonly #world: World;
  readonly #tickMs: number;
  readonly #slots: (Timer | null)[] = Array.from({ length: LEVELS * SLOTS }, () => null);
  readonly #used = new Int32Array(LEVELS * WORDS);
  readonly #wake = (): void => this.#awake();
  /** All ticks up to here have fired. */
  #current: number;
  #size = 0;
  #armedFor = Number.POSITIVE_INFINITY;
  #disarm: (() => void) | null = null;

  constructor(world: World, tickMs: number) {
    this.#world = world;
    this.#tickMs = tickMs;
    this.#current = Math.floor(world.now() / tickMs);
  }

  get size(): number {
    return this.#size;
  }

  /**
   * `due` in the world's monotonic ms; one in the past fires with the next tick. `now` may be a little old: it only spares
   * a look at the clock.
   */
  insert(timer: Timer, due: number, now = this.#world.now()): void {
    assert(timer.slot === -1, 'a timer is set once at a time');
    assert(Number.isFinite(due), 'a timer is due at some time');
    // An empty wheel has nothing to fire between: it jumps to now, or the first timer would wait behind a long walk.
    if (this.#size === 0) this.#current = Math.max(this.#current, Math.floor(now / this.#tickMs));
    timer.tick = Math.max(this.#current + 1, Math.ceil(due / this.#tickMs));
    this.#place(timer);
    this.#size++;
    if (timer.tick < this.#armedFor) this.#arm(timer.tick);
  }

  /** Harmless for a timer that is not set. The world's timer stays: waking once for nothing is cheaper than re-arming. */
  remove(timer: Timer): void {
    if (timer.slot === -1) return;
    this.#unlink(timer);
    this.#size--;
  }

  /** Fires all that is due at `now`. */
  advance(now: number): void {
    const target = Math.floor(now / this.#tickMs);
    for (;;) {
      const event = this.#nextEvent();
      if (event > target) break;
      this.#current = event;
      this.#cascade();
      this.#fire(event & (SLOTS - 1));
    }
    if (target > this.#current) this.#current = target;
  }

  #place(timer: Timer): void {
    const ahead = Math.min(timer.tick - this.#current, REACH);
    const tick = this.#current + ahead;
    let level = 0;
    while (level < LEVELS - 1 && ahead >= SLOTS ** (level + 1)) level++;
    const slot = level * SLOTS + ((tick >>> (level * BITS)) & (SLOTS - 1));
    const head = this.#slots[slot] ?? null;
    timer.slot = slot;
    // The head's `previous` is the tail, so that timers are appended in constant time.
    if (head === null) {
      timer.previous = timer;
      timer.next = null;
      this.#slots[slot] = timer;
      this.#used[slot >>> 5]! |= 1 << (slot & 31);
    } else {
      const tail = head.previous;
      assert(tail !== null, 'a slot in use has a tail');
      tail.next = timer;
      timer.previous = tail;
      timer.next = null;
      head.previous = timer;
    }
  }

  #unlink(timer: Timer): void {
    const slot = timer.slot;
    const head = this.#slots[slot];
    assert(head, 'the slot of a set timer is in use');
    if (head === timer) {
      this.#slots[slot] = timer.next;
      if (timer.next === null) this.#used[slot >>> 5]! &= ~(1 << (slot & 31));
      else timer.next.previous = timer.previous;
    } else {
      if (timer.previous !== null) timer.previous.next = timer.next;
      if (timer.next === null) head.previous = timer.previous;
      else timer.next.previous = timer.previous;
    }
    timer.slot = -1;
    timer.previous = null;
    timer.next = null;
  }

  #fire(slot: number): void {
    for (;;) {
      const timer = this.#slots[slot];
      if (!timer) return;
      this.#unlink(timer);
      this.#size--;
      timer.fire();
    }
  }

  /** Spreads the slots that begin at the current tick over the levels below, from the top. */
  #cascade(): void {
    for (let level = LEVELS - 1; level > 0; level--) {
      if (this.#current % SLOTS ** level !== 0) continue;
      const slot = level * SLOTS + ((this.#current >>> (level * BITS)) & (SLOTS - 1));
      for (let timer = this.#slots[slot]; timer; timer = this.#slots[slot]) {
        this.#unlink(timer);
        this.#place(timer);
      }
    }
  }

  /** The next tick at which a slot fires or is spread. */
  #nextEvent(): number {
    let event = Number.POSITIVE_INFINITY;
    for (let level = 0; level < LEVELS; level++) {
      const unit = SLOTS ** level;
      const now = Math.floor(this.#current / unit);
      const distance = this.#distance(level, now & (SLOTS - 1));
      if (distance > 0) event = Math.min(event, (now + distance) * unit);
    }
    return event;
  }

  /** Slots from `from` to the next one in use on this level: 1 to 256, `from` itself being the farthest; 0 for none. */
  #distance(level: number, from: number): number {
    const base = level * WORDS;
    const start = (from + 1) & (SLOTS - 1);
    for (let step = 0; step <= WORDS; step++) {
      const word = ((start >>> 5) + step) % WORDS;
      let bits = this.#used[base + word] ?? 0;
      if (step === 0) bits &= -1 << (start & 31);
      if (bits === 0) continue;
      const slot = word * 32 + (31 - Math.clz32(bits & -bits));
      return ((slot - start) & (SLOTS - 1)) + 1;
    }
    return 0;
  }

  #awake(): void {
    this.#disarm = null;
    this.#armedFor = Number.POSITIVE_INFINITY;
    this.advance(this.#world.now());
    const event = this.#nextEvent();
    if (event < this.#armedFor) this.#arm(event);
  }

  #arm(tick: number): void {
    this.#disarm?.();
    this.#armedFor = tick;
    const ms = tick * this.#tickMs - this.#world.now();
    this.#disarm = this.#world.timer(Math.min(Math.max(0, ms), LIMITS.wheelSleepMs), this.#wake);
  }
}
