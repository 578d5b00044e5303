// Owns the vocabulary of a supervisor's rules: its state, the events it hears and the actions it asks for.
// Invariant: plain data; an event carries the child's incarnation, so that a late report changes nothing.
// Must not: decide anything (strategy.ts) or do anything (supervisor.ts).

import type { ExitReason } from '../actors/behaviour.js';
import type { Window } from './intensity.js';

export type ChildStatus = 'down' | 'starting' | 'up' | 'stopping' | 'killing' | 'ended' | 'waiting' | 'gone';

export interface ChildState {
  status: ChildStatus;
  /** Rises with each start; reports of earlier incarnations are ignored. */
  incarnation: number;
  /** Restarts over the supervisor's life. */
  restarts: number;
  /** Failures in a row, for the backoff. */
  failures: number;
  /** Instant it came up. */
  since: number;
  /** Pending timer (of the delay or of the stop), 0: none. */
  timer: number;
}

export type Phase = 'new' | 'starting' | 'running' | 'stopping' | 'exited';

/** Something that waits until no sequence runs. */
export interface Turn {
  readonly why: 'exit' | 'retry' | 'due' | 'operator';
  readonly child: number;
  readonly reason: ExitReason;
}

export type Goal =
  | { readonly type: 'ready' }
  | { readonly type: 'restarted' }
  | { readonly type: 'delay'; readonly child: number }
  | { readonly type: 'exit'; readonly reason: ExitReason; readonly error?: unknown };

/** A sequence: first these stop, one by one, then those start, one by one, then the goal. */
export interface Work {
  stop: number[];
  start: number[];
  readonly goal: Goal;
}

export interface SupervisorState {
  phase: Phase;
  children: ChildState[];
  window: Window;
  work: Work | undefined;
  turns: Turn[];
  timers: number;
}

export type Event =
  | { readonly type: 'start' }
  | { readonly type: 'stop' }
  | { readonly type: 'kill' }
  | { readonly type: 'started'; readonly child: number; readonly incarnation: number }
  | { readonly type: 'failed'; readonly child: number; readonly incarnation: number; readonly error: unknown }
  | { readonly type: 'exited'; readonly child: number; readonly incarnation: number; readonly reason: ExitReason }
  | { readonly type: 'timer'; readonly timer: number }
  /** An operator wants this child stopped and started anew; counts as no failure. */
  | { readonly type: 'restart'; readonly child: number };

export type Action =
  | { readonly type: 'start'; readonly child: number; readonly incarnation: number }
  | { readonly type: 'stop'; readonly child: number }
  | { readonly type: 'kill'; readonly child: number }
  | { readonly type: 'timer'; readonly timer: number; readonly ms: number }
  | { readonly type: 'cancel'; readonly timer: number }
  /** All children are up. */
  | { readonly type: 'ready' }
  /** All children have ended, and so does the supervisor. `error`: what the first start failed with. */
  | { readonly type: 'exit'; readonly reason: ExitReason; readonly error?: unknown }
  /** For the log: `child` will start again after `ms`. */
  | { readonly type: 'restarting'; readonly child: number; readonly ms: number }
  /** For the log: `child` used up the intensity; the exit follows. */
  | { readonly type: 'escalated'; readonly child: number };

export interface Step {
  readonly state: SupervisorState;
  readonly actions: readonly Action[];
}
