// Owns reading a chat's durable state back into memory, when its actor wakes or after a failed append.
// Invariant: what it returns is one durable point of the chat; nothing in it is newer than what senders were told, or it
// was committed and will be told to them on their retry.
// Must not: change anything.

import {
  chatRowKey,
  getNumber,
  idRange,
  inboxKey,
  messageKey,
  NUMBER_BYTES,
  putNumber,
  seqOf,
} from '../storage/keys.js';
import { type ChatRow, decodeChat, decodeInbox, type Inbox } from '../storage/rows.js';
import type { Store } from '../storage/store.js';
import { assert } from './errors.js';
import { LIMITS } from './limits.js';
import { idText } from './message-id.js';
import { type Known, RecentIds } from './recent-ids.js';

/** Highest sequence number there can be, for range ends. */
export const SEQ_END = 2 ** 48 - 1;

export interface ChatImage {
  /** Null: the chat was never made. */
  readonly row: ChatRow | null;
  readonly head: number;
  readonly recent: RecentIds;
  /** Views of the present members. */
  readonly inboxes: ReadonlyMap<string, Inbox>;
}

/** Number of the newest entry in a chat's log; 0 when it is empty. */
export async function readHead(store: Store, chat: Uint8Array): Promise<number> {
  const range = { start: messageKey(chat, 0), end: messageKey(chat, SEQ_END), limit: 1, reverse: true };
  const newest = (await store.range(range)).rows[0];
  return newest === undefined ? 0 : seqOf(newest.key);
}

/** Whose message a stored id is, and its number; undefined when the chat never stored it. */
export function decodeKnown(value: Uint8Array): Known {
  return { seq: getNumber(value, 0), from: Buffer.from(value).toString('utf8', NUMBER_BYTES) };
}

export function encodeKnown(known: Known): Uint8Array {
  const value = Buffer.allocUnsafe(NUMBER_BYTES + Buffer.byteLength(known.from));
  putNumber(value, 0, known.seq);
  value.write(known.from, NUMBER_BYTES);
  return value;
}

/** The users' views of the chat, of those who have one. */
export async function readViews(
  store: Store,
  chat: Uint8Array,
  users: readonly string[],
): Promise<ReadonlyMap<string, Inbox>> {
  const rows = await Promise.all(users.map((user) => store.get(inboxKey(user, chat))));
  const views = new Map<string, Inbox>();
  for (const [at, row] of rows.entries()) if (row !== undefined) views.set(users[at]!, decodeInbox(row));
  return views;
}

/** Reads the chat. Rejects when the store cannot. */
export async function readChat(store: Store, chat: Uint8Array): Promise<ChatImage> {
  const [stored, head, ids] = await Promise.all([
    store.get(chatRowKey(chat)),
    readHead(store, chat),
    store.range({ ...idRange(chat), limit: LIMITS.recentIds, reverse: true }),
  ]);
  const row = stored === undefined ? null : decodeChat(stored);
  const users = row === null ? [] : row.members.map((member) => member.user);
  const inboxes = await readViews(store, chat, users);
  assert(inboxes.size === users.length, 'a member has an inbox row');
  const newest = ids.rows.map(({ key, value }) => [idText(key.subarray(17)), decodeKnown(value)] as const);
  return { row, head, recent: new RecentIds(newest, !ids.more), inboxes };
}
