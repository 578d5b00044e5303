// Owns who is in a chat: members, roles, what each may see and how far each is (their inbox rows).
// Invariant: changes are made when their event gets its number, in that order, and written in the same commit; the
// audience (who is told) follows only when that commit is durable.
// Must not: decide who may change what (group.ts), or send anything.

import { chatRowKey, inboxKey } from '../storage/keys.js';
import { type ChatRow, encodeChat, encodeInbox, type Inbox } from '../storage/rows.js';
import type { Write } from '../storage/store.js';
import { CHAT_KIND, type Plain, ROLE } from '../transport/frames.js';
import type { ChatImage } from './chat-image.js';
import { assert } from './errors.js';
import { LIMITS } from './limits.js';
import { type ChatInfo, nameFor } from './messages.js';

/** What an event does to the membership. */
export interface Change {
  /** `former`: the view that a returning user had, so that old stays remain visible. */
  readonly joined: readonly { readonly user: string; readonly role: number; readonly former: Inbox | null }[];
  readonly gone: readonly string[];
  /** New roles of present members. */
  readonly roles: readonly { readonly user: string; readonly role: number }[];
}

export interface Member {
  readonly user: string;
  role: number;
  readonly inbox: Inbox;
  /** The cursors as they are durable: others are told no more, or a crash would take back what they were told. */
  told: Pick<Inbox, 'delivered' | 'read'>;
}

/** How far a member is, as the others are told. */
export interface Cursor {
  readonly user: string;
  /** The device that moved it; '' if more than one did. */
  readonly device: string;
  readonly delivered: number;
  readonly read: number;
}

export class Roster {
  readonly info: ChatInfo;
  readonly members = new Map<string, Member>();
  /** Roles as they will be once all entries in line are written: what requests are judged by. In order of joining. */
  readonly rights = new Map<string, number>();
  /** Who is told of what becomes durable. */
  readonly audience = new Set<string>();
  readonly #row: ChatRow;
  readonly #threshold: number;
  readonly #touched = new Map<string, Member>();
  #rowTouched: boolean;
  readonly #departed = new Map<string, Inbox>();
  /** Members whose cursors moved since the last commit was composed, with the device if one alone moved them. */
  readonly #moved = new Map<Member, string>();
  #written: Cursor[] = [];

  constructor(info: ChatInfo, row: ChatRow, image: ChatImage | null, threshold: number) {
    this.info = info;
    this.#row = row;
    this.#threshold = threshold;
    this.#rowTouched = image === null;
    for (const { user, role } of image === null ? [] : row.members) {
      const inbox = image!.inboxes.get(user);
      assert(inbox !== undefined, 'a member has an inbox row');
      this.members.set(user, { user, role, inbox, told: cursorsOf(inbox) });
      this.rights.set(user, role);
      this.audience.add(user);
    }
  }

  get large(): boolean {
    return this.#row.large;
  }

  /** A change is in line: from here on it counts for who may do what. */
  claim(change: Change): void {
    for (const { user, role } of change.joined) this.rights.set(user, role);
    for (const { user, role } of change.roles) if (this.rights.has(user)) this.rights.set(user, role);
    for (const user of change.gone) this.rights.delete(user);
  }

  /** The event numbered `seq` changes the membership. */
  apply(change: Change, seq: number): void {
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

  /** The chat now stands at `head`: in small chats each member's row says so. */
  advance(head: number, at: number): void {
    if (this.#row.large) return;
    for (const member of this.members.values()) {
      member.inbox.head = head;
      member.inbox.at = at;
      this.#touched.set(member.user, member);
    }
  }

  /**
   * Moves a device's and its user's cursors forward; false when nothing moved. Claims beyond `head` are cut to it: a
   * receipt never says what cannot have happened.
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
      if (has > 0) {
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
    if (moved) this.#touched.set(user, member);
    return moved;
  }

  get dirty(): boolean {
    return this.#rowTouched || this.#touched.size > 0;
  }

  /** Adds the writes of all that changed since the last call. */
  flush(writes: Write[]): void {
    const { chat } = this.info;
    if (this.#rowTouched) writes.push({ key: chatRowKey(chat), value: encodeChat(this.#row) });
    for (const { user, inbox } of this.#touched.values()) {
      writes.push({ key: inboxKey(user, chat), value: encodeInbox(inbox) });
    }
    this.#rowTouched = false;
    this.#touched.clear();
    // As they stand in this commit: they may move on while it is in flight, and that is not durable yet.
    for (const [{ user, inbox }, device] of this.#moved) {
      this.#written.push({ user, device, delivered: inbox.delivered, read: inbox.read });
    }
    this.#moved.clear();
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

  /** Fields of the answer to INFO. */
  describe(user: string, head: number): Plain[] {
    const members = [...this.members.values()].map(({ user, role, told }) => [user, role, told.delivered, told.read]);
    return [this.info.kind, nameFor(this.info, user), head, members];
  }

  #join(user: string, role: number, seq: number, stored: Inbox | null): void {
    // Who left a moment ago may not be in the store as gone yet.
    const former = this.#departed.get(user) ?? stored;
    this.#departed.delete(user);
    const spans = former?.spans ?? [];
    // The oldest stay is forgotten: better to hide what one once saw than to show what one never should.
    if (spans.length >= LIMITS.spans) spans.shift();
    const inbox: Inbox = {
      kind: this.info.kind,
      large: this.#row.large,
      head: seq,
      at: former?.at ?? this.#row.created,
      delivered: former?.delivered ?? 0,
      read: former?.read ?? 0,
      spans: [...spans, { from: this.info.kind === CHAT_KIND.direct ? 1 : seq, until: 0 }],
      devices: former?.devices ?? [],
      name: nameFor(this.info, user),
    };
    const member = { user, role, inbox, told: cursorsOf(inbox) };
    this.members.set(user, member);
    this.#touched.set(user, member);
  }

  #leave(user: string, seq: number): void {
    const member = this.members.get(user);
    if (member === undefined) return;
    member.role = ROLE.gone;
    member.inbox.spans[member.inbox.spans.length - 1]!.until = seq;
    member.inbox.head = seq;
    this.members.delete(user);
    this.#departed.set(user, member.inbox);
    if (this.#departed.size > LIMITS.members) this.#departed.delete(this.#departed.keys().next().value!);
    this.#touched.set(user, member);
  }
}

function cursorsOf({ delivered, read }: Inbox): Member['told'] {
  return { delivered, read };
}
