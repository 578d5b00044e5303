// Owns the slow look at all chats, a page at a time: which of them have something to sweep that nobody said.
// Invariant: a chat with nothing due is found so by its rows alone, and is not woken; the event loop has its turn between
// a few chats; a chat with a damaged row is reported and passed over, and holds up no other.
// Must not: sweep, or decide the pace (sweeper.ts).
//
// What chats say is kept in memory, so a crash loses it; and the end of what lives for days is timed by nobody but this.

import { viewPages } from '../storage/id-page.js';
import { chatKey, chatOfRow, chatRows, inboxKey, messageKey, sweepKey } from '../storage/keys.js';
import { type ChatRow, decodeChat, decodeInbox } from '../storage/rows.js';
import { decodeSweep } from '../storage/sweep-row.js';
import { SEQ_END } from './chat-image.js';
import { acceptedAt, forgettable } from './cut.js';
import { DamagedRow } from './errors.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import { lifetime, slack } from './retention.js';
import { type Claimant, clearAtMost, readClear } from './survey.js';

export interface ScanPage {
  /** Keys of chats that have something to sweep. */
  readonly due: readonly string[];
  /** Where the next page begins; null: this was the last. */
  readonly after: Uint8Array | null;
}

/** Looks at the chats after `after`. Rejects when the store cannot be read. */
export async function scanPage(fabric: Fabric, after: Uint8Array | null): Promise<ScanPage> {
  const { store, world } = fabric;
  const { rows, more } = await store.range({
    ...chatRows(after),
    limit: LIMITS.scanRows,
    maxBytes: LIMITS.pageBytes,
  });
  const due: string[] = [];
  for (const [at, { key, value }] of rows.entries()) {
    if (at % LIMITS.scanChats === LIMITS.scanChats - 1) await new Promise<void>((resolve) => world.defer(resolve));
    const chat = chatOfRow(key);
    if (!fabric.owns(chatKey(chat))) continue;
    try {
      if (await isDue(fabric, chat, decodeChat(value))) due.push(chatKey(chat));
    } catch (error) {
      if (!(error instanceof DamagedRow)) throw error;
      fabric.report('chat_unreadable', { chat: chatKey(chat), reason: error.message });
    }
  }
  const last = rows[rows.length - 1];
  return { due, after: more && last !== undefined ? chatOfRow(last.key) : null };
}

async function isDue(fabric: Fabric, chat: Uint8Array, row: ChatRow): Promise<boolean> {
  const { store, world, settings } = fabric;
  const life = lifetime(settings.retention, row.expiry);
  if (life === Number.POSITIVE_INFINITY) return false;
  const sweep = decodeSweep(await store.get(sweepKey(chat)));
  const rest = { start: messageKey(chat, sweep.swept + 1), end: messageKey(chat, SEQ_END), limit: 1 };
  const [first] = (await store.range(rest)).rows;
  if (first === undefined) {
    // With nothing left, `clear` counts for nothing: what all had was forgotten with its rows.
    const ground = { chat, sweep, now: world.wall(), life };
    return forgettable(ground, await viewPages(store, chat), sweep.swept, 0).forgot > sweep.forgot;
  }
  if (acceptedAt(first.value) + life + slack(life) <= world.wall()) return true;
  return settings.retention.type === 'until-delivered' && (await isClear(fabric, chat, row, sweep.swept));
}

/** Every registered device of every member has more than what was swept. */
async function isClear(fabric: Fabric, chat: Uint8Array, { members }: ChatRow, swept: number): Promise<boolean> {
  const claimants: Claimant[] = [];
  for (const [at, { user }] of members.entries()) {
    if (at % LIMITS.sweepMembers === LIMITS.sweepMembers - 1) {
      await new Promise<void>((resolve) => fabric.world.defer(resolve));
    }
    const row = await fabric.store.get(inboxKey(user, chat));
    // It has just left.
    if (row === undefined) return false;
    const claimant = { user, inbox: decodeInbox(row) };
    if (clearAtMost([claimant], SEQ_END) <= swept) return false;
    claimants.push(claimant);
  }
  return (await readClear(fabric, claimants, swept, SEQ_END)) > swept;
}
