// Owns the contract between the runtime and a kind of actor: what a behaviour provides and what its context offers.
// Invariant: handlers are synchronous, and no two handlers of one actor overlap; effects go through the context and
// come back as signals to the incarnation that asked.
// Must not: know how cells are scheduled (run-queue.ts) or who supervises them (supervisors/).

import type { Ref, Reply } from './ref.js';

/** What became of a tell. `busy`: refused by the mailbox's bound. `dead`: went to dead letters. It never throws. */
export type Delivery = 'ok' | 'busy' | 'dead';

/**
 * What a full mailbox does with a message.
 * - `refuse`: the sender hears `busy`.
 * - `latest`: replaces the queued message with the same `coalesce` key (see `merged`), or is dropped where there is none.
 * - `keep`: replaces it too, and enters where there is none. Only for classes whose keys are bounded elsewhere.
 * - `drop`: dropped; `dropped(state, message)` marks that, and the sender hears `ok`.
 * - `admit`: enters anyway. Only for classes whose number is bounded elsewhere (say, answers to a bounded window).
 */
export type Overflow = 'refuse' | 'latest' | 'keep' | 'drop' | 'admit';

/** Why an actor ended. `normal` and `shutdown` are no failures; `crash` carries the error that a handler threw. */
export type ExitReason =
  | { readonly type: 'normal' }
  | { readonly type: 'shutdown' }
  | { readonly type: 'killed' }
  | { readonly type: 'crash'; readonly error: unknown }
  /** Monitored or linked an actor that was already gone. */
  | { readonly type: 'noproc' }
  /** Monitored an actor of another node, which cannot be reached: it may live on, but what it was told may be lost. */
  | { readonly type: 'noconnection' };

/** What the runtime tells an actor, on the system lane, ahead of its messages. */
export type Signal<T = unknown> =
  /** A monitored actor ended. Exactly once per monitor. */
  | { readonly type: 'down'; readonly monitor: number; readonly ref: Ref<never>; readonly reason: ExitReason }
  /** A linked actor ended abnormally and this one traps exits. */
  | { readonly type: 'exit'; readonly ref: Ref<never>; readonly reason: ExitReason }
  /** A timer set by `after` fired. */
  | { readonly type: 'timer'; readonly op: number; readonly tag: T }
  /** An effect started through `completion` ended. */
  | { readonly type: 'result'; readonly op: number; readonly tag: T; readonly value: unknown }
  /** An urgent message, while the user lane is held. */
  | { readonly type: 'told'; readonly message: unknown }
  /** An `ask` was answered, or its time ran out or its target died (`value` undefined, `error` says which). */
  | {
      readonly type: 'reply';
      readonly op: number;
      readonly tag: T;
      readonly value: unknown;
      readonly error?: 'timeout' | 'dead' | 'busy';
    };

/** Levels of the run queue, by weight. Bulk work (sweeps, catch-up of large logs) never starves interactive work. */
export type Level = 'system' | 'interactive' | 'bulk';

/** One kind of actor. One object per kind, shared by all its cells. */
export interface Behaviour<S, M, A = void, T = unknown> {
  readonly kind: string;
  readonly level: Level;
  /** Bound of the user lane, in messages. */
  readonly capacity: number;
  /** Builds the state. If it throws, the actor never was: no zombie, no ref in use, nothing linked. */
  init(context: Context<M, T>, args: A): S;
  receive(state: S, message: M, context: Context<M, T>): void;
  signal?(state: S, signal: Signal<T>, context: Context<M, T>): void;
  /** Asked only when the mailbox is full. Absent: everything is refused. */
  overflow?(message: M): Overflow;
  /** Two `latest` messages with the same key supersede each other, two `keep` ones too. */
  coalesce?(message: M): unknown;
  /** What takes the place of `queued`, which has the key of `message`. Absent: the message. */
  merged?(queued: M, message: M): M;
  /** Asked only while the user lane is held: true for a message that goes past it, as a `told` signal. */
  urgent?(message: M): boolean;
  /** A `drop` message was dropped. Runs in the sender's turn: may only mark the state. */
  dropped?(state: S, message: M): void;
  /** A slice is over, in which it handled one or more messages or signals: for effects worth doing once for several. */
  settled?(state: S, context: Context<M, T>): void;
  /** The actor ended, for whatever reason. Releases what it holds outside; may tell, must not spawn. */
  terminated?(state: S, reason: ExitReason, context: Context<M, T>): void;
  /** True: a linked actor's abnormal end arrives as an `exit` signal instead of ending this one. */
  readonly trapExit?: boolean;
}

/** What a handler may do. Valid only during the handler that got it; `completion` captures what outlives it. */
export interface Context<M, T = unknown> {
  readonly self: Ref<M>;
  /** Monotonic ms, read once per slice. */
  now(): number;
  tell<N>(to: Ref<N>, message: N): Delivery;
  /** Sends `make(reply)` and answers with a `reply` signal, at the latest after `timeout` ms. Returns the operation. */
  ask<N>(to: Ref<N>, make: (reply: Reply) => N, timeout: number, tag: T): number;
  /** A callback that turns into one `result` signal of this incarnation; late or repeated calls are dropped. */
  completion(tag: T): (value: unknown) => void;
  /** One `timer` signal after at least `ms`. Returns the operation, for `cancel`. */
  after(ms: number, tag: T): number;
  cancel(op: number): void;
  monitor(ref: Ref<never>): number;
  demonitor(monitor: number): void;
  link(ref: Ref<never>): void;
  unlink(ref: Ref<never>): void;
  /** Spawns a child linked to nothing; whoever supervises must monitor it. Throws what `init` throws. */
  spawn<S, N, A, U>(behaviour: Behaviour<S, N, A, U>, key: string, args: A): Ref<N>;
  /** Ends this actor when the handler returns. Queued messages go to dead letters. */
  stop(reason?: ExitReason): void;
  /**
   * Ends this actor with `normal` when the handler returns, but only if its mailbox is empty then; otherwise nothing
   * happens and the queued messages are handled by this incarnation. So passivation loses nothing.
   */
  passivate(): void;
  /** Holds the user lane back (signals still come), say while state is being loaded; `resume` lets it go on. */
  suspend(): void;
  resume(): void;
  /** True: from its next slice on it runs with the bulk work, whatever its kind; false: as its kind does. */
  giveWay(on: boolean): void;
}
