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
  /** Told with it; null where nobody loses anything. */
  readonly notice: Entry | null;
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

export function planSweep({ chat, sweep, now, life, members }: Ground, { rows, more, pages, clear }: Survey): Plan {
  let upTo = sweep.swept;
  let oldest: number | null = null;
  let seen = 0;
  for (const row of rows) {
    const seq = seqOf(row.key);
    if (seq <= sweep.swept) continue;
    if (seq > clear) {
      const at = acceptedAt(row.value);
      if (at > now - life) {
        oldest = at;
        break;
      }
    }
    upTo = seq;
    seen += 1;
  }
  const taken = rows.filter(({ key }) => seqOf(key) <= upTo);
  const { writes: trims, forgot } = forgettable({ chat, now, life }, pages, upTo, clear);
  const next = { swept: upTo, forgot: Math.max(sweep.forgot, forgot) };
  return {
    sweep: next,
    lost: seen === 0 ? null : lostOf(taken, Math.max(clear, sweep.swept), members),
    more: oldest === null && more,
    oldest,
    empty: seen === 0 && next.forgot === sweep.forgot,
    write(writes, head) {
      writes.push({ key: sweepKey(chat), value: encodeSweep(next) });
      for (const { key, value } of taken) {
        if (seqOf(key) < head) writes.push({ key: messageKey(chat, seqOf(key)), value: null });
        else if (seqOf(key) > sweep.swept) writes.push({ key: messageKey(chat, seqOf(key)), value: erased(value) });
      }
      writes.push(...trims);
    },
  };
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

/** Messages above `clear` that a member, other than their sender, could see and did not get. */
function lostOf(rows: readonly Row[], clear: number, members: Ground['members']): Plan['lost'] {
  let first: number | null = null;
  let lost: Plan['lost'] = null;
  for (const { key, value } of rows) {
    const seq = seqOf(key);
    if (seq <= clear) continue;
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
