// Owns the node's list of watches: which connections watch which users, by way of which chats they do, and which chats
// they have open.
// Invariant: soft state that outlives the actors it is about: it ends with the connection, with the chat's membership, or
// when the client says so, but not with a crash or rest of the user's or the chat's actor. Bounded per user, chat and
// connection.
// Must not: tell anybody anything (presence.ts and onlookers.ts do), or read the store.
//
//   chats:       chat ─▶ connection ─▶ onlooker      who has the chat open
//   users:       user ─▶ connection ─▶ watcher       who is told of this user, by way of which chats
//   connections: connection ─▶ chats, users          what to take back when it ends

import { LIMITS } from './limits.js';
import type { ConnectionRef } from './messages.js';

/** A connection that has a chat open. */
export interface Onlooker {
  readonly connection: ConnectionRef;
  readonly user: string;
  /** It is told how many are online, not who. */
  counted: boolean;
  /** The number it was told last; -1 none. */
  told: number;
}

/** A connection that is told of one user's presence. */
export interface Watcher {
  readonly connection: ConnectionRef;
  /** Whose connection it is. */
  readonly user: string;
  /** The chats by way of which it watches; true where they make it a contact. */
  readonly chats: Map<string, boolean>;
  /** One of the two blocks the other; null until read. */
  blocked: boolean | null;
  /** Counts what makes a read that is under way worthless. */
  round: number;
  /** The precision it was told last; -1 nothing. */
  told: number;
}

/** A user who is watched. */
export interface Watched {
  readonly watchers: Map<ConnectionRef, Watcher>;
  /** How exactly they are told, and monotonic ms of the last change that was told coarsely. */
  precision: number;
  toldAt: number;
}

interface Holder {
  readonly chats: Set<string>;
  readonly users: Set<string>;
}

export class Watches {
  readonly #chats = new Map<string, Map<ConnectionRef, Onlooker>>();
  readonly #users = new Map<string, Watched>();
  readonly #connections = new Map<ConnectionRef, Holder>();
  readonly #over: (user: string, connection: ConnectionRef) => void;

  /** `over`: a live connection is not told of the user any more. */
  constructor(over: (user: string, connection: ConnectionRef) => void = () => undefined) {
    this.#over = over;
  }

