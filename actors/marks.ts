// Owns a user's own marks of chats: muted, pinned, archived, unread, cleared, hidden; setting them and reading them in order.
// Invariant: every change gets the user's next version, so a device that knows one version can ask for what came later;
// what was cleared or hidden never comes back; numbers that are cleared are not kept as hidden.
// Must not: append (account.ts), or leave marked entries out of what is read (requests.ts, stream.ts, certificate.ts do).

import { type AccountRow, decodeMarks, encodeMarks, type MarksRow, UNMARKED } from '../storage/account-rows.js';
import {
  chatKey,
  chatOfInbox,
  inboxKey,
  markOrderKey,
  markOrderRange,
  marksKey,
  successor,
  versionOf,
} from '../storage/keys.js';
import { decodeInbox } from '../storage/rows.js';
import type { Reader, Row } from '../storage/store.js';
import { MARK_OP, type Plain } from '../transport/frames.js';
import { readHead } from './chat-image.js';
import type { Planned } from './devices.js';
import { type Refusal, refuse } from './errors.js';
import { LIMITS } from './limits.js';
import type { MarkRequest } from './messages.js';
import { leftAt } from './visibility.js';

/** What a MARK comes to: the marks as they are then, with nothing to write where they were so. */
export interface Marked extends Planned {
  readonly marks: MarksRow;
}

export async function readMarks(store: Reader, user: string, chat: Uint8Array): Promise<MarksRow> {
  return decodeMarks(await store.get(marksKey(user, chat)));
}

/** The marks of the chats of these inbox rows of a user, by the chat's key. */
export async function readMarksOf(
  store: Reader,
  user: string,
  inboxes: readonly Row[],
): Promise<(key: string) => MarksRow> {
  const [first, last] = [inboxes[0], inboxes[inboxes.length - 1]];
  const marks = new Map<string, MarksRow>();
  if (first !== undefined && last !== undefined) {
    const start = marksKey(user, chatOfInbox(first.key));
    const end = successor(marksKey(user, chatOfInbox(last.key)));
    const { rows } = await store.range({ start, end, limit: inboxes.length });
    for (const { key, value } of rows) marks.set(chatKey(chatOfInbox(key)), decodeMarks(value));
  }
  return (key) => marks.get(key) ?? UNMARKED;
}

export async function setMark(
  store: Reader,
  user: string,
  frame: MarkRequest,
  account: AccountRow,
): Promise<Marked | Refusal> {
  const { chat } = frame;
  const [stored, before] = await Promise.all([store.get(inboxKey(user, chat)), readMarks(store, user, chat)]);
  if (stored === undefined) return refuse('unknown_chat', 'no such chat, or never yours');
  const { spans, large, hot, head } = decodeInbox(stored);
  const newest = leftAt(spans) ?? (large || hot ? await readHead(store, chat) : head);
  const change = changed(before, frame, newest);
  if ('code' in change) return change;
  if (Object.keys(change).length === 0) return { writes: [], marks: before };
  const version = account.marks + 1;
  const marks = { ...before, ...change, version };
  const pinned = account.pinned + Number(marks.pinned > 0) - Number(before.pinned > 0);
  if (pinned > LIMITS.pinned && pinned > account.pinned) {
    return refuse('full', `a user has at most ${LIMITS.pinned} pinned chats`);
  }
  const writes = [
    { key: marksKey(user, chat), value: encodeMarks(marks) },
    { key: markOrderKey(user, version), value: chat },
    ...(before.version > 0 ? [{ key: markOrderKey(user, before.version), value: null }] : []),
  ];
  return { writes, account: { marks: version, pinned }, marks };
}

/** Fields that become others. */
function changed(before: MarksRow, { op, value, seqs }: MarkRequest, head: number): Partial<MarksRow> | Refusal {
  switch (op) {
    case MARK_OP.muted:
      return before.muted === value ? {} : { muted: value };
    case MARK_OP.pinned:
      return before.pinned === value ? {} : { pinned: value };
    case MARK_OP.archived:
      return before.archived === (value === 1) ? {} : { archived: value === 1 };
    case MARK_OP.unread:
      return before.unread === (value === 1) ? {} : { unread: value === 1 };
    case MARK_OP.cleared:
      if (value > head) return refuse('bad_request', 'the chat does not reach so far');
      if (value <= before.cleared) return {};
      return { cleared: value, hidden: before.hidden.filter((seq) => seq > value) };
    default:
      return hide(before, seqs, head);
  }
}

function hide({ hidden, cleared }: MarksRow, seqs: readonly number[], head: number): Partial<MarksRow> | Refusal {
  if (seqs.some((seq) => seq < 1 || seq > head)) return refuse('bad_request', 'the chat has no such entry');
  const all = new Set(hidden);
  for (const seq of seqs) if (seq > cleared) all.add(seq);
  if (all.size === hidden.length) return {};
  if (all.size > LIMITS.hidden) {
    return refuse('full', `at most ${LIMITS.hidden} entries of a chat are hidden; clear it up to one of them`);
  }
  return { hidden: [...all].sort((a, b) => a - b) };
}

/** Results of MARKS: what was marked after version `since`, in order of version. */
export async function readMarksPage(
  store: Reader,
  user: string,
  since: number,
  limit: number,
): Promise<readonly Plain[]> {
  const page = await store.range({ ...markOrderRange(user, since), limit });
  const all: Plain[] = [];
  let bytes = 0;
  let { more } = page;
  for (const { key, value: chat } of page.rows) {
    const row = await store.get(marksKey(user, chat));
    const marks = decodeMarks(row);
    // Marked again since the order was read: it comes in its new place.
    if (marks.version !== versionOf(key)) {
      more = true;
      continue;
    }
    if (bytes > LIMITS.pageBytes) return [all, 1];
    bytes += row?.length ?? 0;
    const { version, muted, pinned, archived, unread, cleared, hidden } = marks;
    all.push([chat, version, muted, pinned, Number(archived), Number(unread), cleared, hidden]);
  }
  return [all, Number(more)];
}
