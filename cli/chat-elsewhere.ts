// Owns what is told of chats that are not open.
// Invariant: a chat without unread messages, or one that is muted, is not in it.
// Must not: count; the session does.

import type { Chat, ChatSummary } from '../client/index.js';
import { cleanLine } from './chat-text.js';

export class Elsewhere {
  /** By chat id. */
  readonly #chats = new Map<string, Chat>();

  /** `carol: 2 new · trip: 1 new`. */
  get text(): string {
    const unread = [...this.#chats.values()].filter((chat) => chat.unread > 0 && chat.marks.muted <= Date.now());
    return unread.map((chat) => `${cleanLine(chat.name)}: ${chat.unread} new`).join(' · ');
  }

  set(chats: readonly ChatSummary[]): void {
    this.#chats.clear();
    for (const { unread, chat } of chats) if (unread > 0) this.add(chat);
  }

  /** A message came. */
  add(chat: Chat): void {
    this.#chats.set(chat.id, chat);
  }

  /** The chat is open. */
  remove(chat: Chat): void {
    this.#chats.delete(chat.id);
  }
}
