// Owns one incarnation of one actor: its state, its mailbox, its status, and what happens when it runs and when it ends.
// Invariant: one handler at a time; after its end nothing reaches the behaviour; nothing a handler throws leaves here.
// Must not: decide about restarts (supervisors/) or when it runs (run-queue.ts).

import type { Behaviour, Delivery, ExitReason, Signal } from './behaviour.js';
import type { Core } from './core.js';
import { EMPTY, Mailbox } from './mailbox.js';
import { Bonds } from './monitor.js';
import type { Ref } from './ref.js';
import { LEVELS, type Runnable, type RunQueue } from './run-queue.js';

/** A behaviour whose types were checked where it was spawned. */
export type AnyBehaviour = Behaviour<unknown, unknown, unknown, unknown>;

/** What all cells of one behaviour share. */
export interface Kind {
  readonly behaviour: AnyBehaviour;
  readonly level: number;
  readonly capacity: number;
  alive: number;
}

export type Status = 'idle' | 'ready' | 'suspended' | 'ending' | 'ended';

const NORMAL: ExitReason = { type: 'normal' };

/** In the run queue, running, or not to be queued because it is being started. */
const SCHEDULED = 1;
const SUSPENDED = 2;
const PASSIVATE = 4;
const ENDED = 8;
const GIVES_WAY = 16;

export class Cell extends Mailbox implements Ref<unknown>, Runnable {
  readonly key: string;
  readonly incarnation: number;
  nextReady: Runnable | null = null;
  previousReady: Runnable | null = null;
  lowered = false;
  readonly core: Core;
  readonly #kind: Kind;
  #state: unknown = undefined;
  #flags = SCHEDULED;
  /** Set once its end is certain; from then on it accepts nothing. */
  #reason: ExitReason | null = null;
  #bonds: Bonds | null = null;
  #handled = 0;

  constructor(core: Core, kind: Kind, key: string, incarnation: number) {
    super();
    this.core = core;
    this.#kind = kind;
    this.key = key;
    this.incarnation = incarnation;
  }

  get kind(): string {
    return this.#kind.behaviour.kind;
  }

