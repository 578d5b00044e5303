// Owns what each frame of the server means for the client's state.
// Invariant: every MESSAGE, EVENT and PAGE row goes through `accept`, which lets each sequence number in once; a ref that
// cannot be resolved costs the connection, never a guess.
// Must not: send anything but through its parts.

import { CHAT_KIND, type PageRow, type Plain, type ServerFrame, T } from '../transport/frames.js';
import type { Account } from './account.js';
import type { Changes } from './changes.js';
import { type ChatDetails, detailsOf } from './chat-info.js';
import type { ChatList } from './chat-list.js';
import type { ChatLog, Item } from './chat-log.js';
import type { ChatTable } from './chat-table.js';
import type { Delivery } from './delivery.js';
import { WeftError } from './errors.js';
import type { Flusher } from './flush.js';
import type { Gaps } from './gaps.js';
import { hex, idTime } from './ids.js';
import { itemOf } from './item.js';
import type { MarkSync } from './marks.js';
import { joins } from './membership.js';
import { type Change, changeOf } from './message.js';
import type { Outbox } from './outbox.js';
import type { Requests } from './requests.js';
import type { Watches } from './watches.js';

/** What the application is told at once, outside the order of chats. */
export interface ReceiverHooks {
  chat(log: ChatLog): void;
  receipt(log: ChatLog, user: string, delivered: number, read: number): void;
  typing(log: ChatLog, user: string, on: boolean): void;
  presence(user: string, online: boolean, lastSeen: number, precision: number): void;
  tally(log: ChatLog, delivered: number, read: number): void;
  count(log: ChatLog, online: number): void;
  profiled(user: string, version: number): void;
  blocked(user: string, on: boolean): void;
  synced(chats: number): void;
  trouble(error: WeftError): void;
  /** The connection makes no sense any more. */
  broken(error: WeftError): void;
}

export interface Parts {
  readonly table: ChatTable;
  readonly outbox: Outbox;
  readonly requests: Requests;
  readonly delivery: Delivery;
  readonly flusher: Flusher;
  readonly gaps: Gaps;
  readonly changes: Changes;
  readonly list: ChatList;
  readonly marks: MarkSync;
  readonly account: Account;
  readonly watches: Watches;
}

export class Receiver {
  readonly #parts: Parts;
  readonly #hooks: ReceiverHooks;
  /** Chats whose name is being asked for. */
  readonly #naming = new Set<ChatLog>();
  /** This session's user, from WELCOME or the store. */
  me = '';

  constructor(parts: Parts, hooks: ReceiverHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
  }

