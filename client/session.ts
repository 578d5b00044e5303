// Owns the session as the application holds it.
// Invariant: a session ends by `close`, by being replaced or by a refusal for good, and says so in `state`; nothing else ends it.
// Must not: do the work; its parts do.

import { LIMITS } from '../actors/limits.js';
import type { Audience, Device } from './account.js';
import type { Chat } from './chat.js';
import type { ChatLog } from './chat-log.js';
import type { Marks } from './chat-state.js';
import type { State } from './connection.js';
import type { Core } from './core.js';
import type { Listener } from './emitter.js';
import { WeftError } from './errors.js';
import type { SessionEvents } from './events.js';
import { unhex, uuidText } from './ids.js';
import { inviteBytes } from './invite.js';
import type { Message } from './message.js';
import type { Profile } from './profiles.js';

export interface ChatSummary {
  readonly chat: Chat;
  readonly id: string;
  readonly kind: 'direct' | 'group' | 'unknown';
  /** The other user, or the group's title. */
  readonly name: string;
  readonly avatar: string;
  /** Newest sequence number, and when it came, ms since 1970 (0: not known here). */
  readonly head: number;
  readonly at: number;
  /** The user has read what others wrote up to here. */
  readonly read: number;
  /** Messages of others after that; 1,000 stands for that many or more. */
  readonly unread: number;
  /** ms since 1970 until which it is muted; 0: it is not. */
  readonly muted: number;
  readonly pinned: number;
  readonly archived: boolean;
  readonly markedUnread: boolean;
}

/** A message that the server has not acknowledged yet. */
export interface PendingMessage {
  readonly chat: Chat;
  readonly id: string;
  readonly body: Uint8Array;
}

export class Session {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  get state(): State {
    return this.#core.dialer.state;
  }

  /** Empty until the first connection of a new store. */
  get user(): string {
    return this.#core.me;
  }

  get device(): string {
    return this.#core.device;
  }

  /**
   * Adds a listener; the returned function removes it. Messages and events are held back until a listener for `message`
   * or `event` was added, and flow from the next turn of the event loop on.
   */
  on<K extends keyof SessionEvents>(name: K, listener: Listener<SessionEvents[K]>): () => void {
    const off = this.#core.application.on(name, listener);
    if (name === 'message' || name === 'event') this.#core.listened();
    return off;
  }

  /** The direct chat with a user. Nothing is asked of the server until it is used. */
  direct(user: string): Chat {
    const bytes = new TextEncoder().encode(user).length;
    if (bytes < 1 || bytes > LIMITS.userId) {
      throw new WeftError('bad_argument', `a user id has 1 to ${LIMITS.userId} bytes`);
    }
    return this.#core.application.chat(this.#core.table.byUser(user));
  }

  /** A chat by its id: 32 hexadecimal digits or 16 bytes. */
  group(id: string | Uint8Array): Chat {
    const bytes = typeof id === 'string' ? unhex(id) : id;
    if (bytes?.length !== 16) throw new WeftError('bad_argument', 'a chat id has 16 bytes');
    return this.#core.application.chat(this.#core.table.byId(bytes));
  }

  /** Resolves when the group exists durably. Rejects with `full`, `bad_request` (title), `unknown_user`, `timeout`, … */
  async createGroup(options: { readonly title: string; readonly members: readonly string[] }): Promise<Chat> {
    return this.#core.application.chat(await this.#core.changes.create(options.title, options.members));
  }

  /**
   * Every chat of the user, those left included: pinned ones first, then by their newest entry. From what is known here,
   * which while online is brought up to the server's word first where something may have been missed.
   */
  async chats(): Promise<ChatSummary[]> {
    if (this.state === 'online') await this.#core.list.refresh();
    return this.#core.list.sorted().map((log) => this.#summary(log));
  }

