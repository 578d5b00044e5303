// Owns the vocabulary of a connection's life: its states, and what the dialer and its owner say to each other.
// Invariant: states only change as drawn in dialer.ts.
// Must not: hold behaviour.

import type { World } from '../actors/world.js';
import type { ClientFrame, ServerFrame, T } from '../transport/frames.js';
import type { BackoffOptions } from './backoff.js';
import type { WeftError } from './errors.js';
import type { Dial } from './link.js';
import type { TokenSource } from './token.js';

export type State = 'connecting' | 'online' | 'waiting' | 'replaced' | 'failed' | 'closed';

export interface StateChange {
  readonly state: State;
  readonly previous: State;
  /** Why, where it is not by the application's wish. */
  readonly error?: WeftError;
  /** ms until the next attempt, in `waiting`. */
  readonly retryIn?: number;
}

export type Welcome = Extract<ServerFrame, { type: typeof T.WELCOME }>;

export interface DialerHooks {
  /** Credit for HELLO, and the SYNC frames that follow it in the same round trip. */
  greet(): { readonly credit: number; readonly frames: readonly ClientFrame[] };
  /** Looks at WELCOME first; a returned error ends the session as `failed`. */
  admit(welcome: Welcome): WeftError | undefined;
  /** The connection is up: frames may be sent. */
  up(welcome: Welcome): void;
  frame(frame: ServerFrame): void;
  /** The connection, which had been up, is gone. */
  down(): void;
  /** TOKEN with a fresh token; resolves with its end. */
  renew(token: string): Promise<number>;
  /** Sends that are still unanswered. */
  unanswered(): number;
  /** GOAWAY: no new sends on this connection. */
  leaving(): void;
  state(change: StateChange): void;
  trouble(error: WeftError): void;
}

export interface DialerOptions {
  readonly world: World;
  readonly dial: Dial;
  readonly url: string;
  readonly token: TokenSource;
  readonly agent: string;
  readonly backoff?: BackoffOptions;
}
