// Owns the key layout: every kind of row, its key and its value, in one place.
// Invariant: keys sort so that each question is one range read; tags never change meaning; values only gain trailing bytes.
// Must not: read or write a store.
//
//   tag   key                        value                                                written
//   ----  -------------------------  ---------------------------------------------------  -----------------------------
//   0x01  chat·16  seq·6             message or event row (transport/row.ts)              once, with its append
//   0x02  chat·16  id·16             seq·6, then the sender's user id                     with an append whose clock is far off
//   0x03  chat·16                    chat row: kind, title, members and roles (rows.ts)   on creation and member changes
//   0x04  user 00  chat·16           inbox row: a user's view of a chat (rows.ts)         when a chat gets lively or rests; receipts, changes
//   0x05  user 00  device            device row (account-rows.ts)                         when it comes, goes, is named or removed
//   0x06  user                       last seen, wall ms·6                                 when the last device leaves
//   0x07  shard·2                    grant: epoch·6, then the owner's node id             on a change of owner
//   0x08  shard·2                    dirty set: chats not told of for sure (rows.ts)       with every group commit
//   0x09  chat·16  time·6  seq·6     id page: ids of a run of messages (id-page.ts)       every 64 messages, with an append
//   0x0a  user                       account row: counters, privacy (account-rows.ts)     with every change below
//   0x0b  user 00  chat·16           marks row: a user's own state of a chat              when its user changes it
//   0x0c  user 00  other             block: wall ms·6                                     while `user` blocks `other`
//   0x0d  user 00  version·6         chat·16 whose marks have that version                with its marks row
//   0x0e  user                       profile row (account-rows.ts)                        when its user changes it
//   0x0f  chat·16                    sweep row: how far the log is emptied (sweep-row.ts)  with every sweep
//   0x10  node id                    node row: incarnation, beat, addresses (cluster-rows.ts)  with every beat of a node
//   0x11                             view: number·6 (cluster-rows.ts)                     when a node joins, leaves, is evicted
//   0x12                             charter: proof of the cluster's secret (cluster-rows.ts)  by the first node that joins
//   0xff  'weft-format'              format version of the store                          by the engine
//
// A user id holds no control characters, so the 00 after it ends it without ambiguity and keeps prefixes apart.

import { createHash } from 'node:crypto';
import { assert, assertRow } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import { CHAT_KIND } from '../transport/frames.js';

/** Those of 0x07, 0x08 and from 0x10 on are in cluster-keys.ts. */
const TAG = {
  message: 1,
  id: 2,
  chat: 3,
  inbox: 4,
  device: 5,
  seen: 6,
  idPage: 9,
  account: 10,
  marks: 11,
  block: 12,
  markOrder: 13,
  profile: 14,
  sweep: 15,
} as const;

/** Bytes of a stored number: 2⁴⁸ messages a chat, and ms until the year 10889. */
export const NUMBER_BYTES = 6;
/** The highest stored number. */
const HIGHEST = 2 ** 48 - 1;

export function putNumber(into: Uint8Array, at: number, value: number): number {
  // One more would be written as 0, and be found as the first of all.
  assert(value >= 0 && value <= HIGHEST, 'a stored number fits');
  const high = Math.floor(value / 0x1_0000_0000);
  into[at] = high >>> 8;
  into[at + 1] = high;
  into[at + 2] = value >>> 24;
  into[at + 3] = value >>> 16;
  into[at + 4] = value >>> 8;
  into[at + 5] = value;
  return at + NUMBER_BYTES;
}

export function getNumber(from: Uint8Array, at: number): number {
  assertRow(at + NUMBER_BYTES <= from.length, 'a stored number is cut short');
  const high = from[at]! * 0x100 + from[at + 1]!;
  const low = ((from[at + 2]! << 24) | (from[at + 3]! << 16) | (from[at + 4]! << 8) | from[at + 5]!) >>> 0;
  return high * 0x1_0000_0000 + low;
}

// ---- identities ----

/** Lower-case hex of a chat id: the name of its actor, in maps and for people. */
export function chatKey(chat: Uint8Array): string {
  return Buffer.from(chat.buffer, chat.byteOffset, chat.byteLength).toString('hex');
}

