// Owns what the client asks the server for by itself: the id of a direct chat, what a gap lacks, a token's new end; and
// the SYNC that says what it has.
// Invariant: an answer of the wrong form is `bad_response`, never a guess.
// Must not: decide when to ask.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import { type ClientFrame, type SyncEntry, T } from '../transport/frames.js';
import type { ChatLog } from './chat-log.js';
import type { ChatTable } from './chat-table.js';
import { asWeftError, WeftError } from './errors.js';
import type { Outbox } from './outbox.js';
import type { Receiver } from './receiver.js';
import type { Requests } from './requests.js';

interface Parts {
  readonly world: World;
  readonly table: ChatTable;
  readonly outbox: Outbox;
  readonly requests: Requests;
  readonly receiver: Receiver;
}

export class Queries {
  readonly #parts: Parts;
  readonly #backfill: number;
  /** Chats that were asked for on this connection. */
  #asked = new WeakSet<ChatLog>();

  constructor(parts: Parts, backfill: number) {
    this.#parts = parts;
    this.#backfill = backfill;
  }

  /** SYNC with the present vector, in as many frames as it takes. `again`: one of before is not answered yet. */
  greeting(again = false): ClientFrame[] {
    const { table, receiver, outbox } = this.#parts;
    const vector = table.vector(receiver.me, this.#backfill === 0, again, (log) => outbox.waits(log));
    const frames: ClientFrame[] = [];
    const backfill = this.#backfill;
    do {
      const entries: SyncEntry[] = vector.splice(0, LIMITS.syncPart);
      frames.push({ type: T.SYNC, entries, more: vector.length > 0, backfill });
    } while (vector.length > 0);
    return frames;
  }

  /** A direct chat without a message takes its first one only on a connection that asked for it, so requests go first. */
  introduce(log: ChatLog): void {
    if (log.kind !== 1 || log.head > 0 || this.#asked.has(log)) return;
    this.locate(log).catch(() => {});
  }

  /** The connection is lost, and with it what was asked on it. */
  down(): void {
    this.#asked = new WeakSet();
  }

  /** Learns the id of a direct chat; what waits for it goes on or fails. */
  async locate(log: ChatLog): Promise<ChatLog> {
    const { world, table, outbox, requests, receiver } = this.#parts;
    const user = log.name;
    this.#asked.add(log);
    try {
      const answer = await requests.ask((r) => ({ type: T.DIRECT, r, user }));
      const id = answer.type === 'ok' ? answer.results[0] : undefined;
      if (!(id instanceof Uint8Array) || id.length !== 16)
        throw new WeftError('bad_response', 'DIRECT without a chat id');
      const found = table.byId(id);
      this.#asked.add(found);
      receiver.describe(found, 1, user);
      outbox.wake(found);
      return found;
    } catch (error) {
      const failure = asWeftError(error, 'bad_response');
      if (failure.retry) outbox.hold(log, failure.after + world.random() * LIMITS.clientBackoffBaseMs);
      else outbox.refuse(log, failure);
      throw failure;
    }
  }

  /** Pulls up to `limit` messages below `before` into the log. */
  async pull(log: ChatLog, before: number, limit: number): Promise<void> {
    const { requests, receiver } = this.#parts;
    const chat = log.id;
    if (chat === undefined) return;
    const answer = await requests.ask((r) => ({ type: T.HISTORY, r, chat, before, limit }));
    if (answer.type !== 'page') throw new WeftError('bad_response', 'HISTORY answered without a page');
    for (const row of answer.rows) receiver.pulled(log, row);
  }

  /** Resolves with the token's end, ms since 1970. */
  async renew(token: string): Promise<number> {
    const answer = await this.#parts.requests.ask((r) => ({ type: T.TOKEN, r, token }));
    const expires = answer.type === 'ok' ? answer.results[0] : undefined;
    if (typeof expires !== 'number') throw new WeftError('bad_response', 'TOKEN answered without an end');
    return expires;
  }
}
