// Owns who watches one user's presence, and what they are told of it.
// Invariant: soft state; a watcher is told how things stand when it begins to watch, then of each change. Each watches by
// way of chats that it shares with the user, and no longer than one of them lasts.
// Must not: know the user's connections (user.ts says whether there are any) or what is in the chats.

import { getNumber, NUMBER_BYTES, putNumber, seenKey } from '../storage/keys.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { ConnectionRef, PresenceNews, UserMessage } from './messages.js';
import type { UserContext } from './user.js';

type WatchMessage = Extract<UserMessage, { type: 'watch' }>;

interface Watcher {
  readonly connection: ConnectionRef;
  readonly user: string;
  readonly monitor: number;
  /** Keys of the chats by way of which it watches. */
  readonly chats: Set<string>;
}

export class Presence {
  readonly #fabric: Fabric;
  readonly #user: string;
  /** By connection. Made with the first of them. */
  #watchers: Map<unknown, Watcher> | null = null;
  #online = false;
  /** Wall ms; null until read from the store or written. */
  #lastSeen: number | null = null;

  constructor(fabric: Fabric, user: string) {
    this.#fabric = fabric;
    this.#user = user;
  }

  get watched(): boolean {
    return this.#watchers !== null && this.#watchers.size > 0;
  }

  /** The user's first connection is there. */
  came(): void {
    this.#online = true;
    this.#announce();
  }

  /** The user's last connection is gone. */
  went(): void {
    this.#online = false;
    this.#lastSeen = this.#fabric.world.wall();
    this.#announce();
    const value = new Uint8Array(NUMBER_BYTES);
    putNumber(value, 0, this.#lastSeen);
    const written = this.#fabric.store.commit({ checks: [], writes: [{ key: seenKey(this.#user), value }] });
    written.then(
      (result) => result.outcome !== 'committed' && this.#unwritten(result.outcome),
      (error: unknown) => this.#unwritten(String(error)),
    );
  }

  /** Nothing depends on it but what people see, so it is reported, not retried. */
  #unwritten(reason: string): void {
    this.#fabric.report('last_seen_unwritten', { user: this.#user, reason });
  }

  /** When the user was last seen was read: wall ms, 0 never. */
  seen(at: number): void {
    this.#lastSeen ??= at;
    this.#announce();
  }

  #news(): PresenceNews {
    return { type: 'presence', user: this.#user, online: this.#online, lastSeen: this.#lastSeen ?? 0 };
  }

  #announce(): void {
    if (this.#watchers === null) return;
    const news = this.#news();
    for (const { connection } of this.#watchers.values()) connection.tell(news);
  }

  watch(message: WatchMessage, context: UserContext): void {
    const { user, connection, chat } = message;
    if (!message.on) return this.#unwatch(connection, chat, context);
    this.#watchers ??= new Map();
    const known = this.#watchers.get(connection);
    if (known !== undefined) known.chats.add(chat);
    else if (this.#watchers.size >= LIMITS.watchers) return;
    else
      this.#watchers.set(connection, {
        connection,
        user,
        monitor: context.monitor(connection),
        chats: new Set([chat]),
      });
    if (this.#online || this.#lastSeen !== null) {
      connection.tell(this.#news());
      return;
    }
    const done = context.completion({ type: 'seen' });
    this.#fabric.store.get(seenKey(this.#user)).then(
      (value) => done(value === undefined ? 0 : getNumber(value, 0)),
      () => done(0),
    );
  }

  #unwatch(connection: ConnectionRef, chat: string, context: UserContext): void {
    const watcher = this.#watchers?.get(connection);
    if (watcher === undefined) return;
    watcher.chats.delete(chat);
    if (watcher.chats.size > 0) return;
    context.demonitor(watcher.monitor);
    this.#watchers?.delete(connection);
  }

  /** `user`, perhaps this one, left the chat. */
  parted(user: string, chat: string, context: UserContext): void {
    for (const watcher of this.#watchers?.values() ?? []) {
      if (user === this.#user || user === watcher.user) this.#unwatch(watcher.connection, chat, context);
    }
  }

  /** A monitored connection ended: perhaps one that watches. */
  ended(connection: unknown): void {
    this.#watchers?.delete(connection);
  }
}
