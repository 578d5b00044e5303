// Owns answering a client's questions that only read: HISTORY and LIST.
// Invariant: nothing outside the user's spans is shown; an answer's size is bounded.
// Must not: go through a chat's actor: reading needs no order, and an old chat should not wake for it.

import { chatOfInbox, inboxKey, inboxRange, messageKey, seqOf } from '../storage/keys.js';
import { decodeInbox } from '../storage/rows.js';
import type { Store } from '../storage/store.js';
import type { Plain } from '../transport/frames.js';
import { readHead, SEQ_END } from './chat-image.js';
import { type Refusal, refuse } from './errors.js';
import { LIMITS } from './limits.js';
import { leftAt, visibleBefore } from './visibility.js';

export interface HistoryPage {
  /** Oldest first. */
  readonly rows: readonly { readonly seq: number; readonly row: Uint8Array }[];
  /** There are older ones that the user may see. */
  readonly more: boolean;
}

/** The newest visible entries below `before` (0: from the end). */
export async function readHistory(
  store: Store,
  user: string,
  chat: Uint8Array,
  before: number,
  limit: number,
): Promise<HistoryPage | Refusal> {
  const stored = await store.get(inboxKey(user, chat));
  if (stored === undefined) return refuse('unknown_chat', 'no such chat, or never yours');
  const { spans } = decodeInbox(stored);
  const rows: { seq: number; row: Uint8Array }[] = [];
  let bytes = 0;
  let below = before === 0 ? SEQ_END : before;
  for (;;) {
    const visible = visibleBefore(spans, below);
    if (visible === null) return { rows: rows.reverse(), more: false };
    const end = messageKey(chat, Math.min(visible.until + 1, SEQ_END));
    const range = { start: messageKey(chat, visible.from), end, limit: limit - rows.length, reverse: true };
    const page = await store.range({ ...range, maxBytes: LIMITS.pageBytes - bytes });
    for (const { key, value } of page.rows) {
      rows.push({ seq: seqOf(key), row: value });
      bytes += value.length;
    }
    if (page.more || rows.length >= limit || bytes >= LIMITS.pageBytes) {
      // Older ones of this stay, or of an earlier one.
      return { rows: rows.reverse(), more: page.more || visibleBefore(spans, visible.from) !== null };
    }
    below = visible.from;
  }
}

/** Results of LIST: the user's chats after `after`, in order of chat id, and whether there are more. */
export async function readList(
  store: Store,
  user: string,
  after: Uint8Array | null,
  limit: number,
): Promise<readonly Plain[]> {
  const page = await store.range({ ...inboxRange(user, after), limit });
  const chats: Plain[] = [];
  for (const row of page.rows) {
    const chat = chatOfInbox(row.key);
    const { kind, name, spans, large, hot, head, delivered, read } = decodeInbox(row.value);
    const newest = leftAt(spans) ?? (large || hot ? await readHead(store, chat) : head);
    chats.push([chat, kind, name, newest, delivered, read]);
  }
  return [chats, page.more];
}
