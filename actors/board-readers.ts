// Owns what this node's connections are shown of users whose presence is in a table outside (board.ts): who follows whom, what is known,
// and what each was shown last.
// Invariant: a connection follows only whom the user's own actor showed to it, as exactly as that allows, until it says otherwise or the
// connection ends. Nobody is shown what the table has not confirmed since the last time it was gone: that is *unknown*. An older
// entry never takes the place of a newer one.
// Must not: decide who may see whom (presence.ts), or talk to the table.

import { PRECISION } from '../transport/frames.js';
import { decodeEntry, versionOf } from './board-line.js';
import { BOARD_LIMITS, LIMITS } from './limits.js';
import type { ConnectionRef, PresenceNews } from './messages.js';
import type { World } from './world.js';

interface Follower {
  precision: number;
  /** What it was shown last. */
  shown: string;
}

interface Followed {
  readonly followers: Map<ConnectionRef, Follower>;
  /** As it was heard or read; '' none: then the actor's word counts. */
  value: string;
  online: boolean;
  lastSeen: number;
  /** The table, or the user's actor, has said so since the table is there. */
  known: boolean;
  /** Monotonic ms: of the last such word, of the last reading, of the last change that was shown coarsely. */
  confirmed: number;
  looked: number;
  coarse: number;
  waiting: boolean;
}

export class Readers {
  readonly #world: World;
  /** The table answers. */
  readonly #up: () => boolean;
  /** There is somebody to listen to, or to ignore. */
  readonly #wanted: () => void;
  /** Those who were read longest ago come first. */
  readonly #users = new Map<string, Followed>();
  readonly #connections = new Map<ConnectionRef, Set<string>>();
  #listen = new Set<string>();
  #ignore = new Set<string>();
  #behind: string[] = [];
  #telling = false;

  constructor(world: World, up: () => boolean, wanted: () => void) {
    this.#world = world;
    this.#up = up;
    this.#wanted = wanted;
  }

  get size(): number {
    return this.#users.size;
  }

