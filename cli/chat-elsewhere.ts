// Owns what is unread in chats that are not open.
// Invariant: a chat without unread messages is not in it.
// Must not: ask the node.

import type { Chat, ChatSummary } from '../client/index.js';
import { cleanLine } from './chat-text.js';

export class Elsewhere {
  /** By chat id. */
  readonly #unread = new Map<string, { readonly name: string; readonly count: number }>();

  /** `carol: 2 new · trip: 1 new`. */
  get text(): string {
    return [...this.#unread.values()].map(({ name, count }) => `${name}: ${count} new`).join(' · ');
  }

  /** The node's count, in place of what was counted here. */
  set(chats: readonly ChatSummary[]): void {
    this.#unread.clear();
    for (const { id, name, unread } of chats) {
      if (unread > 0) this.#unread.set(id, { name: cleanLine(name), count: unread });
    }
  }

  /** A message came. */
  add(chat: Chat): void {
    const count = (this.#unread.get(chat.id)?.count ?? 0) + 1;
    this.#unread.set(chat.id, { name: cleanLine(chat.name), count });
  }

  read(chat: Chat): void {
    this.#unread.delete(chat.id);
  }
}
