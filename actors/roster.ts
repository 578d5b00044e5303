// Owns who is in a chat: members, roles, what each may see and how far each is (their inbox rows).
// Invariant: changes are made when their event gets its number, in that order, and written in the same commit; the
// audience (who is told) follows only when that commit is durable.
// Must not: decide who may change what (group-rights.ts), or send anything.

import { chatRowKey, inboxKey } from '../storage/keys.js';
import { type ChatRow, type ChatSettings, encodeChat, encodeInbox, type Inbox } from '../storage/rows.js';
import type { Write } from '../storage/store.js';
import { CHAT_KIND, ROLE } from '../transport/frames.js';
import type { Change } from './chat-event.js';
import type { ChatImage } from './chat-image.js';
import type { Cursor, DevicePosition } from './cursor.js';
import { Departed } from './departed.js';
import { assert } from './errors.js';
import { LIMITS } from './limits.js';
import { cursorsOf, type Member, memberOf } from './member.js';
import { type ChatInfo, nameFor } from './messages.js';
import { Titles } from './titles.js';

export class Roster {
  /** As it is durable: what deliveries say. */
  info: ChatInfo;
  readonly members = new Map<string, Member>();
  /** Roles as they will be once all entries in line are written: what requests are judged by. In order of joining. */
  readonly rights = new Map<string, number>();
  /** The same of what is set. */
  readonly settings: ChatSettings;
  /** Who is told of what becomes durable. */
  readonly audience = new Set<string>();
  /** Those of a direct chat's users who block the other. */
  blockers: readonly string[];
  /** When those were read: another one now, and they may be others (Fabric.heard). */
  heard: number;
  readonly #row: ChatRow;
  readonly #threshold: number;
  /** Members whose rows the next commit must hold. */
  readonly #touched = new Map<string, Member>();
  /** Members whose rows may wait (cursors moved, or the chat is at rest): written as far as a commit has room. */
  readonly #lagging = new Map<string, Member>();
  /** Members of a large group whose cursors moved, until `ripen`: no commit takes them along. */
  readonly #waiting = new Map<string, Member>();
  readonly #titles = new Titles();
  #rowTouched: boolean;
  #head = 0;
  #at = 0;
  /** Every member's row says that the log is to be asked. */
  #hot = false;
  readonly departed = new Departed();
  /** Members whose cursors moved since the last commit was composed, with the device if one alone moved them. */
  readonly #moved = new Map<Member, string>();
  #written: Cursor[] = [];

  constructor(info: ChatInfo, row: ChatRow, image: ChatImage | null, threshold: number) {
    this.info = info;
    this.#row = row;
    this.settings = { ...row };
    this.#threshold = threshold;
    this.#rowTouched = image === null;
    this.blockers = image?.blockers ?? [];
    this.heard = image?.heard ?? 0;
    for (const { user, role } of image === null ? [] : row.members) {
      const inbox = image!.inboxes.get(user);
      assert(inbox !== undefined, 'a member has an inbox row');
      this.members.set(user, memberOf(user, role, inbox));
      this.rights.set(user, role);
      this.audience.add(user);
    }
    if (image !== null) {
      // Left so by a life that ended before the chat came to rest, perhaps on the way there: then not all are.
      this.#hot = [...image.inboxes.values()].every((inbox) => inbox.hot);
      this.#head = image.head;
      this.#at = image.clock;
      if (info.pair === null) this.#titles.change(row.title, this.members.values());
    }
  }

  /** As it stands in the newest append composed. */
  get row(): Readonly<ChatRow> {
    return this.#row;
  }

  get large(): boolean {
    return this.#row.large;
  }

  /** A change is in line: from here on it counts for who may do what. */
  claim(change: Change): void {
    for (const { user, role } of change.joined) this.rights.set(user, role);
    for (const { user, role } of change.roles) if (this.rights.has(user)) this.rights.set(user, role);
    for (const user of change.gone) this.rights.delete(user);
    Object.assign(this.settings, change.settings);
  }

