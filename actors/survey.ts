// Owns reading what a sweep needs to know: the oldest rows of a log, the pages of its ids, and how far every registered
// device of every member is.
// Invariant: what it calls clear was with every device that was registered when the reading began, so a device that comes
// later misses nothing that was sent after it came; the event loop has its turn between members.
// Must not: change anything, or hold up the chat.

import { decodeDevice } from '../storage/account-rows.js';
import { type PageView, viewPages } from '../storage/id-page.js';
import { deviceRange, messageKey, nameInKey } from '../storage/keys.js';
import type { Inbox } from '../storage/rows.js';
import type { Row, Store } from '../storage/store.js';
import { checkRow } from '../transport/row.js';
import { shrunk } from './buggify.js';
import { SEQ_END } from './chat-image.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import { visibleFrom } from './visibility.js';

export interface Survey {
  /** The oldest stored rows; null where none need be seen, because all up to `clear` go. */
  readonly rows: readonly Row[] | null;
  /** There are more. */
  readonly more: boolean;
  readonly pages: PageView;
  /** The chat's newest row, where it is clear too and `rows` is null. */
  readonly newest: Uint8Array | null;
  /** Number up to which every registered device of every member has everything. */
  readonly clear: number;
}

/** A member's claim on the log. */
export interface Claimant {
  readonly user: string;
  readonly inbox: Pick<Inbox, 'spans' | 'devices' | 'delivered'>;
}

/** Rows of one sweep. */
export function rowsOf({ world }: Pick<Fabric, 'world'>): number {
  return shrunk(world, 'sweep', LIMITS.sweepRows, 1);
}

/** `aged`: ends by age are to be seen, too. Rejects when the store cannot be read. */
export async function survey(
  fabric: Fabric,
  chat: Uint8Array,
  clear: number | readonly Claimant[],
  swept: number,
  head: number,
  aged: boolean,
): Promise<Survey> {
  const { store } = fabric;
  // Devices first: entries that come while they are read are not clear.
  const known = typeof clear === 'number' ? clear : await readClear(fabric, clear, swept, head);
  if (known > swept && !aged) {
    const row = known < head ? undefined : store.get(messageKey(chat, head));
    const [newest, pages] = await Promise.all([row, viewPages(store, chat)]);
    if (newest !== undefined) checkRow(newest);
    // The newest row always stays. Where there is none the chat has another owner, who went on: nothing is this one's to take.
    const over = known >= head && newest === undefined;
    return { rows: null, more: false, pages, newest: newest ?? null, clear: over ? swept : known };
  }
  const range = { start: messageKey(chat, 0), end: messageKey(chat, SEQ_END), limit: rowsOf(fabric) };
  const [{ rows, more }, pages] = await Promise.all([
    store.range({ ...range, maxBytes: LIMITS.pageBytes }),
    viewPages(store, chat),
  ]);
  for (const { value } of rows) checkRow(value);
  return { rows, more, pages, newest: null, clear: known };
}

/**
 * The number up to which every registered device of every member has what it may see, at most `head`; at or below `swept`
 * it is only an upper bound. A member without any device has what the user had: nothing, if none ever came.
 */
export async function readClear(
  { store, world }: Pick<Fabric, 'store' | 'world'>,
  members: readonly Claimant[],
  swept: number,
  head: number,
): Promise<number> {
  let clear = head;
  // Those who are known to be behind first: with one of them, all others need not be read.
  const behind = ({ inbox }: Claimant): boolean => inbox.devices.some(({ delivered }) => delivered <= swept);
  const order = [...members.filter(behind), ...members.filter((member) => !behind(member))];
  for (const [at, { user, inbox }] of order.entries()) {
    if (at % LIMITS.sweepMembers === LIMITS.sweepMembers - 1) {
      await new Promise<void>((resolve) => world.defer(resolve));
    }
    const devices = await registered(store, user);
    if (devices.length === 0) clear = Math.min(clear, claimed(inbox, inbox.delivered));
    for (const device of devices) {
      const position = inbox.devices.find((cursor) => cursor.device === device)?.delivered ?? 0;
      clear = Math.min(clear, claimed(inbox, position));
    }
    if (clear <= swept) return clear;
  }
  return clear;
}

/** The most that `readClear` can answer, from memory alone. */
export function clearAtMost(members: Iterable<Claimant>, head: number): number {
  let clear = head;
  for (const { inbox } of members) clear = Math.min(clear, claimed(inbox, inbox.delivered));
  return clear;
}

/** The number before the first visible one above `delivered`. */
function claimed({ spans }: Claimant['inbox'], delivered: number): number {
  const next = visibleFrom(spans, delivered + 1);
  return next === null ? Number.POSITIVE_INFINITY : next.from - 1;
}

async function registered(store: Store, user: string): Promise<readonly string[]> {
  const { rows } = await store.range({ ...deviceRange(user), limit: LIMITS.deviceRows });
  return rows.filter(({ value }) => !decodeDevice(value).removed).map(({ key }) => nameInKey(key));
}
