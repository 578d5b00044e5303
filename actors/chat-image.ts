// Owns reading a chat's durable state back into memory, when its actor wakes or after a failed append.
// Invariant: what it returns is one durable point of the chat; nothing in it is newer than what senders were told, or it
// was committed and will be told to them on their retry.
// Must not: change anything.

import { decodeIdPage, findOnPages, lastOn } from '../storage/id-page.js';
import {
  chatRowKey,
  getNumber,
  idKey,
  idPageRange,
  idPageTime,
  inboxKey,
  messageKey,
  NUMBER_BYTES,
  putNumber,
  seqOf,
  sweepKey,
} from '../storage/keys.js';
import { textIn } from '../storage/row-reader.js';
import { type ChatRow, decodeChat, decodeInbox, type Inbox } from '../storage/rows.js';
import type { Reader, Store } from '../storage/store.js';
import { decodeSweep, type SweepRow } from '../storage/sweep-row.js';
import { CHAT_KIND } from '../transport/frames.js';
import { decodeRow, rowSender } from '../transport/row.js';
import { readBlockers } from './blocks.js';
import { shrunk } from './buggify.js';
import { assert, assertRow } from './errors.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import { idText, idTime } from './message-id.js';
import { type Known, RecentIds } from './recent-ids.js';

/** Highest sequence number there can be, for range ends. */
export const SEQ_END = 2 ** 48 - 1;

export interface ChatImage {
  /** Null: the chat was never made. */
  readonly row: ChatRow | null;
  readonly head: number;
  readonly recent: RecentIds;
  /** Wall ms of the newest message's acceptance. */
  readonly clock: number;
  readonly sweep: SweepRow;
  /** Those of a direct chat's users who block the other. */
  readonly blockers: readonly string[];
  /** When that was read (Fabric.heard). */
  readonly heard: number;
  /** Views of the present members. */
  readonly inboxes: ReadonlyMap<string, Inbox>;
}

/** Number of the newest entry in a chat's log; 0 when it is empty. */
export async function readHead(store: Reader, chat: Uint8Array): Promise<number> {
  const range = { start: messageKey(chat, 0), end: messageKey(chat, SEQ_END), limit: 1, reverse: true };
  const newest = (await store.range(range)).rows[0];
  return newest === undefined ? 0 : seqOf(newest.key);
}

function decodeKnown(value: Uint8Array): Known {
  return { seq: getNumber(value, 0), from: textIn(Buffer.from(value), NUMBER_BYTES, value.length) };
}

export function encodeKnown(known: Known): Uint8Array {
  const value = Buffer.allocUnsafe(NUMBER_BYTES + Buffer.byteLength(known.from));
  putNumber(value, 0, known.seq);
  value.write(known.from, NUMBER_BYTES);
  return value;
}

type Home = Pick<Fabric, 'store' | 'world' | 'heard'>;

/** The users' views of the chat, of those who have one. */
async function readViews(
  { store, world }: Home,
  chat: Uint8Array,
  users: readonly string[],
): Promise<ReadonlyMap<string, Inbox>> {
  const views = new Map<string, Inbox>();
  const portion = shrunk(world, 'wake', LIMITS.viewsRead, 1);
  for (let at = 0; at < users.length; at += portion) {
    // Many groups may wake at once: the event loop has its turn between some rows of each.
    if (at > 0) await new Promise<void>((resolve) => world.defer(resolve));
    const some = users.slice(at, at + portion);
    const rows = await Promise.all(some.map((user) => store.get(inboxKey(user, chat))));
    for (const [place, row] of rows.entries()) if (row !== undefined) views.set(some[place]!, decodeInbox(row));
  }
  return views;
}

/** The number that an id got, and whose message it is; undefined when the chat never stored it. */
export async function findStored(store: Store, chat: Uint8Array, id: Uint8Array): Promise<Known | undefined> {
  const odd = await store.get(idKey(chat, id));
  if (odd !== undefined) return decodeKnown(odd);
  const seq = await findOnPages(store, chat, idText(id), idTime(id));
  if (seq === undefined) return undefined;
  const row = await store.get(messageKey(chat, seq));
  return { seq, from: row === undefined ? '' : rowSender(row) };
}

interface Recent {
  /** Ids since the last page. */
  readonly recent: RecentIds;
  /** Number of the last message on a page. */
  readonly paged: number;
  /** When the chat last accepted a message, wall ms; 0 never. */
  readonly clock: number;
}

async function readRecent({ store, world }: Home, chat: Uint8Array): Promise<Recent> {
  const last = (await store.range({ ...idPageRange(chat, 0), limit: 1, reverse: true })).rows[0];
  const page = last === undefined ? null : decodeIdPage(last.value);
  const paged = page === null ? 0 : lastOn(page);
  const recent = new RecentIds(page?.highest ?? '', paged, shrunk(world, 'id page', LIMITS.idPage, 2));
  let clock = last === undefined ? 0 : idPageTime(last.key);
  let next = paged + 1;
  for (;;) {
    const range = { start: messageKey(chat, next), end: messageKey(chat, SEQ_END), limit: LIMITS.pageRows };
    const { rows, more } = await store.range({ ...range, maxBytes: LIMITS.pageBytes });
    for (const { key, value } of rows) {
      const { from, id, lag } = decodeRow(value);
      recent.add(idText(id), { seq: seqOf(key), from });
      clock = Math.max(clock, idTime(id) + lag);
      next = seqOf(key) + 1;
    }
    if (!more) return { recent, clock, paged };
  }
}

/** Reads the chat. Rejects when the store cannot, or holds a damaged row. */
export async function readChat(home: Home, chat: Uint8Array): Promise<ChatImage> {
  const { store } = home;
  const [stored, swept, head, { recent, clock, paged }] = await Promise.all([
    store.get(chatRowKey(chat)),
    store.get(sweepKey(chat)),
    readHead(store, chat),
    readRecent(home, chat),
  ]);
  const row = stored === undefined ? null : decodeChat(stored);
  const sweep = decodeSweep(swept);
  assertRow(sweep.swept <= head, 'a sweep row is ahead of its log');
  assertRow(paged <= head, 'an id page is ahead of its log');
  const users = row === null ? [] : row.members.map((member) => member.user);
  const pair: [string, string] | null = row?.kind === CHAT_KIND.direct ? [users[0]!, users[users.length - 1]!] : null;
  // Before: what is lost while it is read counts as lost after it.
  const heard = pair === null ? 0 : home.heard(pair);
  const [inboxes, blockers] = await Promise.all([
    readViews(home, chat, users),
    pair === null ? [] : readBlockers(store, pair),
  ]);
  assert(inboxes.size === users.length, 'a member has an inbox row');
  return { row, head, recent, clock, sweep, inboxes, blockers, heard };
}
