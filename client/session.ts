// Owns the session as the application holds it, and how it begins.
// Invariant: a session ends by `close`, by being replaced or by a refusal for good, and says so in `state`; nothing else ends it.
// Must not: know the platform; index.ts and browser.ts bring world, WebSocket and store.

import { LIMITS } from '../actors/limits.js';
import { T } from '../transport/frames.js';
import type { Chat } from './chat.js';
import type { ChatLog } from './chat-log.js';
import type { State } from './connection.js';
import { Core } from './core.js';
import type { Listener } from './emitter.js';
import { WeftError } from './errors.js';
import type { SessionEvents } from './events.js';
import { unhex, uuidText } from './ids.js';
import type { Message } from './message.js';
import type { SessionOptions } from './options.js';

export interface ChatSummary {
  readonly chat: Chat;
  readonly id: string;
  readonly kind: 'direct' | 'group' | 'unknown';
  readonly name: string;
  /** Newest sequence number. */
  readonly head: number;
  /** The user has read up to here. */
  readonly read: number;
  /** Messages after that. */
  readonly unread: number;
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

  /** Every chat of the user. From the server while online, else as far as known here. */
  async chats(): Promise<ChatSummary[]> {
    if (this.state === 'online') await this.#list();
    return [...this.#core.table.all()].filter((log) => log.kind !== 0).map((log) => this.#summary(log));
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

  async #list(): Promise<void> {
    const core = this.#core;
    let after: Uint8Array | null = null;
    for (let more = true; more; ) {
      const from: Uint8Array | null = after;
      const answer = await core.ask((r) => ({ type: T.LIST, r, after: from, limit: LIMITS.listRows }));
      const [rows, flag] = answer.type === 'ok' ? answer.results : [];
      if (!Array.isArray(rows)) throw new WeftError('bad_response', 'LIST answered without chats');
      for (const row of rows) {
        const [id, kind, name, head, , read] = Array.isArray(row) ? row : [];
        if (!(id instanceof Uint8Array) || typeof kind !== 'number' || typeof name !== 'string') {
          throw new WeftError('bad_response', 'LIST: no chat');
        }
        const log = core.table.byId(id);
        core.receiver.describe(log, kind, name);
        log.head = Math.max(log.head, Number(head ?? 0));
        log.read = Math.max(log.read, Number(read ?? 0));
        after = id;
      }
      more = (flag === true || flag === 1) && rows.length > 0;
    }
  }

  #summary(log: ChatLog): ChatSummary {
    const chat = this.#core.application.chat(log);
    const { key: id, name, head, read } = log;
    return { chat, id, kind: chat.kind, name, head, read, unread: Math.max(0, head - Math.max(read, log.lastOwn)) };
  }
}

/**
 * Opens the store and connects. Resolves when the server has told the state of all chats; with `offline` as soon as the
 * store is open. Rejects with `bad_token`, `token_expired`, `bad_version`, `store_locked`, `store_failed`,
 * `store_mismatch`, `replaced`, or after `timeout` ms with the newest reason; then nothing goes on in the background.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const core = new Core(options);
  const session = new Session(core);
  const first = options.offline ? Promise.resolve() : firstSync(core, options.timeout ?? LIMITS.clientOpenMs);
  // Whoever rejects first is the reason; the other must not go unhandled.
  first.catch(() => {});
  try {
    await core.start();
    await first;
    return session;
  } catch (error) {
    await session.close().catch(() => {});
    throw error;
  }
}

function firstSync(core: Core, timeout: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let reason: WeftError | undefined;
    const cancel = core.world.timer(timeout, () => {
      finish();
      reject(new WeftError('timeout', `no connection within ${timeout} ms (${reason?.message ?? 'no answer'})`));
    });
    const offs = [
      core.application.on('synced', () => {
        finish();
        resolve();
      }),
      core.application.on('state', ({ state, error }) => {
        reason = error ?? reason;
        if (state !== 'failed' && state !== 'replaced' && state !== 'closed') return;
        finish();
        reject(error ?? new WeftError('closed', `session is ${state}`));
      }),
    ];
    const finish = (): void => {
      cancel();
      for (const off of offs) off();
    };
  });
}
