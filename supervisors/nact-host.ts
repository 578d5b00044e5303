// Owns the use of nact, in this file alone: every supervisor is one nact actor, child supervisors are its nact children.
// Invariant: handlers are synchronous and never throw into nact; a name is never used twice; leaves are closed first.
// Must not: carry messages of the product. Leaf actors are cells of our own run queue.
//
// What is avoided of nact 7.6.2, and how:
// - Its dispatch finds an actor by path, so a ref reaches a *later* actor of the same name: names carry a number.
// - It copies the child map for every message: only supervisors are children, never cells (LIMITS.supervised).
// - `reset*` may run two handlers of one actor at once, and a crashed handler's fault is handled asynchronously with
//   the mailbox at rest: neither happens, since no handler throws (supervisor.ts has its own fault path).
// - Stopping an actor drops its queue, and does not stop its children but makes them unreachable: a seat is closed
//   only when its supervisor is done and all below it are closed, which is asserted.
// - `shutdownAfter` and `query` leave timers and promises behind: delays are the World's.
// - Dispatching to a stopped actor fails silently or by assertion, depending on the path: seats know that they are closed.

import { dispatch, type Ref, spawn, start, stop } from 'nact';
import { assert } from '../actors/errors.js';
import type { Seat, Seats } from './spec.js';

export function nactHost(): Seats {
  const system = start();
  const all = new WeakMap<Seat<never>, NactSeat<never>>();
  let number = 0;
  let seats = 0;
  return {
    open<E>(below: Seat<never> | undefined, name: string, handle: (event: E) => void): Seat<E> {
      const parent = below && all.get(below);
      assert(below === undefined || parent?.open, 'a seat opens below an open one of the same host');
      seats++;
      const seat = new NactSeat<E>(parent?.actor ?? system, `${name}.${++number}`, handle, () => {
        seats--;
        parent?.left();
      });
      parent?.joined();
      all.set(seat, seat);
      return seat;
    },
    close(): void {
      assert(seats === 0, 'a host outlives its seats');
      stop(system);
    },
  };
}

class NactSeat<E> implements Seat<E> {
  readonly actor: Ref<E>;
  open = true;
  queued = 0;
  private below = 0;

  constructor(
    parent: Ref<never>,
    name: string,
    handle: (event: E) => void,
    private readonly closed: () => void,
  ) {
    const receive = (_state: undefined, event: E): undefined => {
      this.queued--;
      if (this.open) handle(event);
    };
    this.actor = spawn(parent, receive, name);
  }

  post(event: E): void {
    if (!this.open) return;
    this.queued++;
    dispatch(this.actor, event);
  }

  close(): void {
    if (!this.open) return;
    assert(this.below === 0, 'seats close from the leaves');
    this.open = false;
    stop(this.actor);
    this.closed();
  }

  joined(): void {
    this.below++;
  }

  left(): void {
    this.below--;
  }
}
