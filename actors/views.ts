// Owns what a connection knows of chats and users: aliases, and per chat how far its client has been sent the log.
// Invariant: a view's cursor is the number up to which everything visible was sent (or was with the client); a chat
// without a view is one whose client has everything, so its next delivery continues it. Bounded: see limits.ts. Views with
// an alias, with SENDs under way or refused for now, asked for by DIRECT, or behind stay; of the others the oldest gives way.
// What was read from the log may still come as a delivery, so the cursors of those that gave way last are kept a little longer.
// Must not: send or read.

import { chatKey } from '../storage/keys.js';
import type { ChatRef } from '../transport/frames.js';
import { shrunk } from './buggify.js';
import { LIMITS } from './limits.js';
import { type ChatInfo, type Delivery, lastOf, nameFor } from './messages.js';
import type { World } from './world.js';

/** The cursor is learnt with the next delivery. */
export const UNKNOWN = -1;

const EVICTION_LOOKS = 8;

/** How much a connection knows. */
export interface ViewRoom {
  readonly chats: number;
  readonly chatAliases: number;
  readonly userAliases: number;
}

const ROOM: ViewRoom = {
  chats: LIMITS.sessionChats,
  chatAliases: LIMITS.chatAliases,
  userAliases: LIMITS.userAliases,
};
const SMALL: ViewRoom = { chats: 1, chatAliases: 0, userAliases: 1 };

/** As in LIMITS, but for simulations. */
export const viewRoom = (world: World): ViewRoom => shrunk(world, 'views', ROOM, SMALL);

export interface View {
  readonly chat: Uint8Array;
  readonly key: string;
  /** 0 until the client may use the alias. */
  alias: number;
  kind: number;
  name: string;
  /** The users of a direct chat, once known. */
  pair: readonly [string, string] | null;
  cursor: number;
  /** Newest number known to be durable; above `cursor` when the client has to catch up. */
  target: number;
  /** Must be read from the log: live deliveries only move the target until it has caught up. */
  behind: boolean;
  /** SENDs in this chat that are unanswered, and the id of the last of them. */
  unanswered: number;
  lastSend: string;
  /** Id of a SEND that was refused for now: the chat takes no other of this connection before it. '' when there is none. */
  refused: string;
  /** Its place among the connection's SENDs: the earliest of several counts. */
  refusedAt: number;
}

/** Its tables are made on first use: most connections are idle, and each empty table would cost them 190 bytes. */
export class Views {
  readonly #room: ViewRoom;
  #views: Map<string, View> | null = null;
  readonly #aliases: View[] = [];
  #users: Map<string, number> | null = null;
  /** In the order in which they take turns. */
  #behind: Set<View> | null = null;
  /** Cursors of views that gave way, by key. */
  #left: Map<string, number> | null = null;

  constructor(room: ViewRoom = ROOM) {
    this.#room = room;
  }

  get size(): number {
    return this.#views?.size ?? 0;
  }

  /** Views that must catch up. */
  get behind(): number {
    return this.#behind?.size ?? 0;
  }

  get(key: string): View | undefined {
    return this.#views?.get(key);
  }

  all(): Iterable<View> {
    return this.#views?.values() ?? [];
  }

  /** The chat that a client's ref names; undefined for an alias that was not given. */
  resolve(
    ref: ChatRef,
  ): { readonly chat: Uint8Array; readonly key: string; readonly view: View | undefined } | undefined {
    if (typeof ref === 'number') {
      const view = this.#aliases[ref - 1];
      return view === undefined ? undefined : { chat: view.chat, key: view.key, view };
    }
    const key = chatKey(ref);
    return { chat: ref, key, view: this.get(key) };
  }

