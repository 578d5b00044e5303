// Owns what a group must know of users before it takes them in: their earlier stays, whom they block, how many groups
// they are in.
// Invariant: read before the change is decided, while the chat handles nothing else; the event loop has its turn in between.
// Must not: decide.

import { blockKey, groupsRange, inboxKey, successor } from '../storage/keys.js';
import { decodeInbox, type Inbox } from '../storage/rows.js';
import type { Store } from '../storage/store.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import { leftAt } from './visibility.js';

export interface Newcomers {
  /** Views of those who were in the chat before. */
  readonly views: ReadonlyMap<string, Inbox>;
  /** Those who block the one that asks. */
  readonly blockers: readonly string[];
  /** Those who are in as many groups as one may be. */
  readonly full: readonly string[];
}

/** Rejects when the store cannot be read. */
export async function readNewcomers(
  { store, world, settings }: Fabric,
  chat: Uint8Array,
  users: readonly string[],
  asker: string,
): Promise<Newcomers> {
  const views = new Map<string, Inbox>();
  const blockers: string[] = [];
  const full: string[] = [];
  for (const [at, user] of users.entries()) {
    if (at % LIMITS.newcomersRead === LIMITS.newcomersRead - 1) {
      await new Promise<void>((resolve) => world.defer(resolve));
    }
    const [view, block, most] = await Promise.all([
      store.get(inboxKey(user, chat)),
      store.get(blockKey(user, asker)),
      isFull(store, user, settings.quotas.userGroups),
    ]);
    if (view !== undefined) views.set(user, decodeInbox(view));
    if (block !== undefined) blockers.push(user);
    if (most) full.push(user);
  }
  return { views, blockers, full };
}

/** Groups that the user has left do not count, but to read past them has an end too. `most`: 0 for any number. */
async function isFull(store: Store, user: string, most: number): Promise<boolean> {
  if (most === 0) return false;
  let { start, end } = groupsRange(user);
  let present = 0;
  for (let read = 0; read < LIMITS.userChats; ) {
    const { rows, more } = await store.range({ start, end, limit: LIMITS.inboxRows });
    // Most users: no row needs a look.
    if (!more && present + rows.length < most) return false;
    for (const { value } of rows) if (leftAt(decodeInbox(value).spans) === null) present += 1;
    if (present >= most) return true;
    if (!more) return false;
    read += rows.length;
    start = successor(rows[rows.length - 1]!.key);
  }
  return true;
}
