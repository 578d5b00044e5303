// Owns HISTORY: the older entries of a chat that its user may see.
// Invariant: nothing outside the user's spans is shown; an answer's size is bounded.
// Must not: go through a chat's actor: reading needs no order, and an old chat should not wake for it.

import { inboxKey, messageKey, seqOf } from '../storage/keys.js';
import { decodeInbox } from '../storage/rows.js';
import type { Reader } from '../storage/store.js';
import { CHAT_KIND } from '../transport/frames.js';
import { checkRow } from '../transport/row.js';
import { SEQ_END } from './chat-image.js';
import { type Refusal, refuse } from './errors.js';
import { LIMITS } from './limits.js';
import { readMarks } from './marks.js';
import { sees, uncleared, visibleBefore } from './visibility.js';

export interface HistoryPage {
  /** Oldest first. */
  readonly rows: readonly { readonly seq: number; readonly row: Uint8Array }[];
  /** There are older ones that the user may see. */
  readonly more: boolean;
}

/** The newest visible entries below `before` (0: from the end). Rejects when the store cannot be read, or holds what is no row. */
export async function readHistory(
  store: Reader,
  user: string,
  chat: Uint8Array,
  before: number,
  limit: number,
  bytes: number = LIMITS.pageBytes,
): Promise<HistoryPage | Refusal> {
  const page = await readPage(store, user, chat, before, limit, bytes);
  if ('code' in page || chat[0] !== CHAT_KIND.group) return page;
  // The user may have left meanwhile, and what came after that may have been read: his row, asked last, knows.
  const stored = await store.get(inboxKey(user, chat));
  const spans = stored === undefined ? [] : decodeInbox(stored).spans;
  return { ...page, rows: page.rows.filter(({ seq }) => sees(spans, seq)) };
}

async function readPage(
  store: Reader,
  user: string,
  chat: Uint8Array,
  before: number,
  limit: number,
  bytes: number,
): Promise<HistoryPage | Refusal> {
  const [stored, marks] = await Promise.all([store.get(inboxKey(user, chat)), readMarks(store, user, chat)]);
  if (stored === undefined) return refuse('unknown_chat', 'no such chat, or never yours');
  const spans = uncleared(decodeInbox(stored).spans, marks.cleared);
  const hidden = new Set(marks.hidden);
  /** The highest number below `seq` that is not hidden, plus one: a long run of hidden entries is not even read. */
  const past = (seq: number): number => {
    let below = seq;
    while (hidden.has(below - 1)) below -= 1;
    return below;
  };
  const rows: { seq: number; row: Uint8Array }[] = [];
  let read = 0;
  let below = before === 0 ? SEQ_END : before;
  for (;;) {
    const visible = visibleBefore(spans, past(below));
    if (visible === null) return { rows: rows.reverse(), more: false };
    const end = messageKey(chat, Math.min(visible.until + 1, SEQ_END));
    const range = { start: messageKey(chat, visible.from), end, limit: limit - rows.length, reverse: true };
    const page = await store.range({ ...range, maxBytes: Math.max(1, bytes - read) });
    below = visible.from;
    for (const { key, value } of page.rows) {
      const seq = seqOf(key);
      read += value.length;
      checkRow(value);
      if (page.more) below = seq;
      if (!hidden.has(seq)) rows.push({ seq, row: value });
    }
    // Pages of hidden entries alone lead on: an empty answer would be taken for the end.
    if (rows.length >= limit || (read >= bytes && rows.length > 0)) {
      return { rows: rows.reverse(), more: visibleBefore(spans, past(below)) !== null };
    }
  }
}