  frame(frame: ServerFrame): void {
    const { table, outbox, requests } = this.#parts;
    switch (frame.type) {
      case T.MESSAGE:
      case T.EVENT:
        this.#pushed(frame);
        return;
      case T.SENT:
        if (!outbox.sent(frame.n, frame.seq)) this.#odd(`SENT ${frame.n} answers nothing`);
        return;
      case T.FAILED: {
        const error = new WeftError(frame.code, frame.detail, frame);
        if (!outbox.failed(frame.n, error)) this.#odd(`FAILED ${frame.n} answers nothing`);
        return;
      }
      case T.RECEIPT:
        this.#with(frame.chat, frame.user, (log, user) => this.#receipt(log, user, frame.delivered, frame.read));
        return;
      case T.TYPING_OF:
        this.#with(frame.chat, frame.user, (log, user) => this.#hooks.typing(log, user, frame.on));
        return;
      case T.PRESENCE: {
        const user = table.user(frame.user);
        if (user === undefined) this.#break('unknown user alias');
        else this.#hooks.presence(user, frame.online, frame.lastSeen, frame.precision);
        return;
      }
      case T.TALLY:
        this.#of(frame.chat, (log) => {
          const next = log.state.tallied(frame.delivered, frame.read);
          if (next !== undefined) this.#hooks.tally(log, next.delivered, next.read);
        });
        return;
      case T.COUNT:
        this.#of(frame.chat, (log) => this.#hooks.count(log, frame.count));
        return;
      case T.PROFILED: {
        const user = table.user(frame.user);
        if (user === undefined) this.#break('unknown user alias');
        else this.#hooks.profiled(user, frame.version);
        return;
      }
      case T.MARKED:
        this.#parts.marks.told(frame);
        return;
      case T.BLOCKED:
        this.#hooks.blocked(frame.user, frame.on);
        return;
      case T.CERT:
        for (const entry of frame.entries) this.#certified(entry);
        return;
      case T.SYNCED:
        this.#parts.gaps.synced();
        this.#parts.list.synced();
        this.#hooks.synced(frame.chats);
        return;
      case T.CHAT: {
        const log = table.byId(frame.chat);
        table.aliasChat(frame.alias, log);
        this.describe(log, frame.kind, frame.name);
        return;
      }
      case T.USER:
        table.aliasUser(frame.alias, frame.user);
        return;
      case T.OK:
        requests.answer(frame.r, { type: 'ok', results: frame.results });
        return;
      case T.PAGE:
        requests.answer(frame.r, { type: 'page', rows: frame.rows, more: frame.more });
        return;
      case T.ERROR:
        requests.refuse(frame.r, new WeftError(frame.code, frame.detail, frame));
        return;
      case T.RESYNC:
        this.#parts.gaps.resyncNow();
        // MARKED, BLOCKED and what was read elsewhere may be among the news that were lost.
        this.#parts.list.up();
        this.#parts.marks.up();
        this.#parts.account.up();
        return;
    }
  }

  /** Kind and name of a chat, from wherever they became known. */
  describe(log: ChatLog, kind: number, name: string): void {
    if (log.kind === kind && log.name === name) return;
    this.#parts.table.describe(log, kind, name);
    this.#parts.flusher.dirty(log);
    this.#hooks.chat(log);
    // A direct chat that waited for its id has it now.
    this.#parts.outbox.wake(log);
  }

  /** A row of PAGE, pulled because it was missing. */
  pulled(log: ChatLog, row: PageRow): void {
    this.accept(log, itemOf(row, row.from, false));
  }

  accept(log: ChatLog, item: Item): void {
    const { outbox, changes, delivery, gaps, flusher } = this.#parts;
    delivery.arrived(item);
    log.state.at = Math.max(log.state.at, idTime(item.id) + item.lag);
    if (log.kind === 0) this.#name(log);
    const begins = joins(item, this.me);
    if (begins) this.#began(log);
    if (item.from === this.me && this.me !== '') {
      const id = hex(item.id);
      if (changes.found(id, log, item.seq) || outbox.has(item.id)) {
        delivery.free(item.paid);
        // Its SENT or OK was lost, or comes later and then finds nothing to do.
        const { content } = item;
        this.own(log, item.seq, content.type === 'event' ? changeOf(content.op, content.args) : undefined);
        outbox.found(item.id, item.seq);
        return;
      }
      log.lastOwn = Math.max(log.lastOwn, item.seq);
      if (log.kind === 1 && item.seq <= log.missed) this.#ticks(log);
    }
    if (!log.placed && item.seq === 1) gaps.begin(log, 0);
    if (!log.placed && begins) gaps.begin(log, item.seq - 1);
    const arrival = log.arrive(item, () => gaps.held < delivery.room);
    if (arrival === 'old' || arrival === 'over') delivery.free(item.paid);
    if (arrival === 'held' || arrival === 'over') gaps.noticed(log);
    if (arrival !== 'new') return;
    flusher.dirty(log);
    delivery.run(log);
  }

  /** What INFO told. */
  informed(log: ChatLog, { head, members, avatar, announceOnly, expiry }: ChatDetails): void {
    const { state } = log;
    log.head = Math.max(log.head, head);
    log.setMembers(members.filter(({ role }) => role !== 'gone').map(({ user }) => user));
    for (const { user, delivered, read } of members) {
      const next = log.receipt(user, delivered, read);
      if (user === this.me) log.readTo(read);
      // A RECEIPT that says the same is no news any more.
      if (next !== undefined) this.#hooks.receipt(log, user, next.delivered, next.read);
    }
    const changed = state.avatar !== avatar || state.announceOnly !== announceOnly || state.expiry !== expiry;
    Object.assign(state, { avatar, announceOnly, expiry });
    if (changed) this.#hooks.chat(log);
    this.#parts.flusher.dirty(log);
  }

  /** An own message or change has this number. */
  own(log: ChatLog, seq: number, change?: Change): void {
    const { delivery, flusher, gaps } = this.#parts;
    if (!log.placed && seq === 1) gaps.begin(log, 0);
    log.sent(seq, change);
    flusher.dirty(log);
    if (log.gap) gaps.suspect(log);
    delivery.run(log);
  }

  #pushed(frame: Extract<ServerFrame, { type: typeof T.MESSAGE | typeof T.EVENT }>): void {
    this.#with(frame.chat, frame.from, (log, from) => this.accept(log, itemOf(frame, from, true)));
  }

  #receipt(log: ChatLog, user: string, delivered: number, read: number): void {
    const next = log.receipt(user, delivered, read);
    if (next === undefined) return;
    if (user === this.me && log.readTo(next.read)) this.#parts.flusher.dirty(log);
    this.#hooks.receipt(log, user, next.delivered, next.read);
  }

  #certified(entry: Extract<ServerFrame, { type: typeof T.CERT }>['entries'][number]): void {
    const { table, delivery, flusher, gaps, list } = this.#parts;
    const log = table.byId(entry.chat);
    const before = [log.placed, log.cursor, log.head];
    if (entry.kind !== undefined) this.describe(log, entry.kind, entry.name ?? '');
    log.head = Math.max(log.head, entry.head);
    if (entry.start <= entry.head) list.missed();
    // Of chats that the vector lacked the server tells the receipts by itself.
    log.missed = entry.kind === undefined && entry.start <= entry.head ? entry.head : 0;
    // Not in the vector, so the server tells no receipts of a group (docs/wire.md).
    if (!log.placed && log.lastOwn > 0 && log.kind === CHAT_KIND.group) this.#ticks(log);
    if (!log.placed) log.place(Math.max(0, entry.start - 1));
    else if (!gaps.short(log, entry.head)) {
      // Not in the vector: that is for a device that does not know the chat. This one does since then.
      if (entry.kind !== undefined && gaps.young(log)) gaps.unlisted(log, entry.start);
      else if (log.dropped > log.cursor) gaps.certified(log, entry.start);
      else log.truncate(entry.start);
    }
    // Most of ten thousand chats are as they were.
    if (before[0] !== log.placed || before[1] !== log.cursor || before[2] !== log.head) flusher.dirty(log);
    delivery.run(log);
  }

  /** Own messages were missed, of another device or a run whose store lost them: so were receipts, and SYNC did not ask for them. */
  #ticks(log: ChatLog): void {
    log.missed = 0;
    // A hint like a receipt: the next SYNC asks for them.
    void this.#info(log, (results) => this.informed(log, detailsOf(results)));
  }

  /** CHAT tells names along with aliases, and those are limited: further chats are asked about. */
  #name(log: ChatLog): void {
    if (this.#naming.has(log)) return;
    this.#naming.add(log);
    // The next message of the chat asks again.
    void this.#info(log, ([kind, name]) => {
      if (typeof kind === 'number' && typeof name === 'string') this.describe(log, kind, name);
    }).then(() => this.#naming.delete(log));
  }

  async #info({ id: chat }: ChatLog, told: (results: readonly Plain[]) => void): Promise<void> {
    if (chat === undefined) return;
    const asked = this.#parts.requests.ask((r) => ({ type: T.INFO, r, chat }));
    await asked.then((answer) => (answer.type === 'ok' ? told(answer.results) : undefined)).catch(() => {});
  }

  #began(log: ChatLog): void {
    // A watch ends with membership, and the application's goes on. Who read what meanwhile was told to those who were there.
    this.#parts.watches.began(log);
    if (log.wantsReceipts(this.me)) this.#ticks(log);
    if (log.state.unread.count === 0) return;
    log.state.unread.returned();
    this.#parts.list.again();
  }

  #with(chat: Uint8Array | number, user: string | number, then: (log: ChatLog, user: string) => void): void {
    const log = this.#parts.table.chat(chat);
    const name = this.#parts.table.user(user);
    if (log === undefined || name === undefined) this.#break('an alias that was not given');
    else then(log, name);
  }

  #of(chat: Uint8Array | number, then: (log: ChatLog) => void): void {
    const log = this.#parts.table.chat(chat);
    if (log === undefined) this.#break('unknown chat alias');
    else then(log);
  }

  #odd(detail: string): void {
    this.#hooks.trouble(new WeftError('bad_response', detail));
  }

  #break(detail: string): void {
    const error = new WeftError('bad_response', detail);
    this.#hooks.trouble(error);
    this.#hooks.broken(error);
  }
}