export function chatFromKey(key: string): Uint8Array {
  return Buffer.from(key, 'hex');
}

/** A chat's id says its kind with its first byte, so a chat's actor is chosen before anything is read. */
function derived(kind: number, ...parts: (string | Uint8Array)[]): Uint8Array {
  const hash = createHash('sha256').update(`weft chat ${kind}`);
  for (const part of parts) hash.update('\0').update(part);
  const chat = new Uint8Array(16);
  chat.set(hash.digest().subarray(0, 15), 1);
  chat[0] = kind;
  return chat;
}

/** The direct chat of two users (or of one with oneself): the same id whoever asks, without a lookup. */
export function directChat(a: string, b: string): Uint8Array {
  return a < b ? derived(CHAT_KIND.direct, a, b) : derived(CHAT_KIND.direct, b, a);
}

/** The group that `creator` made with request `id`: a retry names the same group. */
export function groupChat(creator: string, id: Uint8Array): Uint8Array {
  return derived(CHAT_KIND.group, creator, id);
}

/** What stands for a user's own rows in the log: they are appended like a chat's, in one shard and under its grant. */
export function accountId(user: string): Uint8Array {
  return derived(0, user);
}

/** True for a chat's id, false for what stands for a user's rows. */
export function isChat(id: Uint8Array): boolean {
  return id[0] !== 0;
}

/** Shard of a chat. The id is a hash, so two of its bytes spread evenly. */
export function shardOf(chat: Uint8Array): number {
  return ((chat[1]! << 8) | chat[2]!) % LIMITS.shards;
}

/** True for 1 to `limit` bytes of UTF-8 without control characters. */
export function isName(text: string, limit: number): boolean {
  if (text.length === 0 || text.length > limit) return false;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f) return false;
    if (unit > 0x7f) return Buffer.byteLength(text) <= limit && !/[\p{Cc}\p{Cs}]/u.test(text);
  }
  return true;
}

// ---- keys ----

function withChat(tag: number, chat: Uint8Array, extra: number): Uint8Array {
  assert(chat.length === 16, 'chat id of 16 bytes');
  const key = new Uint8Array(17 + extra);
  key[0] = tag;
  key.set(chat, 1);
  return key;
}

function withUser(tag: number, user: string, tail: Uint8Array | null): Uint8Array {
  const name = Buffer.from(user, 'utf8');
  const key = new Uint8Array(1 + name.length + (tail === null ? 0 : 1 + tail.length));
  key[0] = tag;
  key.set(name, 1);
  if (tail !== null) key.set(tail, 2 + name.length);
  return key;
}

export function messageKey(chat: Uint8Array, seq: number): Uint8Array {
  const key = withChat(TAG.message, chat, NUMBER_BYTES);
  putNumber(key, 17, seq);
  return key;
}

/** Sequence number of a message key. */
export function seqOf(key: Uint8Array): number {
  return getNumber(key, 17);
}

export function idKey(chat: Uint8Array, id: Uint8Array): Uint8Array {
  const key = withChat(TAG.id, chat, 16);
  key.set(id, 17);
  return key;
}

/** All ids of a chat that have rows of their own. */
export function idRange(chat: Uint8Array): { start: Uint8Array; end: Uint8Array } {
  return prefixRange(withChat(TAG.id, chat, 0));
}

/** `time`: wall ms at which the page's last message, number `seq`, was accepted. */
export function idPageKey(chat: Uint8Array, time: number, seq: number): Uint8Array {
  const key = withChat(TAG.idPage, chat, 2 * NUMBER_BYTES);
  putNumber(key, putNumber(key, 17, time), seq);
  return key;
}

/** Time of an id page's key. */
export function idPageTime(key: Uint8Array): number {
  return getNumber(key, 17);
}

/** First and end key of a chat's id pages from `time` on. */
export function idPageRange(chat: Uint8Array, time: number): { start: Uint8Array; end: Uint8Array } {
  return { start: idPageKey(chat, time, 0), end: prefixRange(withChat(TAG.idPage, chat, 0)).end };
}

