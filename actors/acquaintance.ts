// Owns the question whether two users share a chat.
// Invariant: a direct chat counts from its first message on, a group while both are in it.
// Must not: remember answers: they change with each join and leave.

import { chatKey, chatOfInbox, directChat, groupsRange, inboxKey, successor } from '../storage/keys.js';
import { decodeInbox } from '../storage/rows.js';
import type { Reader } from '../storage/store.js';
import { LIMITS } from './limits.js';
import { leftAt } from './visibility.js';

/** Reads at most the rows of both users' groups, side by side. */
export async function sharesChat(store: Reader, user: string, other: string): Promise<boolean> {
  if ((await store.get(inboxKey(user, directChat(user, other)))) !== undefined) return true;
  const [mine, theirs] = [groups(store, user), groups(store, other)];
  let [a, b] = [await mine.next(), await theirs.next()];
  while (a.done !== true && b.done !== true) {
    if (a.value === b.value) return true;
    if (a.value < b.value) a = await mine.next();
    else b = await theirs.next();
  }
  return false;
}

/** Keys of the groups that a user is in, in order. */
async function* groups(store: Reader, user: string): AsyncGenerator<string, void> {
  let { start, end } = groupsRange(user);
  for (let read = 0; read < LIMITS.userChats; ) {
    const { rows, more } = await store.range({ start, end, limit: LIMITS.inboxRows });
    for (const { key, value } of rows) {
      if (leftAt(decodeInbox(value).spans) === null) yield chatKey(chatOfInbox(key));
    }
    const last = rows[rows.length - 1];
    if (!more || last === undefined) return;
    read += rows.length;
    start = successor(last.key);
  }
}
