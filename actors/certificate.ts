// Owns the reading of a resume: for every chat that a user is or was in, where its log stands beside what the client has.
// Invariant: read after the connection was registered with its user, so a later message comes as a delivery; only spans
// that the user may see are counted.
// Must not: send, or keep anything.

import { chatKey, chatOfInbox, inboxKey, inboxRange, messageKey, seqOf } from '../storage/keys.js';
import { decodeInbox, type Inbox, type Span } from '../storage/rows.js';
import type { Reader } from '../storage/store.js';
import { CHAT_KIND } from '../transport/frames.js';
import { readHead } from './chat-image.js';
import { LIMITS } from './limits.js';
import { readMarksOf } from './marks.js';
import type { Vector } from './vector.js';
import { leftAt, uncleared, visibleFrom } from './visibility.js';

export interface Certificate {
  readonly chat: Uint8Array;
  readonly key: string;
  readonly kind: number;
  readonly name: string;
  /** Its members are told tallies, not receipts. */
  readonly large: boolean;
  readonly head: number;
  /** First number that will be streamed; head + 1: none. */
  readonly start: number;
  /** The client listed the chat. */
  readonly listed: boolean;
  /** The client's cursors, where the store has lower ones; null where there is nothing to tell. */
  readonly news: { readonly delivered: number; readonly read: number } | null;
  readonly wantsReceipts: boolean;
}

/** What a chat is told after a SYNC. */
export type Owed = Pick<Certificate, 'key' | 'kind' | 'large' | 'news' | 'wantsReceipts'>;

/** What a vector is answered with. */
export interface Inventory {
  /** Of all chats that the user is or was in, in order of chat id. */
  readonly certificates: readonly Certificate[];
  readonly vector: Vector;
  /** Places in the vector of chats that the user never was in. */
  readonly unknown: Int32Array;
}

/** Reads the certificates of all chats of `user`. Rejects when the store cannot be read. */
export async function readCertificates(
  store: Reader,
  user: string,
  device: string,
  vector: Vector,
  backfill: number,
): Promise<Inventory> {
  const certificates: Certificate[] = [];
  const found = new Uint8Array(vector.size);
  let after: Uint8Array | null = null;
  for (;;) {
    const page = await store.range({ ...inboxRange(user, after), limit: LIMITS.inboxRows });
    const marks = await readMarksOf(store, user, page.rows);
    for (const row of page.rows) {
      after = chatOfInbox(row.key);
      const inbox = decodeInbox(row.value);
      const key = chatKey(after);
      const place = vector.find(after);
      const entry = place < 0 ? undefined : vector.at(place);
      if (place >= 0) found[place] = 1;
      const { head, left, stays } = await whereabouts(store, user, after, inbox);
      const spans = uncleared(stays, marks(key).cleared);
      const has = entry?.seq ?? 0;
      const missed = entry === undefined ? backfill : 0;
      const known = inbox.devices.find((cursor) => cursor.device === device)?.delivered ?? 0;
      // Of who left only what he has read counts, for his own list.
      const further = Math.min(entry?.read ?? 0, head) > inbox.read || (left === null && Math.min(has, head) > known);
      const news = entry !== undefined && further ? { delivered: has, read: entry.read } : null;
      const start = await firstStored(store, after, spans, startOf(spans, has, head, missed), head);
      certificates.push({
        chat: after,
        key,
        kind: inbox.kind,
        name: inbox.name,
        large: inbox.large,
        head,
        start,
        listed: entry !== undefined,
        news,
        // Who does not know the chat cannot ask: what its user wrote there is on its way.
        wantsReceipts: entry === undefined ? left === null && inbox.wrote && start <= head : (entry.flags & 1) !== 0,
      });
    }
    if (!page.more) break;
  }
  return { certificates, vector, unknown: Int32Array.from(found.keys()).filter((place) => found[place] === 0) };
}

interface Whereabouts {
  readonly head: number;
  /** Null: still a member. */
  readonly left: number | null;
  readonly stays: readonly Span[];
}

/** Where the chat's log ends for the user. */
async function whereabouts(store: Reader, user: string, chat: Uint8Array, inbox: Inbox): Promise<Whereabouts> {
  const left = leftAt(inbox.spans);
  if (left !== null || !(inbox.large || inbox.hot)) return { head: left ?? inbox.head, left, stays: inbox.spans };
  const head = await readHead(store, chat);
  if (inbox.kind !== CHAT_KIND.group) return { head, left, stays: inbox.spans };
  // The user may have left meanwhile, and the newest may have come after that: his row, asked last, knows.
  const stored = await store.get(inboxKey(user, chat));
  const stays = stored === undefined ? inbox.spans : decodeInbox(stored).spans;
  const until = leftAt(stays);
  return { head: until ?? head, left: until, stays };
}

/** The first of the entries from `start` on that is still stored; what has ended before it is not coming. */
async function firstStored(
  store: Reader,
  chat: Uint8Array,
  spans: readonly Span[],
  start: number,
  head: number,
): Promise<number> {
  for (let from = start; from <= head; ) {
    const visible = visibleFrom(spans, from);
    if (visible === null || visible.from > head) break;
    const until = Math.min(visible.until, head);
    const range = { start: messageKey(chat, visible.from), end: messageKey(chat, until + 1), limit: 1 };
    const [row] = (await store.range(range)).rows;
    if (row !== undefined) return seqOf(row.key);
    from = until + 1;
  }
  return head + 1;
}

function startOf(spans: readonly Span[], has: number, head: number, backfill: number): number {
  const wanted = backfill > 0 ? Math.max(has + 1, head - backfill + 1) : has + 1;
  const visible = visibleFrom(spans, wanted);
  return visible === null || visible.from > head ? head + 1 : visible.from;
}
