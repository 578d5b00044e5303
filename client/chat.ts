// Owns a chat as the application holds it.
// Invariant: stays valid through reconnects, and when a direct chat's id becomes known.
// Must not: keep messages; the server's log does.

import { LIMITS } from '../actors/limits.js';
import { INVITE_MODE, MARK_OP, OP, ROLE, T } from '../transport/frames.js';
import type { ChangeRequest } from './changes.js';
import { type ChatDetails, detailsOf, type Member, type MessageReceipts, receiptsOf, type Tick } from './chat-info.js';
import type { ChatLog } from './chat-log.js';
import { FOREVER, type Marks } from './chat-state.js';
import type { Core } from './core.js';
import { WeftError } from './errors.js';
import { inviteText } from './invite.js';
import { itemOf } from './item.js';
import { type GroupEvent, INVITE_MODES, type InviteMode, type Message, present } from './message.js';
import type { Receipt } from './outbox.js';
import { bytesOf, countOf } from './plain.js';

export interface HistoryPage {
  /** Oldest first. */
  readonly items: readonly (Message | GroupEvent)[];
  /** There is more before. */
  readonly more: boolean;
}

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

  /** A reference to the group's picture; empty for none. */
  get avatar(): string {
    return this.#current.state.avatar;
  }

  /** Only owner and admins may send. */
  get announceOnly(): boolean {
    return this.#current.state.announceOnly;
  }

  /** Entries end after so many seconds; 0: never. */
  get expiry(): number {
    return this.#current.state.expiry;
  }

  /** Newest sequence number known here. */
  get head(): number {
    return this.#current.head;
  }

  /** The user has read up to here, on whichever device. */
  get readUpTo(): number {
    return this.#current.read;
  }

  /** Messages of others after that, without deleted ones. 1,000 stands for that many or more. */
  get unread(): number {
    return this.#current.state.unread.count;
  }

  /** The user's own state of the chat. */
  get marks(): Marks {
    return this.#current.state.marks;
  }

  /**
   * Resolves when the server has it durably. While offline it waits in the store, also over restarts, and is sent in
   * order under the same id. Rejects with a refusal for good (`not_member`, `not_allowed`, `blocked`, `too_large`, …),
   * `outbox_full`, `store_failed`, or with `closed` when the session ends first: then the next session sends it.
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
    const { rows, more } = await this.#core.page((r) => ({ type: T.HISTORY, r, chat, before, limit }));
    return { items: rows.map((row) => present(this, itemOf(row, row.from, false), this.#core.me)), more };
  }

  /**
   * Adds to the group, as all changes for owner and admins; those who asked to be let in too. Each change resolves with
   * its number in the chat's log, and rejects with `not_allowed`, `bad_request` (it changes nothing), `full`, …
   */
  add(users: readonly string[]): Promise<Receipt> {
    return this.#change({ op: OP.added, users });
  }

  remove(users: readonly string[]): Promise<Receipt> {
    return this.#change({ op: OP.removed, users });
  }

  /** An owner's leaving passes the group on. */
  leave(): Promise<Receipt> {
    return this.#change({ op: OP.left });
  }

  /** Makes admins of members. */
  promote(users: readonly string[]): Promise<Receipt> {
    return this.#change({ op: OP.role, users, args: [ROLE.admin] });
  }

  /** Makes members of admins. */
  demote(users: readonly string[]): Promise<Receipt> {
    return this.#change({ op: OP.role, users, args: [ROLE.member] });
  }

  /** The owner becomes an admin, the other one the owner. */
  passOwnership(user: string): Promise<Receipt> {
    return this.#change({ op: OP.owner, users: [user] });
  }

  /** 1 to 256 bytes. */
  rename(title: string): Promise<Receipt> {
    return this.#change({ op: OP.title, args: [title] });
  }

  /** A reference of up to 512 bytes, say a URL; empty for none. */
  setAvatar(reference: string): Promise<Receipt> {
    return this.#change({ op: OP.avatar, args: [reference] });
  }

  /** Only owner and admins may send from now on, or everybody again. */
  setAnnounceOnly(on: boolean): Promise<Receipt> {
    return this.#change({ op: OP.announce, args: [on ? 1 : 0] });
  }

  /** Makes a new invite link, and the one before invalid. With `off` there is none, and the text is empty. */
  async invite(mode: InviteMode): Promise<string> {
    const code = { off: INVITE_MODE.none, open: INVITE_MODE.open, approval: INVITE_MODE.approval }[mode];
    await this.#change({ op: OP.invite, args: [code] });
    return mode === 'off' ? '' : (await this.inviteLink()).link;
  }

  /** The present link, for `session.join`: `weft:join/…`. For owner and admins. */
  async inviteLink(): Promise<{ readonly mode: InviteMode; readonly link: string }> {
    const chat = await this.#id();
    const [code, invite] = await this.#core.ask((r) => ({ type: T.INVITE, r, chat }));
    const mode = INVITE_MODES[countOf(code, 'the mode of an invite link')] ?? 'open';
    return { mode, link: mode === 'off' ? '' : inviteText(bytesOf(invite, 32, 'an invite link')) };
  }

  /** Lets in those who asked (`info().waiting`). */
  approve(users: readonly string[]): Promise<Receipt> {
    return this.add(users);
  }

  decline(users: readonly string[]): Promise<Receipt> {
    return this.#change({ op: OP.declined, users });
  }

  /** Entries of the chat end after so many seconds; 0: never. In a direct chat either user may set it. */
  setExpiry(seconds: number): Promise<Receipt> {
    return this.#change({ op: OP.expiry, args: [seconds] });
  }

  /** The message's content goes for all; its number stays. For its sender, and in groups for owner and admins. */
  deleteForEveryone(seq: number): Promise<Receipt> {
    return this.#change({ op: OP.deleted, args: [seq] });
  }

  /** Deletes messages for this user, on all devices. */
  async deleteForMe(seqs: readonly number[]): Promise<void> {
    for (let i = 0; i < seqs.length; i += LIMITS.markSeqs) {
      await this.#mark(MARK_OP.hidden, 0, seqs.slice(i, i + LIMITS.markSeqs));
    }
  }

  /** Deletes everything up to `upTo` (all that is known here) for this user, on all devices. */
  clear(upTo: number = this.head): Promise<void> {
    return this.#mark(MARK_OP.cleared, upTo);
  }

  /** Until a time in ms since 1970 (absent: without end); 0 ends it. What it means is the application's. */
  mute(until: number = FOREVER): Promise<void> {
    return this.#mark(MARK_OP.muted, Math.min(FOREVER, Math.floor(until)));
  }

  /** The chat pinned last stands first, unless numbers above 0 say otherwise. */
  pin(on: boolean | number = true): Promise<void> {
    return this.#mark(MARK_OP.pinned, typeof on === 'number' ? on : on ? this.#core.world.wall() : 0);
  }

  archive(on = true): Promise<void> {
    return this.#mark(MARK_OP.archived, on ? 1 : 0);
  }

  /** `read` ends it. */
  markUnread(on = true): Promise<void> {
    return this.#mark(MARK_OP.unread, on ? 1 : 0);
  }

  /** Who has, and who has read, the message with this number, also in large groups. */
  async receipts(seq: number): Promise<MessageReceipts> {
    const chat = await this.#id();
    return receiptsOf(await this.#core.ask((r) => ({ type: T.RECEIPTS, r, chat, seq })));
  }

  async members(): Promise<readonly Member[]> {
    return (await this.info()).members.filter((member) => member.role !== 'gone');
  }

  /** For members only: `unknown_chat` for others. */
  async info(): Promise<ChatDetails> {
    const chat = await this.#id();
    const details = detailsOf(await this.#core.ask((r) => ({ type: T.INFO, r, chat })));
    this.#core.receiver.informed(this.#current, details);
    return details;
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
    // A hint like a receipt: what fails is done by the next reading.
    if (log.state.marks.unread) this.markUnread(false).catch(() => {});
    if (log.readTo(Math.min(seq, Math.max(log.highest, log.head)))) this.#core.flusher.read(log);
  }

  /** How far the own message with this number has come. */
  tick(seq: number): Tick {
    return this.#current.tick(seq, this.#core.me);
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

  async #change(request: ChangeRequest): Promise<Receipt> {
    const chat = await this.#id();
    return this.#core.changes.change(this.#current, chat, request);
  }

  async #mark(op: number, value: number, seqs: readonly number[] = []): Promise<void> {
    await this.#id();
    await this.#core.marks.set(this.#current, op, value, seqs);
  }
}