  /** The chat's view, made if need be. */
  open(chat: Uint8Array, key: string): View {
    const known = this.get(key);
    if (known !== undefined) return known;
    const cursor = this.#left?.get(key) ?? UNKNOWN;
    this.#left?.delete(key);
    return this.#keep({
      // A copy: what is decoded from frames shares larger memory.
      chat: Uint8Array.prototype.slice.call(chat),
      key,
      alias: 0,
      kind: 0,
      name: '',
      pair: null,
      cursor,
      target: 0,
      behind: false,
      unanswered: 0,
      lastSend: '',
      refused: '',
      refusedAt: 0,
    });
  }

  describe(view: View, info: ChatInfo, user: string): void {
    view.kind = info.kind;
    view.name = nameFor(info, user);
    view.pair = info.pair;
  }

  /** Gives the view an alias; false when it has one or none are left. */
  name(view: View): boolean {
    if (view.alias !== 0 || this.#aliases.length >= this.#room.chatAliases) return false;
    this.#aliases.push(view);
    view.alias = this.#aliases.length;
    return true;
  }

  ref(view: View): ChatRef {
    return view.alias === 0 ? view.chat : view.alias;
  }

  /** The user's alias, 0 when there is none. */
  userAlias(user: string): number {
    return this.#users?.get(user) ?? 0;
  }

  /** A new alias for the user; 0 when none are left. */
  nameUser(user: string): number {
    this.#users ??= new Map();
    if (this.#users.size >= this.#room.userAliases) return 0;
    const alias = this.#users.size + 1;
    this.#users.set(user, alias);
    return alias;
  }

  /**
   * A delivery did not reach the client: the log must be read from there. Only marks. False: the client's place in the chat
   * is not known, and others of the chat may be queued ahead of this one.
   */
  missed(delivery: Delivery): boolean {
    const view = this.get(delivery.info.key);
    if (view === undefined || view.cursor === UNKNOWN) return false;
    const last = lastOf(delivery);
    if (last > view.cursor) this.fallBehind(view, last);
    return true;
  }

  fallBehind(view: View, target: number): void {
    view.target = Math.max(view.target, target);
    view.behind = true;
    this.#behind ??= new Set();
    this.#behind.add(view);
  }

  /** The view whose turn it is to catch up. */
  firstBehind(): View | undefined {
    return this.#behind?.values().next().value;
  }

  /** To the back of the line. */
  postpone(view: View): void {
    this.#behind?.delete(view);
    this.#behind?.add(view);
  }

  /** The SEND at `place` was refused for now: it comes first in this chat, or one before it does. */
  refuse(view: View, text: string, place: number): void {
    if (view.refused !== '' && view.refusedAt < place) return;
    view.refused = text;
    view.refusedAt = place;
  }

  caughtUp(view: View): void {
    view.behind = false;
    this.#behind?.delete(view);
  }

  /** Forgets all cursors: the client is about to say where it stands. */
  forget(): void {
    for (const view of this.all()) {
      view.cursor = UNKNOWN;
      view.target = 0;
      view.behind = false;
    }
    this.#behind?.clear();
    this.#left = null;
  }

  #keep(view: View): View {
    this.#views ??= new Map();
    if (this.#views.size >= this.#room.chats) this.#evict(this.#views);
    this.#views.set(view.key, view);
    return view;
  }

  /** Looks at a few, oldest first, and moves those that stay to the end: a search through all for each new one would stop
   * the node where thousands are behind. */
  #evict(views: Map<string, View>): void {
    let looks = EVICTION_LOOKS;
    // Forgetting which message comes first, the chat would ask for another one than the client sends, for ever. Forgetting whose a
    // direct chat is to be, its first message would be refused for good. As many as a user may have chats: those of one who sends
    // to chats that do not exist end there.
    const flooded = views.size >= LIMITS.userChats;
    for (const view of views.values()) {
      views.delete(view.key);
      const promised = (view.refused !== '' || (view.pair !== null && view.cursor === UNKNOWN)) && !flooded;
      if (!view.behind && view.unanswered === 0 && view.alias === 0 && !promised) return this.#leave(view);
      views.set(view.key, view);
      looks -= 1;
      if (looks === 0) return;
    }
  }

  #leave({ key, cursor }: View): void {
    if (cursor === UNKNOWN) return;
    this.#left ??= new Map();
    if (this.#left.size >= LIMITS.leftViews) this.#left.delete(this.#left.keys().next().value!);
    this.#left.set(key, cursor);
  }
}
