// Owns the questions of one client that the store answers: HISTORY, LIST and what they own.
// Invariant: one is read at a time, and none while the client leaves the answers before unread: what it costs in memory is
// one answer and what a socket may buffer, however many it asks.
// Must not: know what is asked.

import type { Plain } from '../transport/frames.js';
import type { Connection, ConnectionContext } from './connection.js';
import type { Refusal } from './errors.js';
import type { HistoryPage } from './history.js';
import { LIMITS } from './limits.js';
import type { Listed } from './list.js';

export type Answer = HistoryPage | Listed | readonly Plain[] | Refusal;

export interface Question {
  readonly r: number;
  readonly read: () => Promise<Answer>;
}

export class Questions {
  readonly #connection: Connection;
  #waiting: Question[] = [];
  #reading = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Those without an answer. */
  get open(): number {
    return this.#waiting.length + (this.#reading ? 1 : 0);
  }

  /** Its turn comes with `proceed`. */
  ask(question: Question): void {
    this.#waiting.push(question);
  }

  /** The answer is here. */
  answered(): void {
    this.#reading = false;
  }

  /** Reads for the next one if it can be. True: only the socket holds it up. */
  proceed(context: ConnectionContext): boolean {
    if (this.#reading || this.#waiting.length === 0) return false;
    if (this.#connection.peer.buffered() > LIMITS.buffered) return true;
    const { r, read } = this.#waiting.shift()!;
    this.#reading = true;
    const done = context.completion({ type: 'read', r });
    read().then(done, () => done({ code: 'unavailable', detail: 'the store cannot be read now' }));
    return false;
  }
}