  /** The user's actor says what the connection may see, and how things stand. */
  view(news: PresenceNews, connection: ConnectionRef): void {
    const { user, precision, online, lastSeen } = news;
    if (!connection.alive) return;
    const shows = precision === PRECISION.exact || precision === PRECISION.coarse;
    const follows = this.#connections.get(connection);
    if (!shows || (follows !== undefined && !follows.has(user) && follows.size >= LIMITS.watched)) {
      this.unview(user, connection);
      connection.tell({ ...news, ...(shows ? { precision: PRECISION.count } : {}), shown: true });
      return;
    }
    if (follows === undefined) this.#connections.set(connection, new Set([user]));
    else follows.add(user);
    const followed = this.#users.get(user) ?? this.#begin(user);
    const follower = { precision, shown: '' };
    followed.followers.set(connection, follower);
    if (followed.value === '' && this.#up()) {
      Object.assign(followed, { online, lastSeen, known: true, confirmed: this.#world.now() });
    } else followed.lastSeen ||= lastSeen;
    this.#show(user, followed, connection, follower);
  }

  #begin(user: string): Followed {
    const followed: Followed = {
      followers: new Map(),
      value: '',
      online: false,
      lastSeen: 0,
      known: false,
      confirmed: 0,
      looked: this.#world.now(),
      coarse: Number.NEGATIVE_INFINITY,
      waiting: false,
    };
    this.#users.set(user, followed);
    this.#ignore.delete(user);
    this.#listen.add(user);
    this.#wanted();
    return followed;
  }

  /** It may not see the user any more, or does not want to. */
  unview(user: string, connection: ConnectionRef): void {
    const follows = this.#connections.get(connection);
    if (follows?.delete(user) !== true) return;
    if (follows.size === 0) this.#connections.delete(connection);
    const followed = this.#users.get(user)!;
    followed.followers.delete(connection);
    if (followed.followers.size > 0) return;
    this.#users.delete(user);
    if (!this.#listen.delete(user)) this.#ignore.add(user);
    this.#wanted();
  }

  /** Users who are followed. */
  users(): Iterable<string> {
    return this.#users.keys();
  }

  /** Who said to whom the user may be shown is out of reach, or it is another one by now: it is said anew, if it still holds. */
  forget(user: string): void {
    for (const connection of this.#users.get(user)?.followers.keys() ?? []) this.unview(user, connection);
  }

  ended(connection: ConnectionRef): void {
    for (const user of [...(this.#connections.get(connection) ?? [])]) this.unview(user, connection);
  }

  // ---- what is asked of the table ----

  /** At most so many users, who are listened to from now on. */
  toListen(most: number): string[] {
    return taken(this.#listen, most);
  }

  toIgnore(most: number): string[] {
    return taken(this.#ignore, most);
  }

  get wants(): boolean {
    return this.#listen.size > 0 || this.#ignore.size > 0;
  }

  /** Those whose last reading is too long ago: what was published may have been lost. */
  toLook(most: number): string[] {
    const before = this.#world.now() - BOARD_LIMITS.beatMs;
    const found: string[] = [];
    for (const [user, followed] of this.#users) {
      if (found.length >= most || followed.looked > before) break;
      found.push(user);
    }
    for (const user of found) this.#touch(user);
    return found;
  }

  #touch(user: string): Followed | undefined {
    const followed = this.#users.get(user);
    if (followed === undefined) return undefined;
    followed.looked = this.#world.now();
    this.#users.delete(user);
    this.#users.set(user, followed);
    return followed;
  }

  /** A session begins: nothing is listened to, and nothing is known. */
  begin(): void {
    this.#ignore = new Set();
    this.#listen = new Set(this.#users.keys());
    for (const followed of this.#users.values()) followed.known = false;
  }

  // ---- what it says ----

  heard(user: string, value: string): void {
    const followed = this.#users.get(user);
    if (followed !== undefined) this.#take(user, followed, value);
  }

  /** `age`: of the table, in ms. */
  looked(user: string, value: string | null, age: number): void {
    const followed = this.#touch(user);
    if (followed === undefined) return;
    if (value !== null) return this.#take(user, followed, value);
    const now = this.#world.now();
    if (followed.known && (!followed.online || now - followed.confirmed < BOARD_LIMITS.freshMs)) return;
    // Who is online is written again and again. Nobody has had the time to, where the table was lost a moment ago.
    followed.known = age >= BOARD_LIMITS.settledMs;
    followed.online = false;
    // What comes next is newer, whatever it says: the table may have forgotten how far it was.
    followed.value = '';
    this.#changed(user, followed);
  }

  #take(user: string, followed: Followed, value: string): void {
    const state = decodeEntry(value);
    if (state === null || versionOf(value) < versionOf(followed.value)) return;
    followed.value = value;
    followed.online = state.online;
    if (state.lastSeen > 0) followed.lastSeen = state.lastSeen;
    followed.known = true;
    followed.confirmed = this.#world.now();
    this.#changed(user, followed);
  }

  /** The table is gone: all are told, some in each turn. */
  lost(): void {
    this.#behind = [...this.#users.keys()];
    this.#tellSome();
  }

  #tellSome(): void {
    if (this.#telling) return;
    for (const user of this.#behind.splice(0, BOARD_LIMITS.tellSlice)) {
      const followed = this.#users.get(user);
      if (followed !== undefined) this.#showAll(user, followed);
    }
    if (this.#behind.length === 0) return;
    this.#telling = true;
    this.#world.defer(() => {
      this.#telling = false;
      this.#tellSome();
    });
  }

  // ---- showing ----

  #changed(user: string, followed: Followed): void {
    const now = this.#world.now();
    let coarse = false;
    for (const [connection, follower] of followed.followers) {
      // What becomes known, or does not any more, is no change of the user's.
      const turns = followed.known === (follower.shown === UNKNOWN);
      if (follower.precision === PRECISION.exact || turns) this.#show(user, followed, connection, follower);
      else coarse = true;
    }
    if (!coarse || followed.waiting) return;
    const rest = followed.coarse + LIMITS.coarseMs - now;
    if (rest <= 0) {
      followed.coarse = now;
      return this.#showAll(user, followed);
    }
    followed.waiting = true;
    this.#world.timer(rest, () => {
      followed.waiting = false;
      if (this.#users.get(user) === followed) this.#changed(user, followed);
    });
  }

  #showAll(user: string, followed: Followed): void {
    for (const [connection, follower] of followed.followers) this.#show(user, followed, connection, follower);
  }

  #show(user: string, followed: Followed, connection: ConnectionRef, follower: Follower): void {
    const news = this.#news(user, followed, follower.precision);
    // Of who is online nobody asks when that was so last.
    const seen = news.online ? 'online' : news.lastSeen;
    const shown = news.precision === PRECISION.unknown ? UNKNOWN : `${news.precision} ${seen}`;
    if (shown === follower.shown) return;
    follower.shown = shown;
    connection.tell(news);
  }

  #news(user: string, { known, online, lastSeen }: Followed, precision: number): PresenceNews {
    const news = { type: 'presence', user, shown: true } as const;
    if (!known || !this.#up()) return { ...news, online: false, lastSeen: 0, precision: PRECISION.unknown };
    const seen = precision === PRECISION.coarse ? lastSeen - (lastSeen % LIMITS.coarseSeenMs) : lastSeen;
    return { ...news, online, lastSeen: seen, precision };
  }
}

const UNKNOWN = 'unknown';

/** Takes at most so many out. */
export function taken(users: Set<string>, most: number): string[] {
  const found: string[] = [];
  for (const user of users) {
    if (found.length >= most) break;
    found.push(user);
    users.delete(user);
  }
  return found;
}
