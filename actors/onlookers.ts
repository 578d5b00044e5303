// Owns who has one chat open, and what they are told of its members' presence: person by person, or in a large chat how
// many are online.
// Invariant: only members are told, and only of members; who joins is told of and who leaves is not any more. A count is
// told when a chat is opened, then as it changed, at most once in LIMITS.countMs.
// Must not: keep the list (watches.ts outlives this chat's actor), or say whether a user is online (presence.ts does).

import { PRECISION } from '../transport/frames.js';
import type { Change } from './chat-event.js';
import type { ChatContext } from './chat-rules.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { ChatMessage, ConnectionRef } from './messages.js';
import type { Roster } from './roster.js';
import type { Onlooker } from './watches.js';

type WatchMessage = Extract<ChatMessage, { type: 'watch' }>;

export class Onlookers {
  readonly #fabric: Fabric;
  readonly #chat: string;
  #counting = false;
  /** What came while the chat's state was away, or from who was just joining: the last word of each connection. */
  readonly #held = new Map<ConnectionRef, WatchMessage>();
  /** Of the direct chat's users, who has written since this actor began. */
  readonly #wrote = new Set<string>();

  constructor(fabric: Fabric, chat: string) {
    this.#fabric = fabric;
    this.#chat = chat;
  }

  /** Nobody has to be told a count, or waits. */
  get idle(): boolean {
    return !this.#counting && this.#held.size === 0;
  }

  /** The chat cannot say now who its members are, and no client opens it twice by itself. */
  hold(message: WatchMessage): void {
    this.#held.delete(message.connection);
    if (this.#held.size < LIMITS.watchers) this.#held.set(message.connection, message);
  }

  /** The chat was read, or its members changed. `roster`: null where there is none. */
  begin(roster: Roster | null, context: ChatContext): void {
    const held = [...this.#held.values()];
    this.#held.clear();
    for (const message of held) {
      if (roster?.audience.has(message.user) === true) this.watch(message, roster, context);
    }
    this.arm(context);
  }

  /** A member's client opens or closes the chat. */
  watch({ user, connection, on }: WatchMessage, roster: Roster, context: ChatContext): void {
    const { watches } = this.#fabric;
    if (!on) {
      watches.close(this.#chat, connection);
      return this.#closed(connection, roster);
    }
    const counted = roster.audience.size > LIMITS.watches;
    const onlooker = watches.open(this.#chat, connection, user, counted);
    if (counted) this.#count(onlooker ?? { connection, user, counted, told: -1 }, this.#online(roster), roster);
    else if (onlooker !== null) for (const other of roster.audience) this.#tellOf(other, onlooker, roster);
    this.arm(context);
  }

  #tellOf(user: string, onlooker: Onlooker, roster: Roster): void {
    if (user === onlooker.user) return;
    const { connection } = onlooker;
    const contact = roster.info.pair === null || roster.members.get(user)?.inbox.wrote === true;
    if (this.#fabric.watches.watch(user, onlooker, this.#chat, contact)) {
      // Where the user's actor cannot be told now it finds the watcher in the list, when it has news.
      const watched = { type: 'watched', connection, watcher: onlooker.user, chat: this.#chat, contact } as const;
      this.#fabric.users.tell(user, watched);
    } else {
      connection.tell({ type: 'presence', user, online: false, lastSeen: 0, precision: PRECISION.count });
    }
  }

  /** A durable change of membership. */
  changed({ joined, gone }: Change, roster: Roster): void {
    const { watches } = this.#fabric;
    const { size } = roster.audience;
    const large = size > LIMITS.watches;
    const grew = large && size - joined.length + gone.length <= LIMITS.watches;
    if (grew) this.#parted('', [...gone, ...roster.audience]);
    for (const user of gone) {
      watches.parted(user, this.#chat);
      if (!large) this.#parted(user, [user, ...roster.audience]);
    }
    if (joined.length === 0) return;
    for (const onlooker of watches.onlookers(this.#chat)) {
      if (onlooker.counted) continue;
      if (large) {
        watches.unwatch(this.#chat, onlooker.connection);
        onlooker.counted = true;
        this.#count(onlooker, this.#online(roster), roster);
      } else for (const { user } of joined) this.#tellOf(user, onlooker, roster);
    }
  }

  /** Where users live on other nodes these have lists of their own. */
  #closed(connection: ConnectionRef, roster: Roster): void {
    if (this.#fabric.online.whole || roster.audience.size > LIMITS.watches) return;
    for (const user of roster.audience) {
      this.#fabric.users.lookup(user)?.tell({ type: 'unwatched', connection, chat: this.#chat });
    }
  }

  /** Whoever is an onlooker here or not: a link's break may have ended that. Also told to actors at rest, whose nodes keep the list. */
  #parted(user: string, members: Iterable<string>): void {
    if (this.#fabric.online.whole) return;
    const parted = { type: 'parted', chat: this.#chat, user } as const;
    for (const member of members) this.#fabric.users.tell(member, parted);
  }

  /** A member's message is durable: in a direct chat that makes the other a contact, from the first one on. */
  wrote(user: string, roster: Roster): void {
    if (roster.info.pair === null || this.#wrote.has(user)) return;
    this.#wrote.add(user);
    if (!this.#fabric.watches.contact(user, this.#chat)) return;
    this.#fabric.users.tell(user, { type: 'contact', chat: this.#chat });
  }

  // ---- counts ----

  /** Counts from time to time, as long as there are onlookers that are told counts. */
  arm(context: ChatContext): void {
    if (this.#counting) return;
    for (const { counted } of this.#fabric.watches.onlookers(this.#chat)) {
      if (!counted) continue;
      this.#counting = true;
      context.after(LIMITS.countMs, { type: 'count' });
      return;
    }
  }

  /** The time is over. `roster`: null while the chat is read again. */
  due(roster: Roster | null, context: ChatContext): void {
    this.#counting = false;
    this.arm(context);
    if (roster === null || !this.#counting) return;
    const count = this.#online(roster);
    for (const onlooker of this.#fabric.watches.onlookers(this.#chat)) {
      if (onlooker.counted && onlooker.told !== count) this.#count(onlooker, count, roster);
    }
  }

  #online(roster: Roster): number {
    return this.#fabric.online.count(roster.audience);
  }

  #count(onlooker: Onlooker, count: number, roster: Roster): void {
    // Some are counted on other nodes only: better none than a wrong one.
    if (!this.#fabric.online.whole) return;
    onlooker.told = count;
    onlooker.connection.tell({ type: 'count', info: roster.info, count });
  }
}
