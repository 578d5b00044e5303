// Owns the bytes of stored rows other than messages: inbox rows, chat rows, dirty sets.
// Invariant: every row starts with a version byte and only gains trailing fields, so builds of two versions read each
// other's rows; decoding what encoding made gives the same value.
// Must not: read or write a store, or know the keys.
//
// Inbox row, the hot one (one per member and batch), has fixed places for what changes with each message:
//
//    0        1     2      3       9      15          21      27     28
//   +--------+-----+------+-------+------+-----------+-------+------+----------------+---------------+--------+-----
//   | ver. 1 | kind| flags| head·6| at·6 | delivered·6| read·6| spans| (from·6 until·6)*| devices·1 …   | name   | …
//   +--------+-----+------+-------+------+-----------+-------+------+----------------+---------------+--------+-----

import { pack } from 'msgpackr';
import { assert, assertRow } from '../actors/errors.js';
import { CHAT_KIND, INVITE_MODE } from '../transport/frames.js';
import { getNumber, NUMBER_BYTES, putNumber } from './keys.js';
import { readFlag, readList, readNumber, readPair, readRow, readText, textIn } from './row-reader.js';

const VERSION = 1;

/** From `from` to `until`, both visible; `until` 0: still a member. */
export interface Span {
  from: number;
  until: number;
}

/** How far one device of the user has the chat. */
export interface DeviceCursor {
  readonly device: string;
  delivered: number;
}

/** A user's view of one chat: where the chat stands, what the user may see, how far the user is. */
export interface Inbox {
  kind: number;
  /** The chat is read from its own log: `head` here is only that of the last change of membership. */
  large: boolean;
  /** The chat is lively: its own log says where it stands, `head` and `at` are from when it last came to rest. */
  hot: boolean;
  /** The user has written in this direct chat: the other is a contact. Always false in groups. */
  wrote: boolean;
  head: number;
  /** Wall ms of the newest message. */
  at: number;
  delivered: number;
  read: number;
  spans: Span[];
  devices: DeviceCursor[];
  /** The other user of a direct chat, the title of a group. */
  name: string;
}

const FLAG_LARGE = 1;
const FLAG_HOT = 2;
const FLAG_WROTE = 4;

/** Encoded inbox row. Throws on a broken invariant only. */
export function encodeInbox(inbox: Inbox): Uint8Array {
  let size = 29 + inbox.spans.length * 2 * NUMBER_BYTES + 2 + Buffer.byteLength(inbox.name);
  for (const cursor of inbox.devices) size += 1 + Buffer.byteLength(cursor.device) + NUMBER_BYTES;
  const row = Buffer.allocUnsafe(size);
  row[0] = VERSION;
  row[1] = inbox.kind;
  row[2] = (inbox.large ? FLAG_LARGE : 0) | (inbox.hot ? FLAG_HOT : 0) | (inbox.wrote ? FLAG_WROTE : 0);
  putNumber(row, 3, inbox.head);
  putNumber(row, 9, inbox.at);
  putNumber(row, 15, inbox.delivered);
  putNumber(row, 21, inbox.read);
  let at = 27;
  row[at++] = inbox.spans.length;
  for (const span of inbox.spans) at = putNumber(row, putNumber(row, at, span.from), span.until);
  row[at++] = inbox.devices.length;
  for (const cursor of inbox.devices) {
    const length = row.write(cursor.device, at + 1);
    row[at] = length;
    at = putNumber(row, at + 1 + length, cursor.delivered);
  }
  const named = row.write(inbox.name, at + 2);
  row.writeUInt16BE(named, at);
  assert(at + 2 + named === size, 'inbox row size');
  return row;
}

export function decodeInbox(bytes: Uint8Array): Inbox {
  const row = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  assertRow(row.length >= 31 && row[0]! >= VERSION, 'no inbox row of a known version');
  const kind = row[1]!;
  assertRow(isKind(kind), 'an inbox row of no known kind');
  const spans: Span[] = [];
  let at = 28;
  for (let n = row[27]!; n > 0; n -= 1, at += 2 * NUMBER_BYTES) {
    spans.push({ from: getNumber(row, at), until: getNumber(row, at + NUMBER_BYTES) });
  }
  const devices: DeviceCursor[] = [];
  assertRow(at < row.length, 'inbox row cut short');
  for (let n = row[at++]!; n > 0; n -= 1) {
    assertRow(at < row.length, 'inbox row cut short');
    const end = at + 1 + row[at]!;
    devices.push({ device: textIn(row, at + 1, end), delivered: getNumber(row, end) });
    at = end + NUMBER_BYTES;
  }
  assertRow(at + 2 <= row.length, 'inbox row cut short');
  const length = row.readUInt16BE(at);
  return {
    kind,
    large: (row[2]! & FLAG_LARGE) !== 0,
    hot: (row[2]! & FLAG_HOT) !== 0,
    wrote: (row[2]! & FLAG_WROTE) !== 0,
    head: getNumber(row, 3),
    at: getNumber(row, 9),
    delivered: getNumber(row, 15),
    read: getNumber(row, 21),
    spans,
    devices,
    name: textIn(row, at + 2, at + 2 + length),
  };
}