  get level(): number {
    return (this.#flags & GIVES_WAY) === 0 ? this.#kind.level : LEVELS.bulk;
  }

  get alive(): boolean {
    return this.#reason === null;
  }

  get handled(): number {
    return this.#handled;
  }

  get status(): Status {
    if ((this.#flags & ENDED) !== 0) return 'ended';
    if (this.#reason !== null) return 'ending';
    if ((this.#flags & SUSPENDED) !== 0) return 'suspended';
    return (this.#flags & SCHEDULED) !== 0 ? 'ready' : 'idle';
  }

  /** Ties to others, made on first use. */
  get bonds(): Bonds {
    this.#bonds ??= new Bonds(this);
    return this.#bonds;
  }

  get bondsIfAny(): Bonds | null {
    return this.#bonds;
  }

  tell(message: unknown): Delivery {
    if (this.#reason !== null) {
      this.core.deadLetter(this, message, null);
      return 'dead';
    }
    if ((this.#flags & SUSPENDED) !== 0 && this.#urgent(message)) return 'ok';
    if (!this.offer(message, this.#kind.capacity, this.core.rings)) return this.#overflow(message);
    this.core.accepted++;
    if ((this.#flags & SUSPENDED) === 0) this.#schedule();
    return 'ok';
  }

  /** Queues a signal. One for an ended actor is void: nobody waits for it any more. `bulk`: what bulk work led to. */
  signal(signal: Signal, bulk = this.core.queue.bulk): void {
    if (this.#reason !== null) return;
    this.offerSignal(signal, this.core.rings);
    this.#schedule(bulk);
  }

  /** Runs `init`. If that throws, undoes all that it did through the context, and throws the same. */
  start(args: unknown): void {
    const { context } = this.core;
    const outer = context.enter(this);
    try {
      this.#state = this.#kind.behaviour.init(context, args);
    } catch (error) {
      this.#reason = { type: 'crash', error };
      this.#flags |= ENDED;
      this.#bonds?.letGo();
      this.#bonds?.forsake();
      this.#discard(this.#reason);
      // Whoever already monitors it heard of it from `init`; for them it did exist.
      this.#bonds?.announce(this.#reason);
      throw error;
    } finally {
      context.leave(outer);
    }
    this.#kind.alive++;
    this.#flags &= ~(SCHEDULED | PASSIVATE);
    if (this.#unfinished()) this.#schedule();
  }

  slice(queue: RunQueue): boolean {
    const { context } = this.core;
    const { behaviour } = this.#kind;
    const { trace } = this.core;
    const timed = trace?.timed === true;
    let messages = 0;
    let signals = 0;
    const outer = context.enter(this);
    try {
      while (this.#reason === null) {
        const began = timed ? this.core.world.now() : 0;
        const signal = this.nextSignal();
        if (signal !== EMPTY) {
          signals++;
          behaviour.signal?.(this.#state, signal, context);
        } else {
          if ((this.#flags & SUSPENDED) !== 0) break;
          const message = this.nextMessage();
          if (message === EMPTY) break;
          messages++;
          behaviour.receive(this.#state, message, context);
        }
        if (trace !== null) this.core.traceHandled(this, began);
        if ((this.#flags & PASSIVATE) !== 0) this.#passivate();
        if (!queue.spend()) break;
      }
      behaviour.settled?.(this.#state, context);
    } catch (error) {
      this.#reason = { type: 'crash', error };
      queue.spend();
    }
    context.leave(outer);
    this.#handled += messages + signals;
    this.core.taken += messages;
    if (this.#reason !== null) {
      this.#end(this.#reason);
      return false;
    }
    if (this.#unfinished()) return true;
    this.#flags &= ~SCHEDULED;
    this.relax(this.core.rings);
    return false;
  }

  /**
   * An exit signal, from a link (`from` is the ended peer) or from outside (`from` is this actor itself, and the ends
   * that a supervisor orders are not trappable).
   */
  interrupt(reason: ExitReason, from: Cell): void {
    if (this.#reason !== null) return;
    const ordered = from === this && (reason.type === 'killed' || reason.type === 'shutdown');
    if (!ordered && this.#kind.behaviour.trapExit === true) {
      this.signal({ type: 'exit', ref: from, reason });
      return;
    }
    if (reason.type !== 'normal') this.#endSoon(reason);
  }

  /** The handler asked for its end. */
  stop(reason: ExitReason = NORMAL): void {
    this.#reason ??= reason;
  }

  passivate(): void {
    this.#flags |= PASSIVATE;
  }

  giveWay(on: boolean): void {
    if (on) this.#flags |= GIVES_WAY;
    else this.#flags &= ~GIVES_WAY;
  }

  suspend(): void {
    this.#flags |= SUSPENDED;
  }

  resume(): void {
    this.#flags &= ~SUSPENDED;
    if (this.#unfinished()) this.#schedule();
  }

  unlinked(peer: Cell): void {
    this.#bonds?.unlink(peer);
  }

  #unfinished(): boolean {
    if (this.#reason !== null || this.signalled > 0) return true;
    return (this.#flags & SUSPENDED) === 0 && this.queued > 0;
  }

  /** There is something more to do. */
  #schedule(bulk = this.core.queue.bulk): void {
    if ((this.#flags & SCHEDULED) === 0) {
      this.#flags |= SCHEDULED;
      this.core.queue.wake(this, bulk);
    } else if (this.lowered && !bulk) this.core.queue.raise(this);
  }

  #passivate(): void {
    this.#flags &= ~PASSIVATE;
    if (this.queued === 0 && this.signalled === 0) this.#reason ??= NORMAL;
  }

  #endSoon(reason: ExitReason): void {
    this.#reason = reason;
    this.#schedule();
  }

  /** True: the message went past the held lane. */
  #urgent(message: unknown): boolean {
    const { behaviour } = this.#kind;
    try {
      if (behaviour.urgent?.(message) !== true) return false;
      this.signal({ type: 'told', message });
    } catch (error) {
      this.#endSoon({ type: 'crash', error });
    }
    return true;
  }

  /** The mailbox is full. What the behaviour's hooks throw is the behaviour's crash, never the sender's. */
  #overflow(message: unknown): Delivery {
    const { behaviour } = this.#kind;
    try {
      const overflow = behaviour.overflow?.(message);
      switch (overflow) {
        case 'latest':
        case 'keep':
          return this.#replace(message) || overflow === 'latest' ? 'ok' : this.#admit(message);
        case 'drop':
          behaviour.dropped?.(this.#state, message);
          return 'ok';
        case 'admit':
          return this.#admit(message);
        default:
          return 'busy';
      }
    } catch (error) {
      this.#endSoon({ type: 'crash', error });
      return 'busy';
    }
  }

  /** True: it took the place of an older one of its key. */
  #replace(message: unknown): boolean {
    const { behaviour } = this.#kind;
    const keyOf = (queued: unknown): unknown => {
      const overflow = behaviour.overflow?.(queued);
      return overflow === 'latest' || overflow === 'keep' ? behaviour.coalesce?.(queued) : EMPTY;
    };
    const over = (queued: unknown): unknown => behaviour.merged?.(queued, message) ?? message;
    return this.supersede(behaviour.coalesce?.(message), keyOf, over);
  }

  #admit(message: unknown): Delivery {
    if (!this.offer(message, this.#kind.capacity + this.core.limits.admitted, this.core.rings)) return 'busy';
    this.core.accepted++;
    return 'ok';
  }

  #end(reason: ExitReason): void {
    const core = this.core;
    this.#flags |= ENDED;
    this.#kind.alive--;
    this.#bonds?.letGo();
    const outer = core.context.enter(this);
    try {
      this.#kind.behaviour.terminated?.(this.#state, reason, core.context);
    } catch (error) {
      core.fault(error);
    }
    core.context.leave(outer);
    this.#state = undefined;
    this.#discard(reason);
    core.traceEnded(this, reason);
    const bonds = this.#bonds;
    this.#bonds = null;
    bonds?.announce(reason);
  }

  #discard(reason: ExitReason): void {
    for (let message = this.nextMessage(); message !== EMPTY; message = this.nextMessage()) {
      this.core.taken++;
      this.core.deadLetter(this, message, reason);
    }
    while (this.nextSignal() !== EMPTY);
    this.relax(this.core.rings);
  }
}
