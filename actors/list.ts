// Owns LIST: a user's chats with where each stands, what is unread, and how the user marked it.
// Invariant: unread is counted in the log at the moment of asking, above what the user has read, so it can neither drift nor
// go below nothing; an answer's work is bounded: a page ends early when it has cost enough.
// Must not: go through a chat's actor: an old chat should not wake for it.

import { decodeProfile, type MarksRow } from '../storage/account-rows.js';
import {
  chatKey,
  chatOfInbox,
  chatRowKey,
  inboxKey,
  inboxRange,
  messageKey,
  profileKey,
  seqOf,
} from '../storage/keys.js';
import { decodeAvatar, decodeInbox, type Inbox } from '../storage/rows.js';
import type { Reader, Row } from '../storage/store.js';
import { CHAT_KIND, type Plain, T } from '../transport/frames.js';
import { rowParts, rowSender, rowStamp } from '../transport/row.js';
import { readBlockers } from './blocks.js';
import { SEQ_END } from './chat-image.js';
import { DamagedRow } from './errors.js';
import { LIMITS } from './limits.js';
import { readMarksOf } from './marks.js';
import { idTime } from './message-id.js';
import { leftAt, uncleared, visibleBefore } from './visibility.js';

/** Results of LIST, and what they cost. */
export interface Listed {
  readonly results: readonly Plain[];
  /** Bytes that were read, of one chat's unread messages no more than of a page: whoever has so many is no flood. */
  readonly bytes: number;
  /** Chats that were looked at, each with reads of its own. */
  readonly chats: number;
}

/** The user's chats after `after`, in order of chat id, and whether there are more. */
export async function readList(
  store: Reader,
  user: string,
  after: Uint8Array | null,
  limit: number,
  bytes: number = LIMITS.listBytes,
): Promise<Listed> {
  const page = await store.range({ ...inboxRange(user, after), limit });
  const marks = await readMarksOf(store, user, page.rows);
  const listing = new Listing(store, user);
  const chats: Plain[] = [];
  for (const { key, value } of page.rows) {
    const chat = chatOfInbox(key);
    chats.push(await listing.entry(chat, decodeInbox(value), marks(chatKey(chat))));
    if (listing.bytes >= bytes) break;
  }
  const more = page.more || chats.length < page.rows.length;
  return { results: [chats, Number(more)], bytes: Math.min(listing.bytes, 2 * LIMITS.listBytes), chats: chats.length };
}

class Listing {
  readonly #store: Reader;
  readonly #user: string;
  bytes = 0;

  constructor(store: Reader, user: string) {
    this.#store = store;
    this.#user = user;
  }

  async entry(chat: Uint8Array, inbox: Inbox, marks: MarksRow): Promise<Plain> {
    const { kind, name, spans, large, hot, delivered, read } = inbox;
    const left = leftAt(spans);
    let { head, at } = inbox;
    let newest: Row | undefined;
    if (left !== null || large || hot) {
      newest = await this.#newest(chat, left ?? SEQ_END - 1);
      // The user may have left meanwhile, and the newest may have come after that: his row, asked last, knows.
      if (left === null && kind === CHAT_KIND.group) {
        const stored = await this.#store.get(inboxKey(this.#user, chat));
        const now = stored === undefined ? inbox : decodeInbox(stored);
        if (leftAt(now.spans) !== null) return this.entry(chat, now, marks);
      }
      head = left ?? (newest === undefined ? head : seqOf(newest.key));
      if (newest !== undefined) at = timeOf(newest.value);
    }
    const unread = await this.#unread(chat, inbox, marks, head, newest);
    const avatar = kind === CHAT_KIND.direct ? await this.#face(name) : await this.#emblem(chat, left);
    const { muted, pinned, archived, unread: flagged } = marks;
    return [
      ...[chat, kind, name, head, delivered, read, at, unread],
      ...[muted, pinned, Number(archived), Number(flagged), avatar],
    ];
  }

  async #newest(chat: Uint8Array, until: number): Promise<Row | undefined> {
    const range = { start: messageKey(chat, 0), end: messageKey(chat, until + 1), limit: 1, reverse: true };
    const [row] = (await this.#store.range(range)).rows;
    this.bytes += row?.value.length ?? 0;
    return row;
  }

  /**
   * Messages of others above what the user has read, of the newest LIMITS.unreadScan entries; LIMITS.unread stands for as
   * many or more. `newest`: the row at `head`, if it was read: mostly it is the only one.
   */
  async #unread(
    chat: Uint8Array,
    { spans, read }: Inbox,
    marks: MarksRow,
    head: number,
    newest: Row | undefined,
  ): Promise<number> {
    const visible = uncleared(spans, Math.max(read, marks.cleared));
    const hidden = new Set(marks.hidden);
    let count = 0;
    let below = head + 1;
    for (let looks = LIMITS.unreadScan; looks > 0; ) {
      const part = visibleBefore(visible, below);
      if (part === null) break;
      const range = { start: messageKey(chat, part.from), end: messageKey(chat, part.until + 1), reverse: true };
      const limit = Math.min(looks, LIMITS.unread);
      const known = newest !== undefined && part.from === part.until && part.until === seqOf(newest.key);
      const { rows, more } = known
        ? { rows: [newest], more: false }
        : await this.#store.range({ ...range, limit, maxBytes: LIMITS.pageBytes });
      for (const { key, value } of rows) {
        if (!known) this.bytes += value.length;
        const message = rowParts(value).type === T.MESSAGE && rowSender(value) !== this.#user;
        if (message && !hidden.has(seqOf(key))) count += 1;
        if (count >= LIMITS.unread) return count;
      }
      looks -= rows.length;
      below = more ? seqOf(rows[rows.length - 1]!.key) : part.from;
    }
    return count;
  }

  /** Avatar of the other user of a direct chat; none while one of the two blocks the other. */
  async #face(other: string): Promise<string> {
    const row = await this.#store.get(profileKey(other));
    this.bytes += row?.length ?? 0;
    if (row === undefined) return '';
    const avatar = undamaged(() => decodeProfile(row).avatar);
    return avatar === '' || (await readBlockers(this.#store, [this.#user, other])).length > 0 ? '' : avatar;
  }

  /** Avatar of a group, for its members. */
  async #emblem(chat: Uint8Array, left: number | null): Promise<string> {
    if (left !== null) return '';
    const row = await this.#store.get(chatRowKey(chat));
    this.bytes += row?.length ?? 0;
    return row === undefined ? '' : undamaged(() => decodeAvatar(row));
  }
}

/** A row of somebody else's, or of one chat, that is damaged costs its picture, not the list of all who would see it. */
function undamaged(avatar: () => string): string {
  try {
    return avatar();
  } catch (error) {
    if (error instanceof DamagedRow) return '';
    throw error;
  }
}

/** Wall ms at which the entry was accepted. */
function timeOf(value: Uint8Array): number {
  const { id, lag } = rowStamp(value);
  return idTime(id) + lag;
}
