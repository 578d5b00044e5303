// Owns the questions of one client that the store answers: HISTORY, LIST and what they own.
// Invariant: one is read at a time, none while the client leaves the answers before unread, and none while it has used up
// its rate: what it costs is one answer and what a socket may buffer, however many it asks. None is refused for that.
// Must not: know what is asked.

import { type Plain, T } from '../transport/frames.js';
import type { Connection, ConnectionContext } from './connection.js';
import type { Refusal } from './errors.js';
import type { HistoryPage } from './history.js';
import { LIMITS } from './limits.js';
import type { Listed } from './list.js';

export type Answer = HistoryPage | Listed | readonly Plain[] | Refusal;

export interface Question {
  readonly r: number;
  readonly read: () => Promise<Answer>;
  /** Rows to be read at most. */
  readonly rows: number;
  /** Key of the chat whose entries it shows; '' for none. */
  readonly chat: string;
}

export class Questions {
  readonly #connection: Connection;
  #waiting: Question[] = [];
  #reading: Question | null = null;
  /** What is being read may show what is gone by now. */
  #stale = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Those without an answer. */
  get open(): number {
    return this.#waiting.length + Number(this.#reading !== null);
  }

  /** Its turn comes with `proceed`. */
  ask(question: Question): void {
    this.#waiting.push(question);
  }

  /** Something of the chat was deleted, or hidden by the user: what is being read of it is read again. */
  outdated(key: string): void {
    if (this.#reading?.chat === key) this.#stale = true;
  }

  /** The answer is here. */
  answered(r: number, answer: Answer): void {
    const asked = this.#reading;
    this.#reading = null;
    if (this.#stale && asked !== null) return void this.#waiting.unshift(asked);
    const { meter, peer } = this.#connection;
    if ('code' in answer) return peer.error(r, answer.code, answer.detail);
    if ('results' in answer) {
      meter.paged(answer.bytes);
      meter.caused(answer.chats);
      return this.ok(r, answer.results);
    }
    if (!('rows' in answer)) return this.ok(r, answer);
    const before = peer.pending;
    peer.page(r, answer.rows, answer.more);
    meter.paged(peer.pending - before);
  }

  /** OK, and it counts for its length. */
  ok(r: number, results: readonly Plain[]): void {
    const { meter, peer } = this.#connection;
    const before = peer.pending;
    peer.frame({ type: T.OK, r, results });
    meter.answered(peer.pending - before);
  }

  /** Reads for the next one if it can be. Answers ms after which that may be otherwise; 0: it is not for the time. */
  proceed(context: ConnectionContext): number {
    if (this.#reading !== null || this.#waiting.length === 0) return 0;
    const { peer, meter } = this.#connection;
    const pause = Math.max(meter.pause, peer.buffered() > LIMITS.buffered ? LIMITS.retryMs : 0);
    if (pause > 0) return pause;
    const question = this.#waiting.shift()!;
    const { r, read, rows } = question;
    this.#reading = question;
    this.#stale = false;
    meter.asked(rows);
    const done = context.completion({ type: 'read', r });
    read().then(done, () => done({ code: 'unavailable', detail: 'the store cannot be read now' }));
    return 0;
  }
}