function isKind(kind: number): boolean {
  return kind === CHAT_KIND.direct || kind === CHAT_KIND.group;
}

/** What a chat's members have set. */
export interface ChatSettings {
  /** Of a group; '' for a direct chat. */
  title: string;
  /** Reference of a group's picture; '' none. */
  avatar: string;
  /** Only owner and admins send. */
  announce: boolean;
  /** s after which an entry ends; 0 never. */
  expiry: number;
  /** INVITE_MODE of the link. */
  invite: number;
  /** What the link has beside the chat's id; empty without a link. */
  secret: Uint8Array;
  /** Users who asked to join by a link with approval, in order of asking. */
  waiting: readonly string[];
}

/** Of a chat where nothing was set. */
export const UNSET: Readonly<ChatSettings> = {
  title: '',
  avatar: '',
  announce: false,
  expiry: 0,
  invite: INVITE_MODE.none,
  secret: new Uint8Array(0),
  waiting: [],
};

/** What a chat is, apart from its messages. */
export interface ChatRow extends ChatSettings {
  kind: number;
  /** Wall ms. */
  created: number;
  large: boolean;
  /** Present members with their roles, in order of joining. */
  members: { user: string; role: number }[];
}

type ChatFields = [
  version: number,
  kind: number,
  created: number,
  title: string,
  large: boolean,
  members: [user: string, role: number][],
  avatar?: string,
  announce?: boolean,
  expiry?: number,
  invite?: number,
  secret?: Uint8Array,
  waiting?: string[],
];

export function encodeChat(chat: ChatRow): Uint8Array {
  const { kind, created, title, large, avatar, announce, expiry, invite, secret, waiting } = chat;
  const members = chat.members.map(({ user, role }): [string, number] => [user, role]);
  const fields: ChatFields = [VERSION, kind, created, title, large, members, avatar, announce, expiry, invite, secret];
  fields.push([...waiting]);
  return pack(fields);
}

export function decodeChat(bytes: Uint8Array): ChatRow {
  const row = readRow(bytes, 'chat row', [6, 12], (r, count) => ({
    kind: r.uint(),
    created: r.uint(),
    title: r.str(),
    large: readFlag(r),
    members: readList(r, (each) => {
      const [user, role] = readPair(each, readText, readNumber);
      return { user, role };
    }),
    avatar: count > 6 ? r.str() : UNSET.avatar,
    announce: count > 7 ? readFlag(r) : UNSET.announce,
    expiry: count > 8 ? r.uint() : UNSET.expiry,
    invite: count > 9 ? r.uint() : UNSET.invite,
    secret: count > 10 ? r.bin() : UNSET.secret,
    waiting: count > 11 ? readList(r, readText) : UNSET.waiting,
  }));
  assertRow(isKind(row.kind), 'a chat row of no known kind');
  return row;
}

/** The reference of a chat's picture; the rest of its row, which may name a thousand members, is only passed over. */
export function decodeAvatar(bytes: Uint8Array): string {
  return readRow(bytes, 'chat row', [6, 7], (r, count) => {
    r.skip(5, 1);
    return count > 6 ? r.str() : UNSET.avatar;
  });
}

/** A chat whose news some member may not have been told, with the head that it reached. */
export interface DirtyChat {
  readonly chat: Uint8Array;
  readonly head: number;
}

/** What a shard's next owner must tell online members. */
export interface DirtySet {
  readonly chats: readonly DirtyChat[];
  /** There were others, which are not named. */
  readonly more: boolean;
}

const DIRTY_BYTES = 16 + NUMBER_BYTES;
const FLAG_MORE = 1;
/** From here on a byte of flags follows the chats. Without it one that was cut off would not be missed. */
const FLAGGED = VERSION + 1;

/** Chats one after the other, then a byte of flags. */
export function encodeDirty({ chats, more }: DirtySet): Uint8Array {
  const row = new Uint8Array(2 + chats.length * DIRTY_BYTES);
  row[0] = FLAGGED;
  let at = 1;
  for (const { chat, head } of chats) {
    row.set(chat, at);
    at = putNumber(row, at + 16, head);
  }
  row[at] = more ? FLAG_MORE : 0;
  return row;
}

export function decodeDirty(row: Uint8Array): DirtySet {
  assertRow(row.length >= 1 && row[0]! >= VERSION, 'no dirty set of a known version');
  const rest = (row.length - 1) % DIRTY_BYTES;
  assertRow(row[0]! > FLAGGED || rest === row[0]! - VERSION, 'dirty set cut short');
  const chats: DirtyChat[] = [];
  for (let at = 1; at + DIRTY_BYTES <= row.length; at += DIRTY_BYTES) {
    chats.push({ chat: row.slice(at, at + 16), head: getNumber(row, at + 16) });
  }
  return { chats, more: rest > 0 && (row[row.length - rest]! & FLAG_MORE) !== 0 };
}