  /** The event numbered `seq` changes the membership. */
  apply(change: Change, seq: number): void {
    Object.assign(this.#row, change.settings);
    if (change.settings?.title !== undefined) {
      this.#titles.change(change.settings.title, this.members.values());
      // A small group's rows fit the same commit.
      if (!this.#row.large) for (const member of this.members.values()) this.#touched.set(member.user, member);
    }
    for (const { user, role, former } of change.joined) this.#join(user, role, seq, former);
    for (const { user, role } of change.roles) {
      const member = this.members.get(user);
      if (member !== undefined) member.role = role;
    }
    for (const user of change.gone) this.#leave(user, seq);
    this.#row.members = [...this.members.values()].map(({ user, role }) => ({ user, role }));
    this.#rowTouched = true;
    if (!this.#row.large && this.members.size > this.#threshold) {
      // Never back to small: a group that hovers at the threshold would rewrite every row each time.
      this.#row.large = true;
      for (const member of this.members.values()) {
        member.inbox.large = true;
        this.#touched.set(member.user, member);
      }
    }
  }

  /**
   * The chat now stands at `head`. In small chats the members' rows say so when it comes to rest (`cool`); until then they
   * say that it is hot and its log is to be asked. So a lively chat costs its members two writes, not one a message.
   */
  advance(head: number, at: number): void {
    this.#head = head;
    this.#at = at;
    if (this.#row.large || this.#hot) return;
    this.#hot = true;
    for (const member of this.members.values()) {
      member.inbox.hot = true;
      this.#touched.set(member.user, member);
    }
  }

  /** The member's own words are in the next commit: in a direct chat that makes the other a contact. */
  wrote(user: string): void {
    const member = this.info.pair === null ? undefined : this.members.get(user);
    if (member === undefined || member.inbox.wrote) return;
    member.inbox.wrote = true;
    this.#touched.set(user, member);
  }

  /** The chat is at rest: its members' rows get its head, in as many commits as it takes. False: they have it. */
  cool(): boolean {
    let hot = false;
    for (const member of this.members.values()) {
      const { inbox } = member;
      if (!inbox.hot) continue;
      hot = true;
      Object.assign(inbox, { hot: false, head: Math.max(inbox.head, this.#head), at: Math.max(inbox.at, this.#at) });
      this.#lagging.set(member.user, member);
    }
    if (hot) this.#hot = false;
    return hot;
  }

  /**
   * Moves a device's ('': none) and its user's cursors forward; false when nothing moved. Claims beyond `head` are cut to
   * it: a receipt never says what cannot have happened.
   */
  cursor(user: string, device: string, delivered: number, read: number, head: number): boolean {
    const member = this.members.get(user);
    if (member === undefined) return false;
    const { inbox } = member;
    const has = Math.min(Math.max(delivered, read), head);
    const seen = Math.min(read, head);
    let moved = false;
    const known = inbox.devices.find((cursor) => cursor.device === device);
    if (known === undefined) {
      if (has > 0 && device !== '') {
        if (inbox.devices.length >= LIMITS.devices) inbox.devices.shift();
        inbox.devices.push({ device, delivered: has });
        moved = true;
      }
    } else if (has > known.delivered) {
      known.delivered = has;
      moved = true;
    }
    if (has > inbox.delivered || seen > inbox.read) {
      inbox.delivered = Math.max(inbox.delivered, has);
      inbox.read = Math.max(inbox.read, seen);
      // Where two devices moved it, each may lack what the other said.
      const alone = (this.#moved.get(member) ?? device) === device;
      this.#moved.set(member, alone ? device : '');
      moved = true;
    }
    if (moved && this.#row.large && !this.#lagging.has(user)) this.#waiting.set(user, member);
    else if (moved) this.#lagging.set(user, member);
    return moved;
  }

  /** The device's position counts no more; false: there was none. */
  forget(user: string, device: string): boolean {
    const member = this.members.get(user);
    const at = member?.inbox.devices.findIndex((cursor) => cursor.device === device) ?? -1;
    if (at < 0) return false;
    member!.inbox.devices.splice(at, 1);
    this.#lagging.set(user, member!);
    return true;
  }

  /** Some members' rows lack the title. */
  get renamed(): boolean {
    return this.#titles.wanting;
  }

  /** Lets the cursors and titles of a large group that changed into the next commits; false: none did. */
  ripen(): boolean {
    if (!this.#titles.ripen() && this.#waiting.size === 0) return false;
    for (const [user, member] of this.#waiting) this.#lagging.set(user, member);
    this.#waiting.clear();
    return true;
  }

  /** A commit is due. */
  get dirty(): boolean {
    if (this.#rowTouched || this.departed.dirty) return true;
    return this.#touched.size > 0 || this.#lagging.size > 0 || this.#titles.ripe.size > 0;
  }

  /** A commit is due now or later. */
  get unwritten(): boolean {
    return this.dirty || this.#waiting.size > 0 || this.#titles.wanting;
  }

  /** Adds the writes of what changed since the last call, cursors only as long as `room` lasts; answers their bytes. */
  flush(writes: Write[], room: number): number {
    let bytes = 0;
    const add = (key: Uint8Array, value: Uint8Array): void => {
      writes.push({ key, value });
      bytes += key.length + value.length;
    };
    if (this.#rowTouched) add(chatRowKey(this.info.chat), encodeChat(this.#row));
    this.#rowTouched = false;
    for (const member of this.#touched.values()) this.#write(member, add);
    this.#touched.clear();
    for (const waiting of [this.#lagging, this.#titles.ripe]) {
      for (const member of waiting.values()) {
        // Room for one more, with all its devices.
        if (bytes + 4 * LIMITS.memberRowBytes > room) return bytes;
        this.#write(member, add);
      }
    }
    const rows = this.departed.take((room - bytes) / (4 * LIMITS.memberRowBytes));
    for (const { user, inbox } of rows) add(inboxKey(user, this.info.chat), encodeInbox(inbox));
    return bytes;
  }

  #write(member: Member, add: (key: Uint8Array, value: Uint8Array) => void): void {
    const { user, inbox } = member;
    add(inboxKey(user, this.info.chat), encodeInbox(inbox));
    // Not once more as it stands: a row that is there already would witness a commit that was lost (storage/log.ts).
    this.#titles.done(member);
    this.#lagging.delete(user);
    this.#waiting.delete(user);
    const device = this.#moved.get(member);
    if (device === undefined) return;
    // As they stand in this commit: they may move on while it is in flight, and that is not durable yet.
    this.#moved.delete(member);
    this.#written.push({ user, device, delivered: inbox.delivered, read: inbox.read });
  }

  /** What a failed commit took with it, for a roster that is read again. */
  cursors(): DevicePosition[] {
    return [...this.members.values()].flatMap(cursorsOf).concat(this.departed.cursors());
  }

  /** Cursors that the commit just done made durable, for the members to be told. */
  takeWritten(): readonly Cursor[] {
    const written = this.#written;
    if (written.length > 0) this.#written = [];
    for (const { user, delivered, read } of written) {
      const member = this.members.get(user);
      if (member !== undefined) member.told = { delivered, read };
    }
    return written;
  }

  #join(user: string, role: number, seq: number, stored: Inbox | null): void {
    // Who left a moment ago may not be in the store as gone yet.
    const former = this.departed.remove(user) ?? stored;
    const spans = former?.spans ?? [];
    // The oldest stay is forgotten: better to hide what one once saw than to show what one never should.
    if (spans.length >= LIMITS.spans) spans.shift();
    const inbox: Inbox = {
      kind: this.info.kind,
      large: this.#row.large,
      hot: this.#hot,
      wrote: former?.wrote ?? false,
      head: seq,
      at: former?.at ?? this.#row.created,
      delivered: former?.delivered ?? 0,
      read: former?.read ?? 0,
      spans: [...spans, { from: this.info.kind === CHAT_KIND.direct ? 1 : seq, until: 0 }],
      devices: [],
      name: this.info.pair === null ? this.#row.title : nameFor(this.info, user),
    };
    const member = memberOf(user, role, inbox);
    this.members.set(user, member);
    this.#touched.set(user, member);
  }

  #leave(user: string, seq: number): void {
    const member = this.members.get(user);
    if (member === undefined) return;
    member.role = ROLE.gone;
    member.inbox.spans[member.inbox.spans.length - 1]!.until = seq;
    member.inbox.head = seq;
    member.inbox.hot = false;
    // Nobody is told of them any more, and a removal of a thousand must fit one commit.
    member.inbox.devices.length = 0;
    this.#moved.delete(member);
    this.#titles.done(member);
    this.#lagging.delete(user);
    this.#waiting.delete(user);
    this.members.delete(user);
    this.departed.add(user, member.inbox);
    this.#touched.set(user, member);
  }
}
