// Owns what others are told of one user's presence: whom, how exactly, and when.
// Invariant: soft state; a watcher is told how things stand when it begins to watch, then of each change, more coarsely the
// more they are. Whoever may not see it is told that once, and nothing before what decides that was read. Nothing of it is
// written but when the user was last seen.
// Must not: know the user's connections (user.ts says whether there are any), or keep the list of watchers (watches.ts).
//
//   watchers      what they are told
//   to 128        each change, at once
//   to 1,024      at most one change a minute, last seen to ten minutes
//   above         nothing: only counted

import { NUMBER_BYTES, putNumber, seenKey } from '../storage/keys.js';
import { AUDIENCE, PRECISION } from '../transport/frames.js';
import type { State } from './board-line.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { ConnectionRef, PresenceNews, UserMessage } from './messages.js';
import { precisionFor, tellHidden } from './precision.js';
import { type Own, readBlocked, readOwn } from './privacy.js';
import type { UserContext } from './user.js';
import type { Watched, Watcher } from './watches.js';

/** What a signal of the user's actor is about. */
export type PresenceTag =
  | { readonly type: 'own' }
  | { readonly type: 'blocked'; readonly connection: ConnectionRef; readonly round: number }
  | { readonly type: 'coarse' | 'again' };

type WatchedMessage = Extract<UserMessage, { type: 'watched' }>;

const NOBODY: ReadonlyMap<ConnectionRef, Watcher> = new Map();

export class Presence {
  readonly #fabric: Fabric;
  readonly #user: string;
  #online = false;
  /** Wall ms; null until read from the store or written. */
  #lastSeen: number | null = null;
  /** Who may see it; null until read or set. */
  #audience: number | null = null;
  /** Reads under way, and changes that wait to be told. */
  #open = 0;
  #reading = false;
  #waiting = false;
  #retrying = false;
  /** What the board was given last. */
  #posted: State | null = null;

