// Owns the list of the user's chats: what is known here, brought up to the server's word where that may have changed.
// Invariant: LIST is read after each connect that may have missed something, once if nothing changes meanwhile, and never twice
// at a time.
// Must not: count unread messages itself (unread.ts).

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import { type Plain, T } from '../transport/frames.js';
import type { ChatLog } from './chat-log.js';
import type { ChatTable } from './chat-table.js';
import type { Flusher } from './flush.js';
import { bytesOf, countOf, flagOf, listOf, textOf } from './plain.js';
import type { Receiver } from './receiver.js';
import type { Ask } from './requests.js';

export interface ListParts {
  readonly world: World;
  readonly table: ChatTable;
  readonly flusher: Flusher;
  readonly receiver: Receiver;
  ask: Ask;
}

export class ChatList {
  readonly #parts: ListParts;
  /** The count of unread messages of a chat changed other than by a message. */
  readonly #recounted: (log: ChatLog) => void;
  /** Another device may have read, or messages were missed. */
  #stale = true;
  #reading: Promise<void> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(parts: ListParts, recounted: (log: ChatLog) => void) {
    this.#parts = parts;
    this.#recounted = recounted;
  }

  /** Something came to this chat while there was no connection. */
  missed(): void {
    this.#stale = true;
  }

  /** The user is a member again: of what was deleted meanwhile no event comes. */
  again(): void {
    this.#stale = true;
    this.synced();
  }

  /** A new connection, or news were lost: what is unread here may have been read elsewhere. */
  up(): void {
    for (const log of this.#parts.table.all()) {
      if (log.state.unread.count === 0) continue;
      this.#stale = true;
      return;
    }
  }

  /** The server has certified all chats. */
  synced(): void {
    const again = (): void => {
      if (this.#stale) this.refresh().catch(() => {});
    };
    // A question of the last connection may run out of time just as this one's server answers.
    if (this.#reading === undefined) again();
    else this.#reading.catch(again);
  }

  /** Resolves when what is known here is the server's word; at once where it is. */
  refresh(): Promise<void> {
    if (this.#parts.world.now() - this.#readAt >= LIMITS.clientListMs && this.#unheard()) this.#stale = true;
    if (!this.#stale && this.#reading === undefined) return Promise.resolve();
    this.#reading ??= this.#word().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** Pinned ones first, then by their newest entry; those with nothing in them are left out. */
  sorted(): ChatLog[] {
    const logs = [...this.#parts.table.all()].filter((log) => log.kind !== 0 && log.head > 0);
    return logs.sort(
      (a, b) =>
        b.state.marks.pinned - a.state.marks.pinned ||
        b.state.at - a.state.at ||
        (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
    );
  }

  /** Of large groups no receipts come, not even of what this user reads on another device. */
  #unheard(): boolean {
    for (const { state } of this.#parts.table.all())
      if (state.tally !== undefined && state.unread.count > 0) return true;
    return false;
  }

  /** Once more where it changed as it was read, and no more than that: in a busy chat it always does. */
  async #word(): Promise<void> {
    await this.#read();
    if (this.#stale) await this.#read();
  }

  async #read(): Promise<void> {
    this.#stale = false;
    for (const { state } of this.#parts.table.all()) state.unread.asked();
    this.#readAt = this.#parts.world.now();
    try {
      let after: Uint8Array | null = null;
      for (let more = true; more; ) {
        const from: Uint8Array | null = after;
        const [rows, flag]: readonly Plain[] = await this.#parts.ask((r) => {
          return { type: T.LIST, r, after: from, limit: LIMITS.listRows };
        });
        for (const row of listOf(rows, 'LIST')) after = this.#row(listOf(row, 'a chat of LIST'));
        more = flagOf(flag, 'LIST') && after !== from;
      }
    } catch (error) {
      this.#stale = true;
      throw error;
    }
  }

  #row(row: readonly Plain[]): Uint8Array {
    const [chat, kind, name, head, , read, at, unread, , , , , avatar] = row;
    const { table, receiver, flusher } = this.#parts;
    const id = bytesOf(chat, 16, 'a chat');
    const log = table.byId(id);
    const { state } = log;
    const before = [log.head, log.read, state.at, state.avatar, state.unread.count];
    receiver.describe(log, countOf(kind, 'the kind of a chat'), textOf(name, 'the name of a chat'));
    const newest = countOf(head, 'the head of a chat', 0);
    log.head = Math.max(log.head, newest);
    state.at = Math.max(state.at, countOf(at, 'the time of a chat', 0));
    if (avatar !== undefined) state.avatar = textOf(avatar, 'an avatar');
    log.readTo(countOf(read, 'the position of a chat', 0));
    // An older server does not count.
    if (unread !== undefined) {
      const seen = Math.max(log.read, state.marks.cleared);
      if (!state.unread.list(countOf(unread, 'a count of unread messages'), newest, seen, log.done)) this.#stale = true;
    }
    const after = [log.head, log.read, state.at, state.avatar, state.unread.count];
    if (before.some((value, i) => value !== after[i])) flusher.dirty(log);
    if (before[4] !== after[4]) this.#recounted(log);
    return id;
  }
}
