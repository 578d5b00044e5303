// Owns the reading of a resume: for every chat that a user is or was in, where its log stands beside what the client has.
// Invariant: read after the connection was registered with its user, so a later message comes as a delivery; only spans
// that the user may see are counted.
// Must not: send, or keep anything.

import { chatKey, chatOfInbox, inboxRange, messageKey, seqOf } from '../storage/keys.js';
import { decodeInbox, type Span } from '../storage/rows.js';
import type { Reader } from '../storage/store.js';
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
      const spans = uncleared(inbox.spans, marks(key).cleared);
      const left = leftAt(inbox.spans);
      const head = left ?? (inbox.large || inbox.hot ? await readHead(store, after) : inbox.head);
      const has = entry?.seq ?? 0;
      const missed = entry === undefined ? backfill : 0;
      const known = inbox.devices.find((cursor) => cursor.device === device)?.delivered ?? 0;
      const news =
        entry !== undefined && left === null && (Math.min(has, head) > known || Math.min(entry.read, head) > inbox.read)
          ? { delivered: has, read: entry.read }
          : null;
      certificates.push({
        chat: after,
        key,
        kind: inbox.kind,
        name: inbox.name,
        large: inbox.large,
        head,
        start: await firstStored(store, after, spans, startOf(spans, has, head, missed), head),
        listed: entry !== undefined,
        news,
        wantsReceipts: entry !== undefined && (entry.flags & 1) !== 0,
      });
    }
    if (!page.more) break;
  }
  return { certificates, vector, unknown: Int32Array.from(found.keys()).filter((place) => found[place] === 0) };
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