  constructor(fabric: Fabric, user: string) {
    this.#fabric = fabric;
    this.#user = user;
    // No other node says to an actor that rests who blocks whom: it is read anew.
    if (!fabric.online.whole) for (const watcher of this.#watchers().values()) this.#forget(watcher);
  }

  /** Nothing is under way. */
  get idle(): boolean {
    return this.#open === 0;
  }

  /** The user's first connection is there. */
  came(context: UserContext): void {
    this.#online = true;
    if (!this.#known()) return this.#read(context);
    this.#askAll(context);
    this.#changed(context);
  }

  /** The user's last connection is gone. `context`: null where the actor has ended, too. */
  went(context: UserContext | null): void {
    this.#online = false;
    this.#lastSeen = this.#fabric.world.wall();
    this.#fabric.online.delete(this.#user);
    if (this.#audience !== null) this.#changed(context);
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

  /** The actor broke off. While nobody hears for the user it is not online; its connections say so anew, if there are any. */
  broke(): void {
    if (this.#online) this.went(null);
  }

  // ---- what decides ----

  #known(): boolean {
    return this.#audience !== null && this.#lastSeen !== null;
  }

  #read(context: UserContext): void {
    if (this.#reading) return;
    this.#reading = true;
    const done = this.#completion({ type: 'own' }, context);
    readOwn(this.#fabric.store, this.#user).then(done, () => done(null));
  }

  #completion(of: PresenceTag, context: UserContext): (value: unknown) => void {
    this.#open += 1;
    return context.completion({ type: 'presence', of });
  }

  /** A result or a timer. */
  signal(of: PresenceTag, value: unknown, context: UserContext): void {
    this.#open -= 1;
    switch (of.type) {
      case 'own':
        this.#reading = false;
        return value === null ? this.#retry(context) : this.#own(value as Own, context);
      case 'blocked':
        return value === null ? this.#retry(context) : this.#blocked(of.connection, of.round, value as boolean);
      case 'again':
        this.#retrying = false;
        if (!this.#known()) this.#read(context);
        return this.#askAll(context);
      case 'coarse':
        this.#waiting = false;
        return this.#changed(context);
    }
  }

  #own({ lastSeen, audience }: Own, context: UserContext): void {
    this.#lastSeen ??= lastSeen;
    this.#audience ??= audience;
    this.#askAll(context);
    this.#changed(context);
  }

  #blocked(connection: ConnectionRef, round: number, blocked: boolean): void {
    const watcher = this.#watchers().get(connection);
    if (watcher === undefined || watcher.round !== round) return;
    watcher.blocked = blocked;
    this.#answer(watcher);
  }

  /** The store could not be read. Until it can, nobody is told anything new. */
  #retry(context: UserContext): void {
    if (this.#retrying || (!this.#online && this.#watchers().size === 0)) return;
    this.#retrying = true;
    this.#open += 1;
    context.after(LIMITS.reloadMs, { type: 'presence', of: { type: 'again' } });
  }

  /** Asks what may have been asked for by an actor that broke off, or in vain. */
  #askAll(context: UserContext): void {
    for (const watcher of this.#watchers().values()) if (watcher.blocked === null) this.#ask(watcher, context);
  }

  #ask(watcher: Watcher, context: UserContext): void {
    watcher.round += 1;
    const { connection, round } = watcher;
    const done = this.#completion({ type: 'blocked', connection, round }, context);
    readBlocked(this.#fabric.store, this.#user, watcher.user).then(done, () => done(null));
  }

  // ---- what is asked, and what changes ----

  /** Somebody begins to watch this user, or asks again. */
  watch({ connection, watcher, chat, contact }: WatchedMessage, context: UserContext): void {
    const { watches, online } = this.#fabric;
    // On one node the chat has done so, and may have taken it back.
    if (!online.whole && connection.alive) watches.watch(this.#user, { connection, user: watcher }, chat, contact);
    this.watched(connection, context);
  }

  /** A connection in the list of watchers is to be told how things stand. */
  watched(connection: ConnectionRef, context: UserContext): void {
    const watcher = this.#watchers().get(connection);
    if (watcher === undefined) return;
    watcher.told = -1;
    if (watcher.blocked === null) this.#ask(watcher, context);
    if (!this.#known()) return this.#read(context);
    this.#post();
    // With one more they may all be told less exactly.
    if (!this.#adjust()) this.#answer(watcher);
  }

  /** The user chose who may see it. */
  privacy(audience: number): void {
    this.#audience = audience;
    this.#count();
    this.contact();
  }

  /** Who watches by way of the chat has become a contact. */
  wrote(chat: string): void {
    this.#fabric.watches.contact(this.#user, chat);
    this.contact();
  }

  /** Some watchers may have become contacts. */
  contact(): void {
    for (const watcher of this.#watchers().values()) {
      if (this.#sees(watcher) !== (watcher.told !== PRECISION.hidden)) this.#answer(watcher);
    }
  }

  /** The user and the other block each other from now on, one way or both, or one of them lifted that. */
  block(other: string, on: boolean, context: UserContext): void {
    const { watches, users } = this.#fabric;
    for (const watcher of this.#watchers().values()) {
      if (watcher.user !== other) continue;
      this.#hide(watcher, this.#user, on);
      if (!on) this.watched(watcher.connection, context);
    }
    for (const watcher of watches.watched(other)?.watchers.values() ?? NOBODY.values()) {
      if (watcher.user !== this.#user) continue;
      this.#hide(watcher, other, on);
      if (on) continue;
      const { connection, user } = watcher;
      for (const [chat, contact] of watcher.chats) {
        users.tell(other, { type: 'watched', connection, watcher: user, chat, contact });
      }
    }
  }

  #hide(watcher: Watcher, user: string, on: boolean): void {
    this.#forget(watcher);
    if (!on) return;
    watcher.blocked = true;
    tellHidden(watcher, user);
  }

  #forget(watcher: Watcher): void {
    watcher.round += 1;
    watcher.blocked = null;
  }

  // ---- telling ----

  #watchers(): ReadonlyMap<ConnectionRef, Watcher> {
    return this.#fabric.watches.watched(this.#user)?.watchers ?? NOBODY;
  }

  #sees({ blocked, chats }: Watcher): boolean {
    if (blocked !== false || this.#audience === AUDIENCE.nobody) return false;
    return this.#audience === AUDIENCE.everyone || [...chats.values()].includes(true);
  }

  /** The user's presence, or what is known of it, is another one. */
  #changed(context: UserContext | null): void {
    this.#count();
    this.#post();
    const watched = this.#fabric.watches.watched(this.#user);
    if (watched === undefined || this.#adjust() || watched.precision === PRECISION.count) return;
    if (this.#fabric.board !== null) return this.#tellAll(watched, -1);
    if (watched.precision === PRECISION.exact || context === null) return this.#tellAll(watched);
    if (this.#waiting) return;
    const rest = watched.toldAt < 0 ? 0 : watched.toldAt + LIMITS.coarseMs - context.now();
    if (rest <= 0) {
      watched.toldAt = context.now();
      return this.#tellAll(watched);
    }
    this.#waiting = true;
    this.#open += 1;
    context.after(rest, { type: 'presence', of: { type: 'coarse' } });
  }

  /** Who may see it is told by the board, which has it from here. Each actor says it at least once: the one before may have gone without
   * a word. */
  #post(): void {
    const { board } = this.#fabric;
    const [online, lastSeen] = [this.#online, this.#lastSeen ?? 0];
    if (board === null || (this.#posted?.online === online && this.#posted.lastSeen === lastSeen)) return;
    this.#posted = { online, lastSeen };
    board.put(this.#user, this.#posted);
  }

  #count(): void {
    if (this.#online && this.#audience !== null) {
      this.#fabric.online.add(this.#user, this.#audience !== AUDIENCE.nobody);
    }
  }

  /** Sees to it that they are told as exactly as their number allows. True: all were told anew. */
  #adjust(): boolean {
    const watched = this.#fabric.watches.watched(this.#user);
    if (watched === undefined) return false;
    const precision = precisionFor(watched.watchers.size, watched.precision);
    if (precision === watched.precision) return false;
    watched.precision = precision;
    this.#tellAll(watched);
    return true;
  }

  /** `told`: only those who were told that last. */
  #tellAll({ watchers }: Watched, told?: number): void {
    for (const watcher of watchers.values()) if (told === undefined || watcher.told === told) this.#answer(watcher);
  }

  #answer(watcher: Watcher): void {
    if (watcher.blocked === null || !this.#known()) return;
    if (!this.#sees(watcher)) return tellHidden(watcher, this.#user);
    const precision = this.#fabric.watches.watched(this.#user)?.precision ?? PRECISION.exact;
    // Told once: it says that nothing follows.
    if (precision === PRECISION.count && watcher.told === precision) return;
    watcher.told = precision;
    watcher.connection.tell(this.#news(precision));
  }

  #news(precision: number): PresenceNews {
    const { count, coarse } = PRECISION;
    if (precision === count) return { type: 'presence', user: this.#user, online: false, lastSeen: 0, precision };
    const lastSeen = this.#lastSeen ?? 0;
    const rounded = precision === coarse ? lastSeen - (lastSeen % LIMITS.coarseSeenMs) : lastSeen;
    return { type: 'presence', user: this.#user, online: this.#online, lastSeen: rounded, precision };
  }
}
