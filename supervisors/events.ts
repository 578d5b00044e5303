// Owns what a supervision tree tells its log: every start, end, restart, escalation and quarantine.
// Invariant: an event names paths, keys and ids; never a message's body.
// Must not: format text (the log does).

import type { ExitReason } from '../actors/behaviour.js';

export type TreeEvent =
  | { readonly type: 'started'; readonly path: string; readonly incarnation: number }
  | { readonly type: 'start_failed'; readonly path: string; readonly incarnation: number; readonly error: unknown }
  | { readonly type: 'exited'; readonly path: string; readonly incarnation: number; readonly reason: ExitReason }
  /** Starts again after `ms`. */
  | { readonly type: 'restarting'; readonly path: string; readonly ms: number }
  /** Did not stop in time, or was not given any. */
  | { readonly type: 'killed'; readonly path: string }
  /** The supervisor at `path` gives up because of `child`. */
  | { readonly type: 'escalated'; readonly path: string; readonly child: string }
  /** A pool's cell crashed; its key rests for `ms`. `message`: what `describe` said of the message being handled. */
  | {
      readonly type: 'crashed';
      readonly path: string;
      readonly key: string;
      readonly count: number;
      readonly ms: number;
      readonly error: unknown;
      readonly message: string | undefined;
    }
  /** A key crashed too often and is not activated for `ms`. */
  | {
      readonly type: 'quarantined';
      readonly path: string;
      readonly key: string;
      readonly count: number;
      readonly ms: number;
      readonly error: unknown;
      readonly message: string | undefined;
    }
  | { readonly type: 'released'; readonly path: string; readonly key: string }
  /** Too many keys of one partition crashed: it is restarted as a whole. */
  | { readonly type: 'storm'; readonly path: string; readonly keys: number; readonly cells: number };
