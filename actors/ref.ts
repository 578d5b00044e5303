// Owns the address of one incarnation of an actor, as others hold it.
// Invariant: a ref reaches the incarnation it was made for or dead letters, never a later one of the same key.
// Must not: expose the cell's insides; code outside actors/ sees these interfaces alone.

import type { Delivery } from './behaviour.js';

/** `M` is what the actor accepts. Refs compare by identity. */
export interface Ref<in M> {
  readonly kind: string;
  readonly key: string;
  /** Unique within the runtime's life, rising. */
  readonly incarnation: number;
  readonly alive: boolean;
  /** Queues the message. Never throws, never blocks, never runs a handler. */
  tell(message: M): Delivery;
}

/** Where an answer goes. Answering twice or too late does nothing. */
export interface Reply {
  answer(value: unknown): void;
}
