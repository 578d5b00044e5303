// Owns how a chat's message ids are kept at a sixty-fourth of a row each, and how they are forgotten.
// Invariant: every id of a stored message can be found again: on the page of its run of messages, by time; or, where its clock was far
// off when it was accepted, in a row of its own.
// Must not: decide what is a retry (actors/recent-ids.ts).
//
// Ids in the order of their numbers, one page for every run of 64 messages or more, or of fewer where a sweep took rows
// that were on no page yet; short ones are merged:
//
//     0     1           17           23
//    +-----+-----------+------------+-------------------------------
//    | ver | highest·16| first seq·6| id·16  id·16  id·16 …
//    +-----+-----------+------------+-------------------------------
//
// The key holds the time at which the last of them was accepted. An id is a UUIDv7 and says when it was made; one that was
// accepted within `idSkewMs` of that is on a page of that time. `highest` is the highest id the chat had until then:
// whatever lies above it is on no page, so a fresh message needs no look.

import { assertRow } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import { getNumber, idKey, idPageRange, idPageTime, idRange, NUMBER_BYTES, putNumber, successor } from './keys.js';
import type { Row, Store, Write } from './store.js';

const VERSION = 1;
const HEAD = 1 + 16 + NUMBER_BYTES;

export interface IdPage {
  /** Highest id of the chat so far, one character a byte (actors/message-id.ts). */
  readonly highest: string;
  readonly first: number;
  /** One character a byte, 16 an id. */
  readonly ids: string;
}

export function encodeIdPage({ highest, first, ids }: IdPage): Uint8Array {
  const page = Buffer.allocUnsafe(HEAD + ids.length);
  page[0] = VERSION;
  page.write(highest, 1, 'latin1');
  putNumber(page, 17, first);
  page.write(ids, HEAD, 'latin1');
  return page;
}

export function decodeIdPage(bytes: Uint8Array): IdPage {
  const page = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  assertRow(page.length >= HEAD && page[0]! >= VERSION, 'no id page of a known version');
  assertRow((page.length - HEAD) % 16 === 0, 'id page cut short');
  return {
    highest: page.toString('latin1', 1, 17),
    first: getNumber(page, 17),
    ids: page.toString('latin1', HEAD),
  };
}

/** Number of the last message on the page. */
export function lastOn({ first, ids }: IdPage): number {
  return first + ids.length / 16 - 1;
}

/** The number that `id`, made at `time` (ms since 1970), has by the chat's pages; undefined when it is on none. */
export async function findOnPages(
  store: Store,
  chat: Uint8Array,
  id: string,
  time: number,
): Promise<number | undefined> {
  const until = time + LIMITS.idSkewMs;
  let { start, end } = idPageRange(chat, Math.max(0, time - LIMITS.idSkewMs));
  for (;;) {
    const { rows, more } = await store.range({ start, end, limit: LIMITS.idPagesRead });
    for (const { key, value } of rows) {
      const { first, ids } = decodeIdPage(value);
      for (let at = ids.indexOf(id); at >= 0; at = ids.indexOf(id, at + 1)) if (at % 16 === 0) return first + at / 16;
      // A page's time is that of its last message: the first one past the window may still begin within it.
      if (idPageTime(key) > until) return undefined;
      start = successor(key);
    }
    if (!more) return undefined;
  }
}

export interface StoredPage extends IdPage {
  readonly key: Uint8Array;
}

/** A chat's pages as a sweep sees them. */
export interface PageView {
  /** Oldest first. */
  readonly oldest: readonly StoredPage[];
  /** The newest two, if they are not all among the oldest. */
  readonly newest: readonly StoredPage[];
  /** Some ids have rows of their own. */
  readonly odd: boolean;
}

export async function viewPages(store: Store, chat: Uint8Array): Promise<PageView> {
  const range = idPageRange(chat, 0);
  const page = ({ key, value }: Row): StoredPage => ({ key, ...decodeIdPage(value) });
  const first = await store.range({ ...range, limit: LIMITS.sweepPages });
  const oldest = first.rows.map(page);
  // Of two pages none is forgotten.
  if (oldest.length <= 2 && !first.more) return { oldest, newest: oldest, odd: false };
  const [last, odd] = await Promise.all([
    store.range({ ...range, limit: 2, reverse: true }),
    store.range({ ...idRange(chat), limit: 1 }),
  ]);
  return { oldest, newest: first.more ? last.rows.map(page).reverse() : oldest.slice(-2), odd: odd.rows.length > 0 };
}

/**
 * Forgets the oldest pages that have ended, but for the newest LIMITS.idPage ids of the chat, and merges the newest two
 * where both are short. Answers the writes, and the number up to which ids are forgotten (0: none).
 */
export function trimPages(
  chat: Uint8Array,
  { oldest, newest, odd }: PageView,
  ended: (page: StoredPage) => boolean,
): { readonly writes: readonly Write[]; readonly forgot: number } {
  const writes: Write[] = [];
  // Where there are more pages than these, the rest is more than this.
  let rest = 0;
  for (const { ids } of new Map([...oldest, ...newest].map((page) => [page.first, page])).values()) {
    rest += ids.length / 16;
  }
  let forgot = 0;
  for (const page of oldest) {
    rest -= page.ids.length / 16;
    if (rest < LIMITS.idPage || newest.some(({ first }) => first === page.first) || !ended(page)) break;
    writes.push({ key: page.key, value: null });
    if (odd) for (const id of oddIds(page)) writes.push({ key: idKey(chat, id), value: null });
    forgot = lastOn(page);
  }
  const [before, last] = newest;
  if (before !== undefined && last !== undefined && before.ids.length + last.ids.length <= 2 * 16 * LIMITS.idPage) {
    assertRow(last.first === lastOn(before) + 1, 'id pages are in the order of their numbers');
    const { highest, first } = { highest: last.highest, first: before.first };
    writes.push({ key: before.key, value: null });
    writes.push({ key: last.key, value: encodeIdPage({ highest, first, ids: before.ids + last.ids }) });
  }
  return { writes, forgot };
}

/** Ids of the page that may have rows of their own: all whose clock is far from when the page was written. */
function* oddIds(page: StoredPage): Generator<Uint8Array> {
  const time = idPageTime(page.key);
  for (let at = 0; at < page.ids.length; at += 16) {
    const id = Buffer.from(page.ids.slice(at, at + 16), 'latin1');
    if (Math.abs(getNumber(id, 0) - time) > LIMITS.idSkewMs) yield id;
  }
}
