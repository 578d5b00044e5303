// Owns which chats' presence the application watches.
// Invariant: at most LIMITS.watches; kept up through reconnects, when a direct chat comes to be, and when its user joins a group anew.
// Must not: hold what presences say.

import { LIMITS } from '../actors/limits.js';
import type { ChatLog } from './chat-log.js';
import { WeftError } from './errors.js';

export class Watches {
  readonly #say: (log: ChatLog, on: boolean) => void;
  readonly #logs = new Set<ChatLog>();

  constructor(say: (log: ChatLog, on: boolean) => void) {
    this.#say = say;
  }

  /** Throws `full` at the limit. */
  set(log: ChatLog, on: boolean): void {
    if (on && !this.#logs.has(log) && this.#logs.size >= LIMITS.watches) {
      throw new WeftError('full', `at most ${LIMITS.watches} chats can be watched`);
    }
    if (on) this.#logs.add(log);
    else this.#logs.delete(log);
    this.#say(log, on);
  }

  /** A connection came about. */
  up(): void {
    for (const log of this.#logs) this.#say(log, true);
  }

  /** The chat came to be, or its user became a member: before that the server had nothing to watch by. */
  began(log: ChatLog): void {
    if (this.#logs.has(log)) this.#say(log, true);
  }

  merged(from: ChatLog, to: ChatLog): void {
    if (!this.#logs.delete(from)) return;
    this.#logs.add(to);
    this.#say(to, true);
  }
}
