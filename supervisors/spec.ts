// Owns what a supervision tree is written in: rules, the interface every kind of child fulfils, and what it needs.
// Invariant: a spec that passes `check` has unique, portable ids and an intensity that its backoff cannot hide.
// Must not: start anything.

import type { Behaviour, ExitReason } from '../actors/behaviour.js';
import { assert } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import type { Ref } from '../actors/ref.js';
import type { World } from '../actors/world.js';
import { type Backoff, escalates } from './backoff.js';
import type { TreeEvent } from './events.js';
import type { Intensity } from './intensity.js';

/** Whether an ended child is started again: always, after abnormal ends only, never. */
export type Restart = 'permanent' | 'transient' | 'temporary';
/** How long a stop may take in ms before the child is killed; `brutal` kills at once, `infinity` waits. */
export type Shutdown = number | 'brutal' | 'infinity';
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';

export interface ChildRule {
  readonly id: string;
  readonly restart: Restart;
  readonly shutdown: Shutdown;
}

export interface Rules {
  readonly strategy: Strategy;
  readonly intensity: Intensity;
  readonly backoff: Backoff;
  /** In start order. */
  readonly children: readonly ChildRule[];
}

/** What supervision needs of the actor runtime (actors/runtime.ts). */
export interface ActorHost {
  /** Throws what the behaviour's `init` throws. */
  spawn<S, M, A, T>(behaviour: Behaviour<S, M, A, T>, key: string, args: A): Ref<M>;
  /** Ends the actor, between two handlers at the latest. */
  exit(ref: Ref<never>, reason: ExitReason): void;
  /** Calls back once when the actor has ended, also when it already had. The returned function unsubscribes. */
  watch(ref: Ref<never>, ended: (reason: ExitReason) => void): () => void;
}

/** Where one supervisor lives: a queue of events and a handler that takes them one at a time. */
export interface Seat<E> {
  /** Never runs the handler at once. After `close` it does nothing. */
  post(event: E): void;
  /** Drops what is queued. Seats below must have been closed before. */
  close(): void;
  readonly queued: number;
}

/** Hosts seats (nact-host.ts, direct-host.ts). */
export interface Seats {
  /** `below` undefined: at the top. */
  open<E>(below: Seat<never> | undefined, name: string, handle: (event: E) => void): Seat<E>;
  /** Ends the host; all seats must be closed. */
  close(): void;
}

export interface TreeHost {
  readonly world: World;
  readonly actors: ActorHost;
  readonly seats: Seats;
}

/** What a child learns when it is launched. */
export interface Scope {
  readonly host: TreeHost;
  /** `node/chats/conversations`: ids from the root. */
  readonly path: string;
  /** The supervisor's seat; the root has none above it. */
  readonly seat: Seat<never> | undefined;
  readonly emit: (event: TreeEvent) => void;
}

/** How a child tells its supervisor about itself: one `started` or `failed`, and after `started` one `ended`. Calls
 * beyond that are ignored. */
export interface Report {
  started(): void;
  failed(error: unknown): void;
  ended(reason: ExitReason): void;
}

export type Kind = 'actor' | 'service' | 'supervisor' | 'pool' | 'partition';

/** One launched incarnation of a child. */
export interface Running {
  /** Asks it to end; also while it starts, which then reports `failed`. */
  stop(): void;
  /** Ends it for certain: `ended` or `failed` follows without further help from the child. */
  kill(): void;
  inspect(): Inspection;
  /** Restarts what the path below this child names. False: nothing there. Absent: nothing below. */
  renew?(path: readonly string[]): boolean;
}

export interface Inspection {
  /** Messages or events waiting. */
  readonly queued?: number;
  readonly children?: readonly TreeNode[];
  /** Figures of this kind of child. */
  readonly detail?: Readonly<Record<string, number | string>>;
}

/** A child as `Tree.describe` shows it. */
export interface TreeNode extends Inspection {
  readonly id: string;
  readonly path: string;
  readonly kind: Kind;
  readonly status: string;
  readonly incarnation: number;
  readonly restarts: number;
}

export interface ChildSpec extends ChildRule {
  readonly kind: Kind;
  launch(scope: Scope, report: Report): Running;
}

export interface ChildOptions {
  /** Default: permanent. */
  readonly restart?: Restart;
  /** Default: `LIMITS.childStopMs`; for supervisors `infinity`, since their children have time-outs of their own. */
  readonly shutdown?: Shutdown;
}

export interface SupervisorOptions extends ChildOptions {
  /** Default: one_for_one. */
  readonly strategy?: Strategy;
  /** Default: 3 restarts within 5 s. */
  readonly intensity?: Intensity;
  /** Default: 10 ms doubling to 5 s, half of it jitter, forgotten after 10 s up. */
  readonly backoff?: Backoff;
}

const INTENSITY: Intensity = { restarts: 3, within: 5_000 };
export const BACKOFF: Backoff = { min: 10, max: 5_000, jitter: 0.5, stable: 10_000 };

export function rulesOf(options: SupervisorOptions, children: readonly ChildRule[]): Rules {
  const { strategy = 'one_for_one', intensity = INTENSITY, backoff = BACKOFF } = options;
  const rules = { strategy, intensity, backoff, children };
  check(rules);
  return rules;
}

/** Throws on a spec that cannot mean what it says: found when the tree is written, not when it is needed. */
export function check({ intensity, backoff, children }: Rules): void {
  assert(Number.isInteger(intensity.restarts) && intensity.restarts >= 0, 'restarts is a whole number');
  assert(intensity.within > 0, 'an intensity has a window');
  assert(backoff.min >= 0 && backoff.max >= backoff.min, 'a backoff grows from min to max');
  assert(backoff.jitter >= 0 && backoff.jitter <= 1, 'jitter is a share');
  assert(escalates(backoff, intensity), 'a child that always fails exceeds the intensity in spite of the backoff');
  assert(children.length <= LIMITS.supervised, 'a supervisor has few children; many of one kind are a pool');
  assert(new Set(children.map((child) => child.id)).size === children.length, 'ids of siblings differ');
  for (const { id, shutdown } of children) {
    // nact accepts neither ':' nor '@'; '/' separates paths; a dot precedes the incarnation.
    assert(/^[a-z0-9][a-z0-9-]*$/.test(id), `'${id}' is lower-case letters, digits and dashes`);
    assert(typeof shutdown === 'string' || shutdown > 0, `the shutdown of '${id}' is a time above 0`);
  }
}