  /**
   * Joins the group of an invite link (`weft:join/…`). `waiting`: an admin has to let the user in first; then the event
   * `added` comes. Rejects with `bad_invite`, `full`, or `bad_argument` where the text is no link.
   */
  async join(link: string): Promise<{ readonly chat: Chat; readonly waiting: boolean }> {
    const { log, waiting } = await this.#core.changes.join(inviteBytes(link.trim()));
    return { chat: this.#core.application.chat(log), waiting };
  }

  /** The user's registered devices. */
  devices(): Promise<Device[]> {
    return this.#core.account.devices();
  }

  /** Up to 128 bytes. */
  renameDevice(device: string, name: string): Promise<void> {
    return this.#core.account.renameDevice(device, name);
  }

  /** Its connection ends as `device_removed`; it can come back only with a token issued later. */
  removeDevice(device: string): Promise<void> {
    return this.#core.account.removeDevice(device);
  }

  /** Somebody's profile, or one's own. Version 0: none that this user may see. Kept here, and asked for when it changed. */
  profile(user: string = this.user): Promise<Profile> {
    return this.#core.account.profile(user, this.state === 'online');
  }

  /** Changes what is given of one's own profile; the others are told. */
  setProfile(change: Partial<Omit<Profile, 'user' | 'version'>>): Promise<Profile> {
    return this.#core.account.setProfile(change);
  }

  /** Who may see whether this user is online, and when he last was. */
  privacy(): Promise<Audience> {
    return this.#core.account.privacy(null);
  }

  async setPrivacy(audience: Audience): Promise<void> {
    await this.#core.account.privacy(audience);
  }

  /** From then on neither writes to the other, sees the other's presence or adds the other to a group. Nobody is told. */
  block(user: string): Promise<void> {
    return this.#core.account.block(user, true);
  }

  unblock(user: string): Promise<void> {
    return this.#core.account.block(user, false);
  }

  /** Whom the user blocks: while online the server's list, else as far as known here. */
  async blocked(): Promise<string[]> {
    const { account } = this.#core;
    return this.state === 'online' ? account.blocks() : [...account.blocked];
  }

  /** Messages that wait to be acknowledged, in order within each chat. */
  pending(): PendingMessage[] {
    const pending = [...this.#core.outbox.all()];
    return pending.map(({ log, pending: { id, body } }) => ({
      chat: this.#core.application.chat(log),
      id: uuidText(id),
      body,
    }));
  }

  /** Messages one at a time: the next is handed out, and this one counts as handled, when the loop asks for it. */
  async *messages(): AsyncGenerator<Message, void, void> {
    const waiting: { readonly message: Message; readonly done: () => void }[] = [];
    let wake = (): void => {};
    const offs = [
      this.on('message', (message) => {
        const handled = new Promise<void>((done) => waiting.push({ message, done }));
        wake();
        return handled;
      }),
      this.on('state', () => wake()),
    ];
    try {
      while (waiting.length > 0 || !this.ended) {
        const next = waiting.shift();
        if (next === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        try {
          yield next.message;
        } finally {
          next.done();
        }
      }
    } finally {
      for (const off of offs) off();
      for (const { done } of waiting) done();
    }
  }

  /** Closed, replaced or failed: this object does nothing more. */
  get ended(): boolean {
    return this.state === 'closed' || this.state === 'replaced' || this.state === 'failed';
  }

  /** Dials at once instead of after the wait, say when the network came back. */
  reconnect(): void {
    this.#core.dialer.reconnect();
  }

  /** Writes and tells what is gathered, then disconnects. Unsent messages stay in the store for the next session. */
  close(): Promise<void> {
    return this.#core.close();
  }

  #summary(log: ChatLog): ChatSummary {
    const chat = this.#core.application.chat(log);
    const { key: id, name, head, read, state } = log;
    const { at, avatar, marks, unread } = state;
    return { chat, id, kind: chat.kind, name, avatar, head, at, read, unread: unread.count, ...shown(marks) };
  }
}

function shown({ muted, pinned, archived, unread }: Marks) {
  return { muted, pinned, archived, markedUnread: unread };
}
