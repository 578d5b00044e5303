// Owns a user's live connections, and passes on to them what comes for the user.
// Invariant: soft state; what is lost here is announced again by the connections and resynced from the log. A device has
// one connection: a newer one takes over. What leaves for a connection leaves in the order it came.
// Must not: hold messages back, count unread, or know chats. Who watches the user is in presence.ts, what is stored of the
// user in desk.ts.

import type { AppendResult } from '../storage/append.js';
import type { Decided } from './account.js';
import type { Behaviour, Context, Signal } from './behaviour.js';
import { Fence, type Fenced, type Seen } from './blocks.js';
import { type Arrival, Desk, type Home } from './desk.js';
import type { Stage } from './errand.js';
import { type Fabric, restMs } from './fabric.js';
import { LIMITS } from './limits.js';
import type { ConnectionMessage, ConnectionRef, News, UserMessage } from './messages.js';
import { Presence, type PresenceTag } from './presence.js';

/** What a signal answers. */
export type UserTag =
  | { readonly type: 'decided' | 'written' | 'stage' | 'errand' | 'fence' }
  | { readonly type: 'presence'; readonly of: PresenceTag }
  | { readonly type: 'idle' };

export type UserContext = Context<UserMessage, UserTag>;

interface Session {
  readonly device: string;
  readonly connection: ConnectionRef;
  readonly monitor: number;
  readonly since: number;
}

class User implements Home {
  readonly #fabric: Fabric;
  readonly #user: string;
  readonly #presence: Presence;
  /** While something of the user's own rows is asked or done. */
  #desk: Desk | null = null;
  #sessions: Session[] = [];
  /** The timer of its passivation is set. Not while somebody is connected: most users are for hours. */
  #resting = false;
  /** Made with the first news that it holds back. */
  #fence: Fence | null = null;
  /** News were dropped: the connections must be told to resync. */
  lost = false;

  constructor(fabric: Fabric, user: string, context: UserContext) {
    this.#fabric = fabric;
    this.#user = user;
    this.#presence = new Presence(fabric, user);
    this.#rest(context);
  }

  receive(message: UserMessage, context: UserContext): void {
    if (this.lost) {
      this.lost = false;
      this.tell({ type: 'resync' }, null, null);
    }
    switch (message.type) {
      case 'register':
        return this.#atDesk().register(message, context);
      case 'request':
        return this.#atDesk().request(message.asker, message.frame, context);
      case 'watched':
        return this.#presence.watch(message, context);
      case 'unwatched':
        return this.#fabric.watches.leave(this.#user, message.chat, message.connection);
      case 'parted':
        return this.#fabric.watches.divide(this.#user, message.chat, message.user);
      case 'contact':
        return this.#presence.wrote(message.chat);
      case 'resync':
        return this.tell(message, null, null);
      case 'pass':
        message.connection.tell(message.news);
        return;
      case 'blocked':
        return this.blocked(message.user, message.on, context);
      case 'typing':
        // In a direct chat the chat itself knows.
        return message.info.pair === null ? this.#fenced(message, context) : this.#pass(message);
      case 'profiled':
        return this.#fenced(message, context);
      default:
        this.#pass(message);
    }
  }

