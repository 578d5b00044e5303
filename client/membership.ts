// Owns the question whether an entry made a user a member.
// Invariant: true for the entry with which the user's view of the chat begins, or begins again.
// Must not: keep who is a member (the server decides; INFO tells).

import { OP } from '../transport/frames.js';
import type { Item } from './chat-log.js';
import { changeOf } from './message.js';

/** The event that made `user` a member: the log begins with it. */
export function joins({ content, from }: Item, user: string): boolean {
  if (content.type !== 'event') return false;
  const { op, args } = content;
  if (op === OP.joined) return from === user;
  return op === OP.added && changeOf(op, args).users.includes(user);
}
