// Owns what those who left a chat say they have read since: for their own unread count, and nobody else is told.
// Invariant: what is said is written in the end, also if the row that it goes on top of cannot be read now; who never was a
// member changes nothing.
// Must not: hold up the chat: rows of those who left before it woke are read beside it.

import { inboxKey } from '../storage/keys.js';
import { decodeInbox, type Inbox } from '../storage/rows.js';
import type { Chat } from './chat.js';
import type { ChatContext, Tag } from './chat-rules.js';
import type { DevicePosition } from './cursor.js';
import { LIMITS } from './limits.js';
import { type Read, UNREADABLE } from './reads.js';
import type { Roster } from './roster.js';
import { leftAt } from './visibility.js';

export class Formers {
  readonly #chat: Chat;
  /** Rows that are being read. */
  #open = 0;

  constructor(chat: Chat) {
    this.#chat = chat;
  }

  /** No row is being read. */
  get none(): boolean {
    return this.#open === 0;
  }

  /** The position of somebody who is no member. True: it is to be written. */
  said(position: DevicePosition, { departed }: Roster, context: ChatContext): boolean {
    const { user, read } = position;
    if (departed.has(user)) return departed.read(user, read);
    if (read > 0 && this.#open < LIMITS.conversationInFlight) {
      // Beyond the bound it is dropped: it counts for nobody but one of a thousand who left, at the same moment.
      this.#open += 1;
      const { fabric, id, round } = this.#chat;
      const done = context.completion({ type: 'former', round, position });
      const row = fabric.store.get(inboxKey(user, id));
      row.then((found) => (found === undefined ? undefined : decodeInbox(found))).then(done, () => done(UNREADABLE));
    }
    return false;
  }

  /** The store answered. */
  found(inbox: Read<Inbox | undefined>, tag: Extract<Tag, { type: 'former' }>, context: ChatContext): void {
    if (inbox === UNREADABLE) return void context.after(LIMITS.reloadMs, tag);
    const { position, round } = tag;
    const { roster } = this.#chat;
    // Not of this life of the state: what the row says may be no more.
    if (roster === null || round !== this.#chat.round) return this.again(position, context);
    const { user } = position;
    const known = roster.members.has(user) || roster.departed.has(user);
    if (!known && inbox !== undefined && leftAt(inbox.spans) !== null) roster.departed.add(user, inbox);
    if (known || roster.departed.has(user)) return this.again(position, context);
    this.#open -= 1;
  }

  again(position: DevicePosition, context: ChatContext): void {
    this.#open -= 1;
    this.#chat.cursor(position, context);
  }
}