  signal(signal: Signal<UserTag>, context: UserContext): void {
    if (signal.type === 'down') return this.#gone(signal.ref, context);
    if (signal.type === 'timer') return this.#timer(signal.tag, context);
    if (signal.type !== 'result') return;
    switch (signal.tag.type) {
      case 'decided':
        this.#desk?.account.decided(signal.value as Decided | null, context);
        break;
      case 'written':
        this.#desk?.account.written(signal.value as AppendResult, context);
        break;
      case 'stage':
        this.#desk?.errands.stage(signal.value as Stage | null, context);
        break;
      case 'fence':
        for (const news of this.#fence?.seen(signal.value as Seen, context) ?? []) this.#pass(news);
        return;
      case 'presence':
        return this.#presence.signal(signal.tag.of, signal.value, context);
    }
    // A user who is only connected needs none.
    if (this.#desk?.idle === true) this.#desk = null;
  }

  #timer(tag: UserTag, context: UserContext): void {
    if (tag.type === 'errand') return this.#desk?.errands.step(context);
    if (tag.type === 'presence') return this.#presence.signal(tag.of, null, context);
    this.#resting = false;
    if (this.#sessions.length > 0) return;
    if (this.#presence.idle && this.#desk === null) context.passivate();
    this.#rest(context);
  }

  #rest(context: UserContext): void {
    if (this.#resting) return;
    this.#resting = true;
    context.after(restMs(this.#fabric), { type: 'idle' });
  }

  #atDesk(): Desk {
    this.#desk ??= new Desk(this.#fabric, this.#user, this);
    return this.#desk;
  }

  /** Soft news of another user, which do not pass between two who block each other. */
  #fenced(news: Fenced, context: UserContext): void {
    if (this.#sessions.length === 0) return;
    if (news.user === this.#user) return this.#pass(news);
    this.#fence ??= new Fence(this.#fabric, this.#user);
    if (this.#fence.passes(news, context)) this.#pass(news);
  }

  privacy(audience: number): void {
    this.#presence.privacy(audience);
  }

  blocked(other: string, on: boolean, context: UserContext): void {
    this.#presence.block(other, on, context);
    this.#fence?.forget(other);
  }

  /** The actor ends otherwise than it should. */
  broke(): void {
    this.#presence.broke();
  }

  #pass(news: News | Fenced): void {
    for (const { connection } of this.#sessions) connection.tell(news);
  }

  // ---- connections ----

  admit({ device, connection, since, late }: Arrival, context: UserContext): boolean {
    const older = this.#sessions.find((session) => session.device === device);
    if (older?.connection === connection) return true;
    // One that its client has left may be the last to say that it is there: after a move, or from a node that stood still.
    if (older !== undefined && since + (late ? 0 : LIMITS.clockSkewMs) < older.since) return false;
    if (older !== undefined) {
      older.connection.tell({ type: 'replaced' });
      // Quietly: the device does not go, so nobody hears of it and last seen stays.
      context.demonitor(older.monitor);
      this.#sessions = this.#sessions.filter((session) => session !== older);
    }
    // Not pushed: an array that grows makes room for sixteen more, and most users have one.
    this.#sessions = [...this.#sessions, { device, connection, monitor: context.monitor(connection), since }];
    if (this.#sessions.length === 1 && older === undefined) this.#presence.came(context);
    return true;
  }

  online(device: string): boolean {
    return this.#sessions.some((session) => session.device === device);
  }

  tell(message: ConnectionMessage, device: string | null, except: ConnectionRef | null): void {
    for (const session of this.#sessions) {
      if (device !== null && session.device !== device) continue;
      if (session.connection !== except) session.connection.tell(message);
    }
  }

  #gone(ref: unknown, context: UserContext): void {
    // By identity, not by device: a late end of an old connection must not remove the newer one.
    const session = this.#sessions.find(({ connection }) => connection === ref);
    if (session === undefined) return;
    this.#sessions = this.#sessions.filter((candidate) => candidate !== session);
    this.#atDesk().left(session.device, context);
    if (this.#sessions.length > 0) return;
    this.#presence.went(context);
    this.#rest(context);
  }
}

export interface UserArgs {
  readonly fabric: Fabric;
  readonly key: string;
}

export const user: Behaviour<User, UserMessage, UserArgs, UserTag> = {
  kind: 'user',
  level: 'interactive',
  capacity: LIMITS.userMailbox,
  init: (context, { fabric, key }) => new User(fabric, key, context),
  receive: (state, message, context) => state.receive(message, context),
  signal: (state, signal, context) => state.signal(signal, context),
  terminated: (state, reason) => {
    if (reason.type === 'crash' || reason.type === 'killed') state.broke();
  },
  overflow: (message) => {
    switch (message.type) {
      case 'register':
      case 'request':
      case 'watched':
      case 'contact':
      case 'pass':
        return 'refuse';
      case 'blocked':
      case 'unwatched':
      case 'parted':
        return 'admit';
      default:
        return message.type === 'typing' || message.type === 'profiled' ? 'latest' : 'drop';
    }
  },
  coalesce: (message) => {
    if (message.type === 'profiled') return `d${message.user}`;
    return message.type === 'typing' ? `t${message.info.key}${message.user}` : null;
  },
  dropped: (state) => {
    state.lost = true;
  },
};
