// Owns the way into the runtime for code outside actors: spawn, exit, ask, watch, and what operators look at.
// Invariant: nothing here runs a handler, except `spawn`, which runs `init`.
// Must not: schedule, queue or restart anything itself.

import type { Behaviour, ExitReason, Level } from './behaviour.js';
import type { Status } from './cell.js';
import { Core, type RuntimeLimits, type Trace } from './core.js';
import type { DeadLetters } from './dead-letters.js';
import { LIMITS } from './limits.js';
import { type Answer, OutsideAsk, OutsideMonitor } from './operations.js';
import type { Ref, Reply } from './ref.js';
import type { World } from './world.js';

export type { RuntimeLimits, Trace } from './core.js';
export type { DeadLetter } from './dead-letters.js';
export type { Answer } from './operations.js';

export interface Stats {
  /** Actors alive by kind. */
  readonly cells: Readonly<Record<string, number>>;
  /** Messages in user lanes. */
  readonly queued: number;
  /** Cells waiting for their turn. */
  readonly ready: Readonly<Record<Level, number>>;
  /** Messages and signals handled since the start. */
  readonly handled: number;
  readonly deadLetters: number;
  /** Timers and asks open. */
  readonly timers: number;
  /** Contained throws of `terminated`, watchers and hooks: each is a bug. */
  readonly faults: number;
}

export interface Inspection {
  readonly kind: string;
  readonly key: string;
  readonly incarnation: number;
  readonly status: Status;
  readonly messages: number;
  readonly signals: number;
  readonly handled: number;
  readonly operations: number;
  /** Monitors it keeps on others, and others (asks and supervisors included) on it. */
  readonly monitoring: number;
  readonly monitors: number;
  readonly links: number;
}

export interface Runtime {
  readonly world: World;
  readonly deadLetters: DeadLetters;
  /** Null costs one check for each slice. */
  trace: Trace | null;
  /** Throws what `init` throws, and leaves nothing behind then. */
  spawn<S, M, A, T>(behaviour: Behaviour<S, M, A, T>, key: string, args: A): Ref<M>;
  /**
   * As OTP's exit/2: the actor ends after the handler that runs now, ahead of all that is queued. `killed` and `shutdown`
   * always end it; `crash` and `noproc` become an `exit` signal where it traps exits; so does `normal`, which is
   * nothing to others.
   */
  exit(ref: Ref<never>, reason: ExitReason): void;
  /** Resolves at the latest after `timeoutMs`; rejects only with what `make` throws. */
  ask<M>(ref: Ref<M>, make: (reply: Reply) => M, timeoutMs: number): Promise<Answer>;
  /**
   * Calls back once when the actor ends (with `noproc`, soon, if it has), unless the returned function is called before.
   * The callback runs between two handlers, when the actor is gone.
   */
  watch(ref: Ref<never>, onEnd: (reason: ExitReason) => void): () => void;
  stats(): Stats;
  /** What is known of an actor of this runtime, ended ones included; null for a ref of another make. */
  inspect(ref: Ref<never>): Inspection | null;
  /** True when no actor has anything to do. Timers and completions may be pending. */
  idle(): boolean;
}

export interface RuntimeOptions {
  readonly trace?: Trace;
  /** For tests; the product runs on LIMITS. */
  readonly limits?: Partial<RuntimeLimits>;
}

export function createRuntime(world: World, options: RuntimeOptions = {}): Runtime {
  const core = new Core(world, { ...LIMITS, ...options.limits }, options.trace ?? null);
  return {
    world,
    deadLetters: core.letters,
    get trace() {
      return core.trace;
    },
    set trace(trace) {
      core.trace = trace;
    },
    spawn: (behaviour, key, args) => core.spawn(behaviour, key, args),
    exit(ref, reason) {
      const cell = core.localCell(ref);
      cell.interrupt(reason, cell);
    },
    ask(ref, make, timeoutMs) {
      return new Promise((resolve) => {
        const ask = new OutsideAsk(core, resolve);
        ask.put(ref, make(ask), timeoutMs);
      });
    },
    watch(ref, onEnd) {
      const target = core.watchable(ref);
      const monitor = new OutsideMonitor(core, onEnd);
      if (target !== null) {
        target.watch(monitor);
        return monitor.undo();
      }
      let wanted = true;
      world.defer(() => {
        if (wanted) monitor.down({ type: 'noproc' });
      });
      return () => {
        wanted = false;
      };
    },
    stats() {
      const cells: Record<string, number> = {};
      for (const { behaviour, alive } of core.kinds()) cells[behaviour.kind] = (cells[behaviour.kind] ?? 0) + alive;
      return {
        cells,
        queued: core.accepted - core.taken,
        ready: { system: core.queue.readyAt(0), interactive: core.queue.readyAt(1), bulk: core.queue.readyAt(2) },
        handled: core.queue.handled,
        deadLetters: core.letters.count,
        timers: core.wheel.size,
        faults: core.faults,
      };
    },
    inspect(ref) {
      const cell = core.cellOf(ref);
      if (cell === null) return null;
      const bonds = cell.bondsIfAny;
      return {
        kind: cell.kind,
        key: cell.key,
        incarnation: cell.incarnation,
        status: cell.status,
        messages: cell.queued,
        signals: cell.signalled,
        handled: cell.handled,
        operations: bonds?.holding ?? 0,
        monitoring: bonds?.watching ?? 0,
        monitors: bonds?.watchers ?? 0,
        links: bonds?.links ?? 0,
      };
    },
    idle: () => core.queue.ready === 0 && !core.queue.running,
  };
}
