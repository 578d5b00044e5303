// Owns who of the open chat is there and who is typing.
// Invariant: a typing notice ends by itself after LIMITS.chatTypingMs, should its end be lost.
// Must not: ask the node.

import { LIMITS } from '../actors/limits.js';
import type { Chat, Session, UserPresence } from '../client/index.js';
import { cleanLine } from './chat-text.js';
import { listed } from './chat-transcript.js';
import { clock, dayOf } from './chat-view.js';

export class Presence {
  readonly #changed: () => void;
  readonly #seen = new Map<string, { readonly online: boolean; readonly lastSeen: number }>();
  /** Of whom the server cannot tell now. */
  readonly #unknown = new Set<string>();
  readonly #typing = new Map<string, NodeJS.Timeout>();
  #members: readonly string[] = [];
  /** How many of a large group are online. */
  #count: number | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** `bob is typing…`; empty where nobody is. */
  get typing(): string {
    const users = [...this.#typing.keys()].map(cleanLine);
    return users.length === 0 ? '' : `${listed(users)} ${users.length === 1 ? 'is' : 'are'} typing…`;
  }

  /** For another chat. */
  clear(): void {
    this.#members = [];
    this.#count = undefined;
    this.#seen.clear();
    this.#unknown.clear();
    for (const timer of this.#typing.values()) clearTimeout(timer);
    this.#typing.clear();
  }

  members(users: readonly string[]): void {
    this.#members = users;
    this.#changed();
  }

  /** What the session tells of the chat that `shows` names. */
  listen(session: Session, shows: (chat: Chat) => boolean): void {
    session.on('presence', (news) => this.set(news));
    session.on('typing', ({ chat, user, on }) => {
      if (shows(chat)) this.types(user, on);
    });
    session.on('count', ({ chat, online }) => {
      if (shows(chat)) this.count(online);
    });
  }

  /** Nothing is known of who hides it, or is only counted. */
  set({ user, online, lastSeen, precision }: UserPresence): void {
    const unknown = precision === 'unknown';
    if (unknown) this.#unknown.add(user);
    else this.#unknown.delete(user);
    if (unknown || precision === 'hidden' || precision === 'count') this.#seen.delete(user);
    else this.#seen.set(user, { online, lastSeen });
    // Typing comes another way, where presence is not known.
    if (!online && !unknown) this.types(user, false);
    this.#changed();
  }

  count(online: number): void {
    this.#count = online;
    this.#changed();
  }

  online(user: string): boolean {
    return this.#seen.get(user)?.online === true;
  }

  types(user: string, on: boolean): void {
    clearTimeout(this.#typing.get(user));
    this.#typing.delete(user);
    if (on) {
      const timer = setTimeout(() => this.types(user, false), LIMITS.chatTypingMs);
      this.#typing.set(user, timer.unref());
    }
    this.#changed();
  }

  who(chat: Chat | undefined): { readonly text: string; readonly online: boolean } {
    if (chat === undefined) return { text: '', online: false };
    if (chat.kind === 'direct') return this.#one(chat.name);
    const others = this.#members.filter((user) => this.online(user)).length;
    const members = this.#members.length;
    if (members === 0) return { text: '', online: false };
    if (this.#unknown.size > 0) return { text: `${members} members · presence unknown`, online: false };
    if (this.#count !== undefined) {
      return { text: `${members} members · ${this.#count} online`, online: this.#count > 1 };
    }
    return { text: `${members} members · ${others} others online`.replace('1 others', '1 other'), online: others > 0 };
  }

  #one(user: string): { readonly text: string; readonly online: boolean } {
    const seen = this.#seen.get(user);
    if (seen === undefined) return { text: this.#unknown.has(user) ? 'presence unknown' : '', online: false };
    if (seen.online) return { text: 'online', online: true };
    if (seen.lastSeen === 0) return { text: 'offline', online: false };
    const today = dayOf(seen.lastSeen) === dayOf(Date.now());
    return { text: `last seen ${today ? '' : `${dayOf(seen.lastSeen)}, `}${clock(seen.lastSeen)}`, online: false };
  }
}
