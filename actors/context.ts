// Owns what a handler may do: the one context object of a runtime, bound to the cell that runs.
// Invariant: bound during a handler only; effects of an actor that has ended are refused.
// Must not: be kept by an actor beyond its handler: it would then act for whoever runs, or assert where nobody does.

import type { Behaviour, Context, Delivery, ExitReason } from './behaviour.js';
import type { Cell } from './cell.js';
import type { Core } from './core.js';
import { assert } from './errors.js';
import { ActorAsk, ActorMonitor, completion, TimerOperation } from './operations.js';
import type { Ref, Reply } from './ref.js';

export class ActorContext implements Context<unknown, unknown> {
  readonly #core: Core;
  #cell: Cell | null = null;
  #now = 0;
  #clockRead = false;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Binds the context; answers whom it was bound to, for `leave`. */
  enter(cell: Cell): Cell | null {
    const outer = this.#cell;
    this.#cell = cell;
    if (outer === null) this.#clockRead = false;
    return outer;
  }

  leave(outer: Cell | null): void {
    this.#cell = outer;
  }

  get self(): Ref<unknown> {
    return this.#running();
  }

  now(): number {
    this.#running();
    if (!this.#clockRead) {
      this.#now = this.#core.world.now();
      this.#clockRead = true;
    }
    return this.#now;
  }

  tell<N>(to: Ref<N>, message: N): Delivery {
    this.#running();
    return to.tell(message);
  }

  ask<N>(to: Ref<N>, make: (reply: Reply) => N, timeout: number, tag: unknown): number {
    const cell = this.#living();
    const op = this.#core.nextOperation();
    if (cell.bonds.holding >= this.#core.limits.operations) {
      cell.signal({ type: 'reply', op, tag, value: undefined, error: 'busy' });
      return op;
    }
    const ask = new ActorAsk(cell, op, tag);
    let message: N;
    try {
      message = make(ask);
    } catch (error) {
      ask.drop();
      throw error;
    }
    ask.put(to, message, timeout);
    return op;
  }

  completion(tag: unknown): (value: unknown) => void {
    return completion(this.#living(), this.#core.nextOperation(), tag);
  }

  after(ms: number, tag: unknown): number {
    const cell = this.#living();
    assert(ms >= 0 && Number.isFinite(ms), 'a timer waits for some time');
    assert(cell.bonds.holding < this.#core.limits.operations, 'an actor has a bounded number of timers');
    const timer = new TimerOperation(cell, this.#core.nextOperation(), tag);
    this.#core.wheel.insert(timer, this.now() + ms, this.now());
    return timer.op;
  }

  /** Also takes the signal of an ask back. A signal that is queued already still comes. */
  cancel(op: number): void {
    this.#living().bondsIfAny?.find(op)?.drop();
  }

  monitor(ref: Ref<never>): number {
    const cell = this.#living();
    const target = this.#core.watchable(ref);
    const id = this.#core.nextOperation();
    if (target === null) {
      cell.signal({ type: 'down', monitor: id, ref, reason: { type: 'noproc' } });
      return id;
    }
    const monitor = new ActorMonitor(cell, ref, id);
    cell.bonds.addWatching(monitor);
    target.watch(monitor);
    return id;
  }

  demonitor(monitor: number): void {
    this.#living().bondsIfAny?.removeWatching(monitor)?.detach();
  }

  link(ref: Ref<never>): void {
    const cell = this.#living();
    const peer = this.#core.localCell(ref);
    if (peer === cell) return;
    if (peer.status === 'ended') {
      cell.interrupt({ type: 'noproc' }, peer);
      return;
    }
    cell.bonds.link(peer);
    peer.bonds.link(cell);
  }

  unlink(ref: Ref<never>): void {
    const cell = this.#living();
    const peer = this.#core.localCell(ref);
    cell.unlinked(peer);
    peer.unlinked(cell);
  }

  spawn<S, N, A, U>(behaviour: Behaviour<S, N, A, U>, key: string, args: A): Ref<N> {
    this.#living();
    return this.#core.spawn(behaviour, key, args);
  }

  stop(reason?: ExitReason): void {
    this.#living().stop(reason);
  }

  passivate(): void {
    this.#living().passivate();
  }

  giveWay(on: boolean): void {
    this.#living().giveWay(on);
  }

  suspend(): void {
    this.#living().suspend();
  }

  resume(): void {
    this.#living().resume();
  }

  #running(): Cell {
    const cell = this.#cell;
    assert(cell !== null, 'a context is used during its handler only');
    return cell;
  }

  #living(): Cell {
    const cell = this.#running();
    assert(cell.status !== 'ended', 'an ended actor starts nothing');
    return cell;
  }
}
