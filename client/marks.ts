// Owns that the user's marks of chats are the same here as on the server, whichever device changed them.
// Invariant: up to version `since`, every mark is in its chat. Versions count up by one, so whatever leaves one out is
// followed by asking, not by guessing.
// Must not: decide what a mark means for the application.
//
//   MARKED ─▶ version = since + 1 ─▶ since moves on
//          └▶ beyond, or MARK answered beyond, or a new connection ─▶ MARKS since ─▶ since = the highest answered
//
// An own change comes by MARKED as well, also where its answer came too late to be waited for.

import { LIMITS } from '../actors/limits.js';
import { type Plain, type ServerFrame, T } from '../transport/frames.js';
import type { ChatList } from './chat-list.js';
import type { ChatLog } from './chat-log.js';
import type { Marks } from './chat-state.js';
import type { ChatTable } from './chat-table.js';
import type { Flusher } from './flush.js';
import { bytesOf, countOf, countsOf, flagOf, listOf } from './plain.js';
import type { Ask } from './requests.js';

export interface MarksParts {
  readonly table: ChatTable;
  readonly flusher: Flusher;
  readonly list: ChatList;
  ask: Ask;
}

export interface MarksHooks {
  marked(log: ChatLog): void;
  /** The user deleted these for himself. */
  hidden(log: ChatLog, seqs: readonly number[]): void;
}

export class MarkSync {
  readonly #parts: MarksParts;
  readonly #hooks: MarksHooks;
  #since = 0;
  /** The newest version heard of. */
  #heard = 0;
  #asking = false;
  /** What is being asked for may be answered as it was before marks changed that were told of in vain. */
  #again = false;

  constructor(parts: MarksParts, hooks: MarksHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
  }

  restore(since: number): void {
    this.#since = since;
  }

  /** Another device of the user may have changed some while there was no connection, or that was told and lost. */
  up(): void {
    this.#again = this.#asking;
    void this.#catchUp();
  }

  /** A device of the user changed one. */
  told(frame: Extract<ServerFrame, { type: typeof T.MARKED }>): void {
    const log = this.#parts.table.byId(frame.chat);
    const { muted, pinned, archived, unread, cleared, hidden } = frame;
    this.#take(log, frame.version, { muted, pinned, archived, unread, cleared, hidden });
    this.#heardOf(frame.version);
  }

  /** Resolves when the server has it durably. */
  async set(log: ChatLog, op: number, value: number, seqs: readonly number[] = []): Promise<void> {
    const chat = log.id;
    if (chat === undefined) return;
    const [answer] = await this.#parts.ask((r) => ({ type: T.MARK, r, chat, op, value, seqs: [...seqs] }));
    // A change of this or an earlier moment was told before this answer. What was not was lost.
    if (countOf(answer, 'the version of a mark') > this.#since) await this.#catchUp();
  }

  #take(log: ChatLog, version: number, marks: Marks): void {
    const hidden = log.state.mark(version, marks);
    if (hidden === undefined) return;
    for (const seq of hidden) {
      log.state.unread.remove(seq, seq, Math.max(log.read, marks.cleared));
      // Not here yet: whether it is among those that the server counted, only the server knows.
      if (seq > log.done && seq > log.read) this.#parts.list.missed();
    }
    log.settle();
    this.#parts.flusher.dirty(log);
    this.#hooks.marked(log);
    if (hidden.length > 0) this.#hooks.hidden(log, hidden);
  }

  #heardOf(version: number): void {
    this.#heard = Math.max(this.#heard, version);
    if (this.#asking || this.#heard <= this.#since) return;
    if (this.#heard === this.#since + 1) this.#reached(this.#heard);
    else void this.#catchUp();
  }

  #reached(version: number): void {
    if (version <= this.#since) return;
    this.#since = version;
    this.#parts.flusher.note({ type: 'marks', version });
  }

  async #catchUp(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    this.#again = false;
    try {
      for (let more = true; more; ) {
        const since = this.#since;
        const heard = this.#heard;
        const [rows, flag] = await this.#parts.ask((r) => ({ type: T.MARKS, r, since, limit: LIMITS.listRows }));
        for (const row of listOf(rows, 'MARKS')) this.#row(listOf(row, 'a mark'));
        more = flagOf(flag, 'MARKS') && this.#since > since;
        // The last answer has all that was heard of before it was asked for.
        if (!more) this.#reached(heard);
      }
    } catch {
      this.#asking = false;
      // The next connection, or the next mark, asks again. Not this one: an older server has no answer, however often it is asked.
      return this.#again ? this.#catchUp() : undefined;
    }
    this.#asking = false;
    if (this.#again) return this.#catchUp();
    this.#heardOf(this.#heard);
  }

  #row([chat, version, muted, pinned, archived, unread, cleared, hidden]: readonly Plain[]): void {
    const log = this.#parts.table.byId(bytesOf(chat, 16, 'a chat'));
    const newest = countOf(version, 'the version of a mark');
    this.#take(log, newest, {
      muted: countOf(muted, 'muted', 0),
      pinned: countOf(pinned, 'pinned', 0),
      archived: flagOf(archived, 'archived'),
      unread: flagOf(unread, 'unread'),
      cleared: countOf(cleared, 'cleared', 0),
      hidden: countsOf(hidden, 'hidden'),
    });
    this.#reached(newest);
  }
}
