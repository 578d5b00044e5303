// Owns a chat's reads of the store that hold its user lane until they are answered.
// Invariant: while a read is under way nothing that users say is handled; an answer from before the state was read anew
// counts for nothing, and whoever waited for it is refused.
// Must not: know what is read, or what becomes of it.

import type { ChatContext, Tag } from './chat-rules.js';
import type { Fabric } from './fabric.js';

/** Value of a result whose read failed. */
export const UNREADABLE = Symbol('unreadable');
export type Read<T> = T | typeof UNREADABLE;

export class Reads {
  readonly #fabric: Fabric;
  readonly #key: string;
  #open = 0;

  constructor(fabric: Fabric, key: string) {
    this.#fabric = fabric;
    this.#key = key;
  }

  /** No read is under way. */
  get none(): boolean {
    return this.#open === 0;
  }

  /** Holds the user lane until the promise's result is here, as the value of a signal with this tag. */
  hold(promise: Promise<unknown>, tag: Tag, context: ChatContext): void {
    context.suspend();
    this.#open += 1;
    const done = context.completion(tag);
    promise.then(done, (error: unknown) => {
      this.#fabric.report('chat_unreadable', { chat: this.#key, reason: String(error) });
      done(UNREADABLE);
    });
  }

  /** A result is here. */
  release(context: ChatContext): void {
    this.#open -= 1;
    if (this.#open === 0) context.resume();
  }
}
