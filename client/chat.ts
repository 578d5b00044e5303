// Owns a chat as the application holds it.
// Invariant: stays valid through reconnects, and when a direct chat's id becomes known.
// Must not: keep messages; the server's log does.

import { LIMITS } from '../actors/limits.js';
import { OP, T } from '../transport/frames.js';
import type { ChatLog } from './chat-log.js';
import type { Core } from './core.js';
import { WeftError } from './errors.js';
import { type GroupEvent, type Message, present } from './message.js';
import type { Receipt } from './outbox.js';
import { itemOf } from './receiver.js';

export interface Member {
  readonly user: string;
  readonly role: 'gone' | 'member' | 'admin' | 'owner';
  /** This member has everything up to here. */
  readonly delivered: number;
  readonly read: number;
}

export interface ChatDetails {
  readonly kind: 'direct' | 'group';
  /** The other user, or the group's title. */
  readonly name: string;
  /** Newest sequence number. */
  readonly head: number;
  readonly members: readonly Member[];
}

/** How far an own message has come. `of` is undefined while a group's members are not known here (`info` tells). */
export interface Tick {
  readonly state: 'sent' | 'delivered' | 'read';
  /** Other members that have it, and that have read it. */
  readonly delivered: number;
  readonly read: number;
  readonly of: number | undefined;
}

export interface HistoryPage {
  /** Oldest first. */
  readonly items: readonly (Message | GroupEvent)[];
  /** There is more before. */
  readonly more: boolean;
}

const ROLES = ['gone', 'member', 'admin', 'owner'] as const;
const encoder = new TextEncoder();

export class Chat {
  readonly #core: Core;
  #log: ChatLog;
  #typingAt = Number.NEGATIVE_INFINITY;
  #typing = false;

  constructor(core: Core, log: ChatLog) {
    this.#core = core;
    this.#log = log;
  }

  /** 32 hexadecimal digits; empty while a direct chat's id is not known yet. */
  get id(): string {
    return this.#current.key;
  }

  get kind(): 'direct' | 'group' | 'unknown' {
    return (['unknown', 'direct', 'group'] as const)[this.#current.kind] ?? 'unknown';
  }

  /** The other user, or the group's title. */
  get name(): string {
    return this.#current.name;
  }

  /** Newest sequence number known here. */
  get head(): number {
    return this.#current.head;
  }

  /** The user has read up to here, on whichever device. */
  get readUpTo(): number {
    return this.#current.read;
  }

  /**
   * Resolves when the server has it durably. While offline it waits in the store, also over restarts, and is sent in
   * order under the same id. Rejects with a refusal for good (`not_member`, `too_large`, …), `outbox_full`,
   * `store_failed`, or with `closed` when the session ends first: then the next session sends it.
   */
  send(body: Uint8Array | string): Promise<Receipt> {
    return this.#core.send(this.#current, typeof body === 'string' ? encoder.encode(body) : body);
  }

  /** Messages and events below `before` (0 or absent: from the end), at most `limit` (1 to 100, 50 if absent). */
  async history(options: { readonly before?: number; readonly limit?: number } = {}): Promise<HistoryPage> {
    const { before = 0, limit = 50 } = options;
    if (limit < 1 || limit > LIMITS.historyRows) {
      throw new WeftError('bad_argument', `limit is 1 to ${LIMITS.historyRows}`);
    }
    const chat = await this.#id();
    const answer = await this.#core.ask((r) => ({ type: T.HISTORY, r, chat, before, limit }));
    if (answer.type !== 'page') throw new WeftError('bad_response', 'HISTORY answered without a page');
    const items = answer.rows.map((row) => present(this, itemOf(row, row.from, false), this.#core.me));
    return { items, more: answer.more };
  }

  /** Each resolves with the change's sequence number. */
  add(users: readonly string[]): Promise<Receipt> {
    return this.#core.changes.change(this.#current, OP.added, users);
  }

  remove(users: readonly string[]): Promise<Receipt> {
    return this.#core.changes.change(this.#current, OP.removed, users);
  }

  leave(): Promise<Receipt> {
    return this.#core.changes.change(this.#current, OP.left, []);
  }

  async members(): Promise<readonly Member[]> {
    return (await this.info()).members.filter((member) => member.role !== 'gone');
  }

  async info(): Promise<ChatDetails> {
    const chat = await this.#id();
    const answer = await this.#core.ask((r) => ({ type: T.INFO, r, chat }));
    if (answer.type !== 'ok') throw new WeftError('bad_response', 'INFO answered without a result');
    const [kind, name, head, rows] = answer.results;
    const members: Member[] = [];
    for (const row of Array.isArray(rows) ? rows : []) {
      const [user, role, delivered, read] = Array.isArray(row) ? row : [];
      if (typeof user !== 'string' || typeof role !== 'number') throw new WeftError('bad_response', 'INFO: no member');
      members.push({ user, role: ROLES[role] ?? 'member', delivered: Number(delivered ?? 0), read: Number(read ?? 0) });
    }
    const log = this.#current;
    log.head = Math.max(log.head, Number(head ?? 0));
    log.setMembers(members.filter((member) => member.role !== 'gone').map((member) => member.user));
    for (const { user, delivered, read } of members) log.receipt(user, delivered, read);
    return { kind: kind === 1 ? 'direct' : 'group', name: String(name ?? ''), head: Number(head ?? 0), members };
  }

  /** Tells the others; not repeated within LIMITS.clientTypingMs, and dropped while offline. */
  typing(on: boolean): void {
    const now = this.#core.world.now();
    if (on === this.#typing && (!on || now - this.#typingAt < LIMITS.clientTypingMs)) return;
    this.#typing = on;
    this.#typingAt = now;
    this.#core.say(this.#current, (chat) => ({ type: T.TYPING, chat, on }));
  }

  /** Presence of the other members, from now on and after each reconnect. Throws `full` at the limit. */
  watch(on: boolean): void {
    this.#core.watches.set(this.#current, on);
  }

  /** The user has read up to `seq`: cumulative, never goes back, told now or after the next connect. */
  read(seq: number): void {
    const log = this.#current;
    if (seq <= log.read) return;
    log.read = Math.min(seq, Math.max(log.highest, log.head));
    this.#core.flusher.read(log);
  }

  /** How far the own message with this number has come. */
  tick(seq: number): Tick {
    const log = this.#current;
    const others = log.others(this.#core.me);
    const known = others ?? [...log.receipts.keys()].filter((user) => user !== this.#core.me);
    const positions = known.map((user) => log.receipts.get(user));
    const delivered = positions.filter((position) => (position?.delivered ?? 0) >= seq).length;
    const read = positions.filter((position) => (position?.read ?? 0) >= seq).length;
    const of = others?.length;
    const state = of && read >= of ? 'read' : of && delivered >= of ? 'delivered' : 'sent';
    return { state, delivered, read, of };
  }

  get #current(): ChatLog {
    while (this.#log.mergedInto !== undefined) this.#log = this.#log.mergedInto;
    return this.#log;
  }

  async #id(): Promise<Uint8Array> {
    const log = this.#current;
    const id = log.id ?? (await this.#core.queries.locate(log)).id;
    if (id === undefined) throw new WeftError('unknown_chat', 'the chat has no id');
    return id;
  }
}
