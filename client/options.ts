// Owns what a session can be told at its start.
// Invariant: everything with a default says it; numbers that bound something default to actors/limits.ts.
// Must not: hold behaviour.

import type { World } from '../actors/world.js';
import type { BackoffOptions } from './backoff.js';
import type { Dial } from './link.js';
import type { ClientStore } from './store.js';
import type { TokenSource } from './token.js';

export interface CoreOptions {
  readonly world: World;
  readonly dial: Dial;
  readonly store: ClientStore;
  readonly url: string;
  readonly token: TokenSource;
  /** Tells the server what this client is. */
  readonly agent?: string;
  readonly backoff?: BackoffOptions;
  /** Deliveries that may wait for the application's listeners. */
  readonly credit?: number;
  /** Sends of one chat on their way at once. */
  readonly pipeline?: number;
  /** For chats new to this store: 0 brings everything, n the newest n messages. */
  readonly backfill?: number;
}

export interface SessionOptions extends CoreOptions {
  /** True: `connect` resolves as soon as the store is open, and the session connects when it can. */
  readonly offline?: boolean;
  /** ms that `connect` waits for the first connection (30,000). Not used with `offline`. */
  readonly timeout?: number;
}
