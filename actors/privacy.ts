// Owns the reading of what decides who may see a user's presence.
// Invariant: what cannot be read rejects, and then nobody is shown anything.
// Must not: decide, or cache (presence.ts does, and is told of changes).

import { decodeAccount } from '../storage/account-rows.js';
import { accountKey, blockKey, getNumber, seenKey } from '../storage/keys.js';
import type { Store } from '../storage/store.js';

export interface Own {
  /** Wall ms; 0 never. */
  readonly lastSeen: number;
  /** AUDIENCE in transport/frames.ts. */
  readonly audience: number;
}

/** What a user's presence is made of while the user is not there. */
export async function readOwn(store: Store, user: string): Promise<Own> {
  const [seen, account] = await Promise.all([store.get(seenKey(user)), store.get(accountKey(user))]);
  return { lastSeen: seen === undefined ? 0 : getNumber(seen, 0), audience: decodeAccount(account).audience };
}

/** Whether one of the two blocks the other. */
export async function readBlocked(store: Store, user: string, other: string): Promise<boolean> {
  const rows = await Promise.all([store.get(blockKey(user, other)), store.get(blockKey(other, user))]);
  return rows.some((row) => row !== undefined);
}
