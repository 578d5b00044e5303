// Owns what the cells of one runtime share: run queue, wheel, rings, context, dead letters, counters and the trace hook.
// Invariant: no hook of an observer can harm an actor.
// Must not: be used outside actors/; runtime.ts is the way in.

import type { Behaviour, ExitReason } from './behaviour.js';
import { fragile, shrunk } from './buggify.js';
import { type AnyBehaviour, Cell, type Kind } from './cell.js';
import { ActorContext } from './context.js';
import { type DeadLetter, DeadLetters } from './dead-letters.js';
import { assert } from './errors.js';
import { RingPool, type Rings } from './mailbox.js';
import { Outsider } from './outsider.js';
import type { Ref } from './ref.js';
import { LEVELS, RunQueue } from './run-queue.js';
import { TimerWheel } from './timer-wheel.js';
import type { Watchers } from './watchers.js';
import type { World } from './world.js';

/** The limits that bound a runtime; tests set others. */
export type RuntimeLimits = Readonly<
  Record<
    | 'sliceMessages'
    | 'sliceMs'
    | 'turnMs'
    | 'bulkTurnMs'
    | 'turnMessages'
    | 'clockStride'
    | 'ringStart'
    | 'ringPool'
    | 'admitted'
    | 'operations'
    | 'cells'
    | 'kinds'
    | 'deadLetters'
    | 'wheelTickMs',
    number
  >
>;

/** Messages that a mailbox holds where a simulation shrinks it: above the burst that one resume of a client asks for in a group of
 * some, or that client would have to resume without end. */
const FEW = 10;

/** Hears what happens. A hook that throws is counted as a fault and otherwise ignored. */
export interface Trace {
  /** True: `handled` is told how long the handler ran. Costs two looks at the clock for each message. */
  readonly timed?: boolean;
  spawned?(ref: Ref<never>): void;
  /** `micros` is undefined unless `timed`. */
  handled?(kind: string, key: string, micros: number | undefined): void;
  ended?(ref: Ref<never>, reason: ExitReason): void;
  deadLetter?(letter: DeadLetter): void;
  /** Something was contained: `terminated`, a watcher or a hook threw. */
  fault?(error: unknown): void;
}

export class Core {
  readonly world: World;
  readonly limits: RuntimeLimits;
  readonly queue: RunQueue;
  readonly wheel: TimerWheel;
  readonly rings: Rings;
  readonly letters: DeadLetters;
  readonly context: ActorContext;
  trace: Trace | null;
  /** User messages that entered mailboxes, and that left them. */
  accepted = 0;
  taken = 0;
  faults = 0;
  alive = 0;
  readonly #kinds = new Map<object, Kind>();
  #lastKind: Kind | null = null;
  #lastBehaviour: object | null = null;
  #incarnations = 0;
  #operations = 0;

  constructor(world: World, limits: RuntimeLimits, trace: Trace | null) {
    this.world = world;
    this.limits = limits;
    this.trace = trace;
    const sliceMessages = shrunk(world, 'slice', limits.sliceMessages, 1);
    const turnMessages = shrunk(world, 'turn', limits.turnMessages, 8);
    this.queue = new RunQueue(world, { ...limits, sliceMessages, turnMessages });
    this.wheel = new TimerWheel(world, limits.wheelTickMs);
    this.rings = {
      messages: new RingPool(limits.ringStart, limits.ringPool),
      signals: new RingPool(limits.ringStart, limits.ringPool),
    };
    this.letters = new DeadLetters(limits.deadLetters, (error) => this.fault(error));
    this.context = new ActorContext(this);
  }

  spawn<S, M, A, T>(behaviour: Behaviour<S, M, A, T>, key: string, args: A): Cell {
    assert(this.alive < this.limits.cells, 'a runtime has a bounded number of actors');
    const cell = new Cell(this, this.#kindOf(behaviour), key, ++this.#incarnations);
    cell.start(args);
    this.alive++;
    if (this.trace !== null) this.#observe((trace) => trace.spawned?.(cell));
    return cell;
  }

  /** Identifies timers, asks, completions and monitors; unique in the runtime's life. */
  nextOperation(): number {
    return ++this.#operations;
  }

  /** Monotonic ms, a few messages old during a turn. */
  coarseNow(): number {
    return this.queue.running ? this.queue.looked : this.world.now();
  }

  /** The cell behind a ref; null for one of another make, say of another node. */
  cellOf(ref: Ref<never>): Cell | null {
    return ref instanceof Cell && ref.core === this ? ref : null;
  }

  /** Where a monitor of the actor waits; null: it has ended. */
  watchable(ref: Ref<never>): Watchers | null {
    if (ref instanceof Cell && ref.core === this) return ref.status === 'ended' ? null : ref.bonds;
    assert(ref instanceof Outsider, 'the ref is of this runtime, or of another node');
    return ref.watchable();
  }

  localCell(ref: Ref<never>): Cell {
    const cell = this.cellOf(ref);
    assert(cell !== null, 'the ref is of this runtime');
    return cell;
  }

  kinds(): Iterable<Kind> {
    return this.#kinds.values();
  }

  deadLetter(to: Cell, message: unknown, reason: ExitReason | null): void {
    const at = this.coarseNow();
    const letter: DeadLetter = reason === null ? { at, to, message } : { at, to, message, reason };
    this.letters.add(letter);
    if (this.trace !== null) this.#observe((trace) => trace.deadLetter?.(letter));
  }

  traceHandled(cell: Cell, began: number): void {
    const timed = this.trace?.timed === true;
    const micros = timed ? (this.world.now() - began) * 1_000 : undefined;
    this.#observe((trace) => trace.handled?.(cell.kind, cell.key, micros));
  }

  traceEnded(cell: Cell, reason: ExitReason): void {
    this.alive--;
    if (this.trace !== null) this.#observe((trace) => trace.ended?.(cell, reason));
  }

  fault(error: unknown): void {
    this.faults++;
    try {
      this.trace?.fault?.(error);
    } catch {
      this.faults++;
    }
  }

  #observe(tell: (trace: Trace) => void): void {
    if (this.trace === null) return;
    try {
      tell(this.trace);
    } catch (error) {
      this.fault(error);
    }
  }

  #kindOf(behaviour: AnyBehaviour): Kind {
    if (this.#lastKind !== null && this.#lastBehaviour === behaviour) return this.#lastKind;
    let kind = this.#kinds.get(behaviour);
    if (kind === undefined) {
      assert(this.#kinds.size < this.limits.kinds, 'there is one behaviour object per kind of actor');
      assert(behaviour.capacity >= 1, 'a mailbox holds at least one message');
      const capacity = shrunk(this.world, 'mailbox', behaviour.capacity, Math.min(behaviour.capacity, FEW));
      kind = { behaviour: fragile(this.world, behaviour), level: LEVELS[behaviour.level], capacity, alive: 0 };
      this.#kinds.set(behaviour, kind);
    }
    this.#lastKind = kind;
    this.#lastBehaviour = behaviour;
    return kind;
  }
}
