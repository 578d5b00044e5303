// Owns the fake server's other half: what concerns the user's account, marks and changes of chats.
// Invariant: answers as docs/wire.md says; what it counts is counted from the rows at the moment of asking.
// Must not: check rights; tests refuse what they want refused.

import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { type ClientFrame, MARK_OP, OP, type Plain, type ServerFrame } from '../../transport/frames.js';
import type { FakeChat, FakeConnection, FakeServer } from './fake-server.js';

interface FakeMarks {
  version: number;
  muted: number;
  pinned: number;
  archived: boolean;
  unread: boolean;
  cleared: number;
  hidden: number[];
}

export class FakeAccount {
  readonly #server: FakeServer;
  readonly #marks = new Map<FakeChat, FakeMarks>();
  #version = 0;
  readonly blocked = new Set<string>();
  readonly profiles = new Map<string, readonly [version: number, ...rest: Plain[]]>();
  devices: Plain[] = [['phone', '', 1, 2, 1]];
  audience = 0;
  invite = new Uint8Array(32).fill(0xfb);
  inviteMode = 1;
  /** The next JOIN is for this chat. */
  joining: FakeChat | undefined;
  joinState = 1;
  receipts: readonly Plain[] = [1, 0, [['bob', 1]], [['phone', 1]]];
  /** Whether LIST counts, as an older server does not. */
  counts = true;

  constructor(server: FakeServer) {
    this.#server = server;
  }

  handle(connection: Pick<FakeConnection, 'send'>, frame: ClientFrame): void {
    const results = this.#answer(frame);
    if (results !== undefined && 'r' in frame) connection.send({ type: 41, r: frame.r, results });
  }

  /** The user's number of unread messages, as LIST tells it. */
  unread(chat: FakeChat): number {
    const { cleared, hidden } = this.marks(chat);
    const unread = chat.rows.filter(({ from, op }, i) => {
      return (
        i + 1 > Math.max(chat.read, cleared) &&
        from !== this.#server.user &&
        op === undefined &&
        !hidden.includes(i + 1)
      );
    });
    return Math.min(1_000, unread.length);
  }

  marks(chat: FakeChat): FakeMarks {
    const none = { version: 0, muted: 0, pinned: 0, archived: false, unread: false, cleared: 0, hidden: [] };
    return this.#marks.get(chat) ?? none;
  }

  /** The user reads on another device. */
  read(chat: FakeChat, seq: number): void {
    chat.read = Math.max(chat.read, Math.min(seq, chat.rows.length));
    const { user } = this.#server;
    this.#tell({ type: 36, chat: chat.id, user, delivered: chat.read, read: chat.read });
  }

  /** The user sets a mark, by default on another device. `lost`: the push of it is. */
  mark(chat: FakeChat, op: number, value: number, seqs: readonly number[] = [], lost = false): FakeMarks {
    const before = this.marks(chat);
    const marks = { ...before };
    if (op === MARK_OP.muted) marks.muted = value;
    else if (op === MARK_OP.pinned) marks.pinned = value;
    else if (op === MARK_OP.archived) marks.archived = value !== 0;
    else if (op === MARK_OP.unread) marks.unread = value !== 0;
    else if (op === MARK_OP.cleared) marks.cleared = Math.max(marks.cleared, value);
    else marks.hidden = [...new Set([...marks.hidden, ...seqs])];
    marks.hidden = marks.hidden.filter((seq) => seq > marks.cleared);
    if (isDeepStrictEqual(marks, before)) return before;
    marks.version = ++this.#version;
    this.#marks.set(chat, marks);
    if (!lost) this.#tell({ type: 53, chat: chat.id, ...marks });
    return marks;
  }

  #tell(frame: ServerFrame): void {
    for (const connection of this.#server.connections) if (connection.open && connection.synced) connection.send(frame);
  }

  #answer(frame: ClientFrame): readonly Plain[] | undefined {
    const server = this.#server;
    switch (frame.type) {
      case 4: {
        const chat = this.#chat(frame.chat);
        chat.read = Math.max(chat.read, Math.min(frame.seq, chat.rows.length));
        return undefined;
      }
      case 8: {
        const chat = server.chat(frame.title, 2);
        return [chat.id, server.event(chat, OP.created, [frame.title, frame.users], server.user, frame.id)];
      }
      case 9: {
        const users = frame.users.length === 0 ? [] : [frame.users];
        return [server.event(this.#chat(frame.chat), frame.op, [...users, ...frame.args], server.user, frame.id)];
      }
      case 11:
        return this.#list(frame.after, frame.limit);
      case 17:
        return [this.inviteMode, this.inviteMode === 0 ? new Uint8Array(0) : this.invite];
      case 18:
        return this.#join(frame.id);
      case 19:
        return this.receipts;
      case 20:
        return [this.devices];
      case 21:
        return [];
      case 22: {
        const profile = this.profiles.get(frame.user) ?? [0];
        return profile[0] === frame.version ? [frame.version] : profile;
      }
      case 23: {
        const version = (this.profiles.get(server.user)?.[0] ?? 0) + 1;
        this.profiles.set(server.user, [version, frame.name, frame.avatar, frame.about, frame.fields]);
        return [version];
      }
      case 24:
        this.audience = frame.audience ?? this.audience;
        return [this.audience];
      case 25:
        if (frame.on) this.blocked.add(frame.user);
        else this.blocked.delete(frame.user);
        return [];
      case 26:
        return [[...this.blocked]];
      case 27:
        return [this.mark(this.#chat(frame.chat), frame.op, frame.value, frame.seqs).version];
      case 28: {
        const rows = [...this.#marks].filter(([, { version }]) => version > frame.since);
        rows.sort(([, a], [, b]) => a.version - b.version);
        const page = rows.slice(0, frame.limit).map(([chat, marks]) => [chat.id, ...resultsOf(marks)]);
        return [page, rows.length > page.length ? 1 : 0];
      }
      default:
        return undefined;
    }
  }

  #list(after: Uint8Array | null, limit: number): readonly Plain[] {
    const rows = this.#server.chats
      .filter(({ rows, id }) => rows.length > 0 && (after === null || Buffer.compare(id, after) > 0))
      .map((chat) => {
        const head = chat.rows.length;
        const row = [chat.id, chat.kind, chat.name, head, head, chat.read];
        return this.counts ? [...row, 1_000 + head, this.unread(chat), 0, 0, 0, 0, ''] : row;
      });
    return [rows.slice(0, limit), rows.length > limit ? 1 : 0];
  }

  #join(id: Uint8Array): readonly Plain[] {
    const chat = this.joining;
    assert.ok(chat);
    const server = this.#server;
    if (this.joinState === 2) return [chat.id, server.event(chat, OP.asked, [], server.user, id), 2];
    chat.start = chat.rows.length + 1;
    return [chat.id, server.event(chat, OP.joined, [], server.user, id), 1];
  }

  #chat(ref: Uint8Array | number): FakeChat {
    const chat = this.#server.find(ref);
    assert.ok(chat, 'a chat that the client cannot know');
    return chat;
  }
}

function resultsOf({ version, muted, pinned, archived, unread, cleared, hidden }: FakeMarks): readonly Plain[] {
  return [version, muted, pinned, Number(archived), Number(unread), cleared, hidden];
}