  /** Connections that watch, users that are watched, chats that are open. */
  get sizes(): { readonly connections: number; readonly users: number; readonly chats: number } {
    return { connections: this.#connections.size, users: this.#users.size, chats: this.#chats.size };
  }

  onlookers(chat: string): Iterable<Onlooker> {
    return this.#chats.get(chat)?.values() ?? [];
  }

  watched(user: string): Watched | undefined {
    return this.#users.get(user);
  }

  /** A connection of `user` opens the chat. Null: too many have, or the connection has ended. */
  open(chat: string, connection: ConnectionRef, user: string, counted: boolean): Onlooker | null {
    // A chat may get to its request late. Nobody would take back what is made after the connection's end.
    if (!connection.alive) return null;
    const known = this.#chats.get(chat);
    const onlooker = known?.get(connection);
    if (onlooker !== undefined) {
      onlooker.counted = counted;
      return onlooker;
    }
    if (known !== undefined && known.size >= LIMITS.watchers) return null;
    const made = { connection, user, counted, told: -1 };
    if (known === undefined) this.#chats.set(chat, new Map([[connection, made]]));
    else known.set(connection, made);
    this.#holder(connection).chats.add(chat);
    return made;
  }

  /** An onlooker of the chat is told of `user` from now on. False: too many are, or it watches too many. */
  watch(user: string, onlooker: Pick<Onlooker, 'connection' | 'user'>, chat: string, contact: boolean): boolean {
    const { connection } = onlooker;
    const watched = this.#users.get(user);
    const known = watched?.watchers.get(connection);
    if (known !== undefined) {
      known.chats.set(chat, contact);
      return true;
    }
    const holder = this.#holder(connection);
    if (holder.users.size >= LIMITS.watched || (watched?.watchers.size ?? 0) >= LIMITS.watchers) return false;
    const chats = new Map([[chat, contact]]);
    const watcher: Watcher = { connection, user: onlooker.user, chats, blocked: null, round: 0, told: -1 };
    holder.users.add(user);
    if (watched !== undefined) watched.watchers.set(connection, watcher);
    else this.#users.set(user, { watchers: new Map([[connection, watcher]]), precision: 0, toldAt: -1 });
    return true;
  }

  /** The connection closes the chat: it is told of nobody by way of it any more. */
  close(chat: string, connection: ConnectionRef): void {
    const holder = this.#connections.get(connection);
    if (holder?.chats.delete(chat) !== true) return;
    this.#shut(chat, connection);
    this.unwatch(chat, connection);
    if (holder.chats.size === 0) this.#connections.delete(connection);
  }

  /** It is told of the user by way of the chat no more. */
  leave(user: string, chat: string, connection: ConnectionRef): void {
    this.#leave(user, chat, connection);
  }

  /** `other` (the user himself: all; '': all, for good) watches the user by way of the chat no more. */
  divide(user: string, chat: string, other: string): void {
    for (const watcher of [...(this.#users.get(user)?.watchers.values() ?? [])]) {
      if (!watcher.chats.has(chat) || !['', user, watcher.user].includes(other)) continue;
      this.#leave(user, chat, watcher.connection);
      // The word may come late, and the two be members again.
      if (other !== '') watcher.connection.tell({ type: 'rewatch', chat });
    }
  }

  /**
   * What the owners of these chats said of who watches by way of them counts no more: the connections have them say it again.
   * In steps, over as many turns as the caller likes.
   */
  *lapse(over: (chat: string) => boolean): Generator<void, void> {
    const open = new Map<ConnectionRef, Set<string>>();
    for (const [user, { watchers }] of this.#users) {
      for (const { connection, chats } of watchers.values()) {
        for (const chat of chats.keys()) {
          if (!over(chat)) continue;
          this.#leave(user, chat, connection);
          open.set(connection, (open.get(connection) ?? new Set()).add(chat));
        }
        yield;
      }
    }
    for (const [connection, chats] of open) {
      for (const chat of chats) connection.tell({ type: 'rewatch', chat });
      yield;
    }
  }

  /** Another node has the user's actor from now on, which is told by the chats who watches. */
  dismiss(user: string): void {
    const watchers = this.#users.get(user)?.watchers.keys() ?? [];
    for (const connection of watchers) this.#connections.get(connection)?.users.delete(user);
    this.#users.delete(user);
  }

  /** Users that are watched. */
  users(): Iterable<string> {
    return this.#users.keys();
  }

  /** It is told of nobody by way of the chat any more, but has it open. */
  unwatch(chat: string, connection: ConnectionRef): void {
    const users = this.#connections.get(connection)?.users ?? [];
    for (const user of users) this.#leave(user, chat, connection);
  }

  /** Chats that are open. */
  chats(): Iterable<string> {
    return this.#chats.keys();
  }

  /** Another node keeps the list of the chat from now on. */
  forget(chat: string): void {
    for (const connection of [...(this.#chats.get(chat)?.keys() ?? [])]) this.close(chat, connection);
  }

  /** The user left the chat. */
  parted(user: string, chat: string): void {
    const open = this.#chats.get(chat);
    if (open === undefined) return;
    for (const onlooker of [...open.values()]) {
      if (onlooker.user === user) this.close(chat, onlooker.connection);
      else this.#leave(user, chat, onlooker.connection);
    }
  }

  /** The user has become a contact of those who watch by way of the chat. False: nobody does. */
  contact(user: string, chat: string): boolean {
    let found = false;
    for (const { chats } of this.#users.get(user)?.watchers.values() ?? []) {
      if (!chats.has(chat)) continue;
      chats.set(chat, true);
      found = true;
    }
    return found;
  }

  /** The connection has ended. */
  ended(connection: ConnectionRef): void {
    const holder = this.#connections.get(connection);
    if (holder === undefined) return;
    this.#connections.delete(connection);
    for (const chat of holder.chats) this.#shut(chat, connection);
    for (const user of holder.users) this.#drop(user, connection);
  }

  #holder(connection: ConnectionRef): Holder {
    const known = this.#connections.get(connection);
    if (known !== undefined) return known;
    const holder = { chats: new Set<string>(), users: new Set<string>() };
    this.#connections.set(connection, holder);
    return holder;
  }

  #shut(chat: string, connection: ConnectionRef): void {
    const open = this.#chats.get(chat);
    open?.delete(connection);
    if (open?.size === 0) this.#chats.delete(chat);
  }

  #leave(user: string, chat: string, connection: ConnectionRef): void {
    const watcher = this.#users.get(user)?.watchers.get(connection);
    if (watcher === undefined || !watcher.chats.delete(chat) || watcher.chats.size > 0) return;
    this.#connections.get(connection)?.users.delete(user);
    this.#drop(user, connection);
  }

  #drop(user: string, connection: ConnectionRef): void {
    const watched = this.#users.get(user);
    if (watched?.watchers.delete(connection) === true && connection.alive) this.#over(user, connection);
    if (watched?.watchers.size === 0) this.#users.delete(user);
  }
}
