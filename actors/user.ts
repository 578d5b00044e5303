// Owns a user's live connections, and passes on to them what comes for the user.
// Invariant: soft state; what is lost here is announced again by the connections and resynced from the log. A device has
// one connection: a newer one takes over. What leaves for a connection leaves in the order it came.
// Must not: hold messages back, count unread, or know chats. Who watches the user is in presence.ts.

import { deviceKey, NUMBER_BYTES, putNumber } from '../storage/keys.js';
import type { CommitResult } from '../storage/store.js';
import type { Behaviour, Context, Signal } from './behaviour.js';
import { refuse } from './errors.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { ConnectionRef, News, Registration, UserMessage } from './messages.js';
import { Presence } from './presence.js';
import type { Reply } from './ref.js';

type Tag =
  | { readonly type: 'device'; readonly device: string; readonly connection: ConnectionRef; readonly reply: Reply }
  | { readonly type: 'seen' }
  | { readonly type: 'idle' };

export type UserContext = Context<UserMessage, Tag>;

interface Session {
  readonly device: string;
  readonly connection: ConnectionRef;
  readonly monitor: number;
}

class User {
  readonly #fabric: Fabric;
  readonly #user: string;
  #sessions: Session[] = [];
  readonly #presence: Presence;
  /** News were dropped: the connections must be told to resync. */
  lost = false;

  constructor(fabric: Fabric, user: string, context: UserContext) {
    this.#fabric = fabric;
    this.#user = user;
    this.#presence = new Presence(fabric, user);
    context.after(fabric.settings.passivateMs, { type: 'idle' });
  }

  receive(message: UserMessage, context: UserContext): void {
    if (this.lost) {
      this.lost = false;
      for (const { connection } of this.#sessions) connection.tell({ type: 'resync' });
    }
    switch (message.type) {
      case 'register':
        return this.#register(message.device, message.connection, message.reply, context);
      case 'watch':
        return this.#presence.watch(message, context);
      case 'parted':
        return this.#presence.parted(message.user, message.chat, context);
      case 'pass':
        message.connection.tell(message.news);
        return;
      default:
        this.#pass(message);
    }
  }

  signal(signal: Signal<Tag>, context: UserContext): void {
    if (signal.type === 'down') return this.#gone(signal.ref, context);
    if (signal.type !== 'result' && signal.type !== 'timer') return;
    const { tag } = signal;
    if (tag.type === 'idle') {
      if (this.#sessions.length === 0 && !this.#presence.watched) context.passivate();
      context.after(this.#fabric.settings.passivateMs, tag);
    } else if (tag.type === 'device' && signal.type === 'result') {
      this.#recorded(tag.connection, tag.reply, signal.value as boolean, context);
    } else if (signal.type === 'result') {
      this.#presence.seen(signal.value as number);
    }
  }

  #pass(news: News): void {
    for (const { connection } of this.#sessions) connection.tell(news);
  }

  // ---- connections ----

  #register(device: string, connection: ConnectionRef, reply: Reply, context: UserContext): void {
    const older = this.#sessions.find((session) => session.device === device);
    if (older !== undefined && older.connection !== connection) {
      older.connection.tell({ type: 'replaced' });
      // Quietly: the device does not go, so nobody hears of it and last seen stays.
      context.demonitor(older.monitor);
      this.#sessions = this.#sessions.filter((session) => session !== older);
    }
    if (this.#sessions.length >= LIMITS.userConnections) {
      return reply.answer(refuse('full', `a user has at most ${LIMITS.userConnections} connections`));
    }
    if (!this.#sessions.some((session) => session.connection === connection)) {
      // Not pushed: an array that grows makes room for sixteen more, and most users have one.
      this.#sessions = [...this.#sessions, { device, connection, monitor: context.monitor(connection) }];
      if (this.#sessions.length === 1 && older === undefined) this.#presence.came();
    }
    // On record before the first answer: from then on, messages are kept for this device.
    const done = context.completion({ type: 'device', device, connection, reply });
    recordDevice(this.#fabric, this.#user, device).then(done, () => done(false));
  }

  #recorded(connection: ConnectionRef, reply: Reply, stored: boolean, context: UserContext): void {
    if (!stored) this.#remove(connection, context);
    const answer: Registration = stored ? 'registered' : refuse('unavailable', 'the store cannot take the device now');
    reply.answer(answer);
  }

  #gone(ref: unknown, context: UserContext): void {
    // By identity, not by device: a late end of an old connection must not remove the newer one.
    const session = this.#sessions.find(({ connection }) => connection === ref);
    if (session !== undefined) this.#remove(session.connection, context);
    this.#presence.ended(ref);
  }

  #remove(connection: ConnectionRef, context: UserContext): void {
    const session = this.#sessions.find((candidate) => candidate.connection === connection);
    if (session === undefined) return;
    context.demonitor(session.monitor);
    this.#sessions = this.#sessions.filter((candidate) => candidate !== session);
    if (this.#sessions.length === 0) this.#presence.went();
  }
}

/** Resolves to true once the device's row is durable. */
async function recordDevice(fabric: Fabric, user: string, device: string): Promise<boolean> {
  const key = deviceKey(user, device);
  if ((await fabric.store.get(key)) !== undefined) return true;
  const value = new Uint8Array(NUMBER_BYTES);
  putNumber(value, 0, fabric.world.wall());
  const result: CommitResult = await fabric.store.commit({ checks: [], writes: [{ key, value }] });
  return result.outcome === 'committed';
}

export interface UserArgs {
  readonly fabric: Fabric;
  readonly key: string;
}

export const user: Behaviour<User, UserMessage, UserArgs, Tag> = {
  kind: 'user',
  level: 'interactive',
  capacity: LIMITS.userMailbox,
  init: (context, { fabric, key }) => new User(fabric, key, context),
  receive: (state, message, context) => state.receive(message, context),
  signal: (state, signal, context) => state.signal(signal, context),
  overflow: (message) => {
    switch (message.type) {
      case 'register':
      case 'watch':
      case 'parted':
        return 'refuse';
      default:
        return message.type === 'typing' ? 'latest' : 'drop';
    }
  },
  coalesce: (message) => (message.type === 'typing' ? `${message.info.key}${message.user}` : null),
  dropped: (state) => {
    state.lost = true;
  },
};
