// Owns what an actor may have open: timers, asks and completions, and how each turns into at most one signal.
// Invariant: an operation ends once: fired, answered, lost, cancelled or dropped with its actor; the rest is ignored.
// Must not: be reachable from outside but as a Reply or a completion's callback.

import type { ExitReason } from './behaviour.js';
import type { Cell } from './cell.js';
import type { Core } from './core.js';
import { assert } from './errors.js';
import type { Held, Watching } from './monitor.js';
import type { Ref, Reply } from './ref.js';
import { Timer } from './timer-wheel.js';
import { Monitor } from './watchers.js';

/** `after`. */
export class TimerOperation extends Timer implements Held {
  older: Held | null = null;
  newer: Held | null = null;
  readonly op: number;
  readonly #cell: Cell;
  readonly #tag: unknown;

  constructor(cell: Cell, op: number, tag: unknown) {
    super();
    this.#cell = cell;
    this.op = op;
    this.#tag = tag;
    cell.bonds.hold(this);
  }

  fire(): void {
    this.#cell.bonds.release(this);
    this.#cell.signal({ type: 'timer', op: this.op, tag: this.#tag });
  }

  drop(): void {
    this.#cell.core.wheel.remove(this);
    this.#cell.bonds.release(this);
  }
}

export type AskError = 'timeout' | 'dead' | 'busy';

/** A question: answered, or its time ran out, or the one asked is gone; whichever comes first. */
abstract class Question extends Timer implements Reply {
  protected readonly core: Core;
  #open = true;
  #monitor: Monitor | null = null;

  constructor(core: Core) {
    super();
    this.core = core;
  }

  /** Sends the question. It ends by itself. */
  put<N>(to: Ref<N>, message: N, timeoutMs: number): void {
    assert(timeoutMs >= 0 && Number.isFinite(timeoutMs), 'an ask ends at some time');
    const delivery = to.tell(message);
    if (!this.#open) return;
    if (delivery !== 'ok') {
      this.end(undefined, delivery);
      return;
    }
    // The last look at the clock is near enough: it can only make the answer a little early, and asks are frequent.
    const now = this.core.coarseNow();
    this.core.wheel.insert(this, now + timeoutMs, now);
    const cell = this.core.cellOf(to);
    if (cell === null) return;
    this.#monitor = new QuestionMonitor(this);
    cell.bonds.watch(this.#monitor);
  }

  answer(value: unknown): void {
    this.end(value, undefined);
  }

  fire(): void {
    this.end(undefined, 'timeout');
  }

  end(value: unknown, error: AskError | undefined): void {
    if (!this.#open) return;
    this.close();
    this.settled(value, error);
  }

  protected close(): void {
    this.#open = false;
    this.core.wheel.remove(this);
    this.#monitor?.detach();
    this.#monitor = null;
  }

  protected abstract settled(value: unknown, error: AskError | undefined): void;
}

class QuestionMonitor extends Monitor {
  readonly #question: Question;

  constructor(question: Question) {
    super();
    this.#question = question;
  }

  down(): void {
    this.#question.end(undefined, 'dead');
  }
}

/** `ask` of an actor. */
export class ActorAsk extends Question implements Held {
  older: Held | null = null;
  newer: Held | null = null;
  readonly op: number;
  readonly #cell: Cell;
  readonly #tag: unknown;

  constructor(cell: Cell, op: number, tag: unknown) {
    super(cell.core);
    this.#cell = cell;
    this.op = op;
    this.#tag = tag;
    cell.bonds.hold(this);
  }

  drop(): void {
    this.close();
  }

  protected override close(): void {
    super.close();
    this.#cell.bonds.release(this);
  }

  protected settled(value: unknown, error: AskError | undefined): void {
    const { op } = this;
    const tag = this.#tag;
    this.#cell.signal(
      error === undefined ? { type: 'reply', op, tag, value } : { type: 'reply', op, tag, value: undefined, error },
    );
  }
}

/** How a question from outside the actors ended. */
export type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: AskError };

/** `ask` from outside. */
export class OutsideAsk extends Question {
  readonly #resolve: (answer: Answer) => void;

  constructor(core: Core, resolve: (answer: Answer) => void) {
    super(core);
    this.#resolve = resolve;
  }

  protected settled(value: unknown, error: AskError | undefined): void {
    this.#resolve(error === undefined ? { ok: true, value } : { ok: false, error });
  }
}

/** `monitor` of an actor. */
export class ActorMonitor extends Monitor implements Watching {
  readonly id: number;
  readonly #watcher: Cell;
  readonly #target: Ref<never>;

  constructor(watcher: Cell, target: Ref<never>, id: number) {
    super();
    this.#watcher = watcher;
    this.#target = target;
    this.id = id;
  }

  down(reason: ExitReason): void {
    this.#watcher.bonds.removeWatching(this.id);
    this.#watcher.signal({ type: 'down', monitor: this.id, ref: this.#target, reason });
  }
}

/** `watch` from outside. */
export class OutsideMonitor extends Monitor {
  readonly #core: Core;
  readonly #onEnd: (reason: ExitReason) => void;

  constructor(core: Core, onEnd: (reason: ExitReason) => void) {
    super();
    this.#core = core;
    this.#onEnd = onEnd;
  }

  /** The function that takes it back. Made here so that it holds this alone: every supervised actor has one. */
  undo(): () => void {
    return () => this.detach();
  }

  down(reason: ExitReason): void {
    try {
      this.#onEnd(reason);
    } catch (error) {
      this.#core.fault(error);
    }
  }
}

/** A callback for one result. The cell drops what comes after its end. What bulk work asked for is answered as bulk work. */
export function completion(cell: Cell, op: number, tag: unknown): (value: unknown) => void {
  const { bulk } = cell.core.queue;
  let open = true;
  return (value) => {
    if (!open) return;
    open = false;
    cell.signal({ type: 'result', op, tag, value }, bulk);
  };
}
