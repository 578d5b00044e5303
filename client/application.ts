// Owns what the application is told, and the Chat objects that it is told by.
// Invariant: one Chat object per chat; a listener that fails is reported once and harms nothing else.
// Must not: send, store or decide positions.

import { Chat } from './chat.js';
import type { ChatLog, Release } from './chat-log.js';
import type { Core } from './core.js';
import { Emitter, type Listener } from './emitter.js';
import { WeftError } from './errors.js';
import { PRECISIONS, type SessionEvents } from './events.js';
import { type Change, present } from './message.js';
import type { ReceiverHooks } from './receiver.js';

export class Application {
  readonly #core: Core;
  readonly #events: Emitter<SessionEvents>;
  readonly #chats = new WeakMap<ChatLog, Chat>();

  constructor(core: Core) {
    this.#core = core;
    this.#events = new Emitter((name, error) => this.#failed(name, error));
  }

  on<K extends keyof SessionEvents>(name: K, listener: Listener<SessionEvents[K]>): () => void {
    return this.#events.on(name, listener);
  }

  emit<K extends keyof SessionEvents>(name: K, event: SessionEvents[K]): Promise<unknown> | undefined {
    return this.#events.emit(name, event);
  }

  trouble(error: WeftError): void {
    this.emit('error', error);
  }

  chat(log: ChatLog): Chat {
    let chat = this.#chats.get(log);
    if (chat === undefined) {
      chat = new Chat(this.#core, log);
      this.#chats.set(log, chat);
    }
    return chat;
  }

  /** The application's object for `from` stands for `to` from now on. */
  merged(from: ChatLog, to: ChatLog): void {
    const chat = this.#chats.get(from);
    if (chat !== undefined) this.#chats.set(to, chat);
  }

  /**
   * Hands out what is next in a chat. A promise holds back what follows it there. What the user has deleted for himself
   * by then, on whichever device, is not shown; what it changes counts all the same.
   */
  handle(log: ChatLog, release: Release): Promise<unknown> | undefined {
    if (release.type === 'own') {
      if (log.reached(release.seq, this.#core.me)) this.emit('chat', { chat: this.chat(log) });
      return undefined;
    }
    const chat = this.chat(log);
    if (release.type === 'truncated') return this.emit('truncated', { chat, from: release.from, to: release.seq });
    const shown = present(chat, release.item, this.#core.me);
    const hidden = log.state.hides(release.seq);
    if (shown.type === 'message') {
      if (hidden) return undefined;
      if (!shown.own) log.told(shown.seq);
      return this.emit('message', shown);
    }
    const { from, change } = shown;
    if (log.changed(from, shown)) this.emit('chat', { chat });
    const both: (Promise<unknown> | undefined)[] = hidden ? [] : [this.emit('event', shown)];
    if (change === 'deleted') both.push(this.emit('deleted', { chat, seqs: [shown.target], by: from, everyone: true }));
    if (change === 'expired') both.push(this.emit('expired', { chat, first: shown.first, last: shown.last }));
    const waits = both.filter((wait) => wait !== undefined);
    return waits.length === 0 ? undefined : Promise.all(waits);
  }

  /** This device made a change: of that, what is gone and what the chat is now is told here too. */
  made(log: ChatLog, change: Change): void {
    const chat = this.chat(log);
    if (change.change === 'deleted') {
      this.emit('deleted', { chat, seqs: [change.target], by: this.#core.me, everyone: true });
    }
    this.emit('chat', { chat });
  }

  /** The user's marks of a chat changed. */
  marked(log: ChatLog): void {
    this.emit('marks', { chat: this.chat(log) });
  }

  /** The user deleted these for himself. */
  hidden(log: ChatLog, seqs: readonly number[]): void {
    this.emit('deleted', { chat: this.chat(log), seqs, by: this.#core.me, everyone: false });
  }

  /** What is told at once, outside the order of chats. */
  hooks(broken: (error: WeftError) => void): ReceiverHooks {
    return {
      chat: (log) => void this.emit('chat', { chat: this.chat(log) }),
      receipt: (log, user, delivered, read) =>
        void this.emit('receipt', { chat: this.chat(log), user, delivered, read }),
      typing: (log, user, on) => void this.emit('typing', { chat: this.chat(log), user, on }),
      presence: (user, online, lastSeen, precision) =>
        void this.emit('presence', { user, online, lastSeen, precision: PRECISIONS[precision] ?? 'unknown' }),
      tally: (log, delivered, read) => void this.emit('tally', { chat: this.chat(log), delivered, read }),
      count: (log, online) => void this.emit('count', { chat: this.chat(log), online }),
      profiled: (user, version) => {
        this.#core.account.profiled(user);
        this.emit('profile', { user, version });
      },
      blocked: (user, on) => {
        if (this.#core.account.blockedIs(user, on)) this.emit('blocked', { user, on });
      },
      synced: (chats) => void this.emit('synced', { chats }),
      trouble: (error) => this.trouble(error),
      broken,
    };
  }

  #failed(name: keyof SessionEvents, error: unknown): void {
    // A failing `error` listener must not call itself.
    if (name === 'error') return;
    const detail = error instanceof Error ? error.message : String(error);
    this.trouble(new WeftError('listener_failed', `${name}: ${detail}`, undefined, error));
  }
}