export function chatRowKey(chat: Uint8Array): Uint8Array {
  return withChat(TAG.chat, chat, 0);
}

/** Rows of all chats; `after` skips up to and with that chat. */
export function chatRows(after: Uint8Array | null): { start: Uint8Array; end: Uint8Array } {
  const range = prefixRange(Uint8Array.of(TAG.chat));
  return after === null ? range : { start: successor(chatRowKey(after)), end: range.end };
}

/** Chat id of a chat row's key. */
export function chatOfRow(key: Uint8Array): Uint8Array {
  return key.slice(1);
}

export function sweepKey(chat: Uint8Array): Uint8Array {
  return withChat(TAG.sweep, chat, 0);
}

export function inboxKey(user: string, chat: Uint8Array): Uint8Array {
  return withUser(TAG.inbox, user, chat);
}

/** All chats of a user, in order of chat id; `after` skips up to and with that chat. */
export function inboxRange(user: string, after: Uint8Array | null): { start: Uint8Array; end: Uint8Array } {
  const range = prefixRange(withUser(TAG.inbox, user, new Uint8Array(0)));
  return after === null ? range : { start: successor(inboxKey(user, after)), end: range.end };
}

/** All groups of a user: a chat id begins with its kind. */
export function groupsRange(user: string): { start: Uint8Array; end: Uint8Array } {
  return prefixRange(withUser(TAG.inbox, user, Uint8Array.of(CHAT_KIND.group)));
}

/** Chat id of an inbox key. */
export function chatOfInbox(key: Uint8Array): Uint8Array {
  return key.slice(key.length - 16);
}

export function deviceKey(user: string, device: string): Uint8Array {
  return withUser(TAG.device, user, Buffer.from(device, 'utf8'));
}

/** All devices of a user, the removed ones that are remembered included. */
export function deviceRange(user: string): { start: Uint8Array; end: Uint8Array } {
  return prefixRange(withUser(TAG.device, user, new Uint8Array(0)));
}

/** What follows the user in a key of `user 00 name`. */
export function nameInKey(key: Uint8Array): string {
  const row = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return row.toString('utf8', row.indexOf(0, 1) + 1);
}

export function accountKey(user: string): Uint8Array {
  return withUser(TAG.account, user, null);
}

export function profileKey(user: string): Uint8Array {
  return withUser(TAG.profile, user, null);
}

export function marksKey(user: string, chat: Uint8Array): Uint8Array {
  return withUser(TAG.marks, user, chat);
}

/** `version`: of a mark. */
export function markOrderKey(user: string, version: number): Uint8Array {
  const tail = new Uint8Array(NUMBER_BYTES);
  putNumber(tail, 0, version);
  return withUser(TAG.markOrder, user, tail);
}

/** Version in a key of the order of marks. */
export function versionOf(key: Uint8Array): number {
  return getNumber(key, key.length - NUMBER_BYTES);
}

/** The order of a user's marks above `version`. */
export function markOrderRange(user: string, version: number): { start: Uint8Array; end: Uint8Array } {
  const { end } = prefixRange(withUser(TAG.markOrder, user, new Uint8Array(0)));
  // A client may name any version.
  return { start: successor(markOrderKey(user, Math.min(version, HIGHEST))), end };
}

export function blockKey(user: string, other: string): Uint8Array {
  return withUser(TAG.block, user, Buffer.from(other, 'utf8'));
}

/** All whom a user blocks. */
export function blockRange(user: string): { start: Uint8Array; end: Uint8Array } {
  return prefixRange(withUser(TAG.block, user, new Uint8Array(0)));
}

export function seenKey(user: string): Uint8Array {
  return withUser(TAG.seen, user, null);
}

/** The least key above `key`. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** All keys that begin with `prefix` (whose last byte is below 0xff in every use here or is followed up). */
export function prefixRange(prefix: Uint8Array): { start: Uint8Array; end: Uint8Array } {
  const end = prefix.slice();
  let last = end.length - 1;
  while (last >= 0 && end[last] === 0xff) last -= 1;
  assert(last >= 0, 'prefix with an end');
  end[last]! += 1;
  return { start: prefix, end: end.subarray(0, last + 1) };
}
