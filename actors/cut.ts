// Owns what one sweep takes out of a chat's log: which entries have ended, whom that robs, and the writes that take them.
// Invariant: entries go from the front, so what is left has no hole; the newest row stays as `erased`, so the chat's head
// is known; ids go on a page before their rows go, and are forgotten only when no registered device can repeat them.
// Must not: read the store (survey.ts), or decide when to sweep (sweep.ts).

import { lastOn, type PageView, trimPages } from '../storage/id-page.js';
import { idPageTime, messageKey, seqOf, sweepKey } from '../storage/keys.js';
import type { Row, Write } from '../storage/store.js';
import { encodeSweep, type SweepRow } from '../storage/sweep-row.js';
import { T } from '../transport/frames.js';
import { decodeRow } from '../transport/row.js';
import { erased } from './deletion.js';
import type { Entry } from './entry.js';
import { LIMITS } from './limits.js';
import type { Member } from './member.js';
import { idTime } from './message-id.js';
import type { Survey } from './survey.js';
import { visibleFrom } from './visibility.js';

/** A sweep as its append takes it. */
export interface Cut {
  /** Contents of entries up to here go. */
  readonly upTo: number;
  /** Told with it, accepted at `until` (wall ms) at the latest; null where nobody loses anything. */
  readonly notice: ((until: number) => Entry) | null;
  /** Adds its writes, first one that no earlier commit left. `head`: the chat's newest number after this append. */
  write(writes: Write[], head: number): void;
}

/** What a sweep is worked out from, beside what it read. */
export interface Ground {
  readonly chat: Uint8Array;
  readonly sweep: SweepRow;
  /** Wall ms. */
  readonly now: number;
  /** ms that entries are kept; Infinity: for ever. */
  readonly life: number;
  readonly members: ReadonlyMap<string, Member>;
  /** Rows that one sweep takes. */
  readonly most: number;
}

export interface Plan {
  readonly sweep: SweepRow;
  /** The messages, first and last, that end before every member has them, and who sent the last; null: none. */
  readonly lost: { readonly from: number; readonly to: number; readonly sender: string } | null;
  /** There is more to take at once. */
  readonly more: boolean;
  /** Wall ms at which the oldest entry that stays was accepted; null where none stays that was looked at. */
  readonly oldest: number | null;
  /** Nothing is to be written. */
  readonly empty: boolean;
  write(writes: Write[], head: number): void;
}

export function acceptedAt(row: Uint8Array): number {
  const { id, lag } = decodeRow(row);
  return idTime(id) + lag;
}

export function planSweep(ground: Ground, found: Survey): Plan {
  const { chat, sweep, members } = ground;
  const { first, upTo, last, more, oldest } =
    found.rows === null ? clearedRows(ground, found) : endedRows(ground, found);
  const { writes: trims, forgot } = forgettable(ground, found.pages, upTo, found.clear);
  const next = { swept: upTo, forgot: Math.max(sweep.forgot, forgot) };
  const lost = found.rows === null ? null : lostOf(found.rows, Math.max(found.clear, sweep.swept), upTo, members);
  return {
    sweep: next,
    lost,
    more,
    oldest,
    empty: upTo === sweep.swept && next.forgot === sweep.forgot,
    write(writes, head) {
      writes.push({ key: sweepKey(chat), value: encodeSweep(next) });
      for (let seq = first; seq <= upTo && seq < head; seq += 1)
        writes.push({ key: messageKey(chat, seq), value: null });
      if (upTo === head && upTo > sweep.swept) writes.push({ key: messageKey(chat, head), value: erased(last!) });
      writes.push(...trims);
    },
  };
}

/** A stretch of a log, from its first stored row. */
interface Stretch {
  readonly first: number;
  readonly upTo: number;
  /** The row of `upTo`, where it may be the chat's newest. */
  readonly last: Uint8Array | null;
  readonly more: boolean;
  readonly oldest: number | null;
}

/** What every device has goes unseen: a log has no holes, so its keys are known. */
function clearedRows({ sweep: { swept }, most }: Ground, { clear, newest }: Survey): Stretch {
  const upTo = Math.min(clear, swept + most);
  // A row may be left where the log was emptied to its end.
  return { first: Math.max(1, swept), upTo, last: newest, more: clear > upTo, oldest: null };
}

/** What has ended by age, or is clear. */
function endedRows({ sweep, now, life }: Ground, { rows, more, clear }: Survey): Stretch {
  let upTo = sweep.swept;
  let last: Uint8Array | null = null;
  let oldest: number | null = null;
  for (const { key, value } of rows!) {
    const seq = seqOf(key);
    if (seq <= sweep.swept) continue;
    if (seq > clear) {
      const at = acceptedAt(value);
      if (at > now - life) {
        oldest = at;
        break;
      }
    }
    upTo = seq;
    last = value;
  }
  const [row] = rows!;
  const first = row === undefined ? upTo + 1 : seqOf(row.key);
  return { first, upTo, last, more: oldest === null && more, oldest };
}

/**
 * What of the ids up to `upTo` may be forgotten: what every device had is not repeated by any; with the rest a client may
 * still come back, as an unanswered SEND.
 */
export function forgettable(
  { chat, now, life }: Pick<Ground, 'chat' | 'now' | 'life'>,
  pages: PageView,
  upTo: number,
  clear: number,
): ReturnType<typeof trimPages> {
  return trimPages(chat, pages, (page) => {
    const last = lastOn(page);
    return last <= upTo && (last <= clear || idPageTime(page.key) < now - life - LIMITS.rememberMs);
  });
}

/** Messages above `clear`, up to `upTo`, that a member, other than their sender, could see and did not get. */
function lostOf(rows: readonly Row[], clear: number, upTo: number, members: Ground['members']): Plan['lost'] {
  let first: number | null = null;
  let lost: Plan['lost'] = null;
  for (const { key, value } of rows) {
    const seq = seqOf(key);
    if (seq <= clear || seq > upTo) continue;
    const { type, from } = decodeRow(value);
    if (type !== T.MESSAGE) continue;
    for (const { user, inbox } of members.values()) {
      if (user === from || inbox.delivered >= seq || visibleFrom(inbox.spans, seq)?.from !== seq) continue;
      first ??= seq;
      lost = { from: first, to: seq, sender: from };
      break;
    }
  }
  return lost;
}
