// Owns how a chat's message ids are kept for ever at a sixty-fourth of a row each.
// Invariant: every stored id can be found again: on the page of its run of messages, by time; or, where its clock was far
// off when it was accepted, in a row of its own.
// Must not: decide what is a retry (actors/recent-ids.ts).
//
// Ids in the order of their numbers, one page for every run of 64 messages or more:
//
//     0     1           17           23
//    +-----+-----------+------------+-------------------------------
//    | ver | highest·16| first seq·6| id·16  id·16  id·16 …
//    +-----+-----------+------------+-------------------------------
//
// The key holds the time at which the last of them was accepted. An id is a UUIDv7 and says when it was made; one that was
// accepted within `idSkewMs` of that is on a page of that time. `highest` is the highest id the chat had until then:
// whatever lies above it is on no page, so a fresh message needs no look.

import { assert } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import { getNumber, idPageRange, idPageTime, NUMBER_BYTES, putNumber, successor } from './keys.js';
import type { Store } from './store.js';

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
  assert(page.length >= HEAD && page[0]! >= VERSION, 'id page of a known version');
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
