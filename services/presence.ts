// Owns how a node uses a table of presence outside: its board, and typing that goes to other nodes by way of it.
// Invariant: both are there, or neither is.
// Must not: know what keeps the table.

import { Board, type BoardOptions } from '../actors/board.js';
import type { Directory } from '../actors/fabric.js';
import type { UserMessage } from '../actors/messages.js';
import { UserShards } from '../cluster/shards.js';
import { SoftPost } from '../cluster/soft-post.js';

export interface Outside {
  readonly board: Board;
  readonly soft: SoftPost;
}

/** `users`: the node's own. */
export function outsidePresence(
  options: Omit<BoardOptions, 'shardOf' | 'posted'>,
  users: Directory<UserMessage>,
): Outside {
  const shards = new UserShards();
  const shardOf = (user: string): number => shards.of(user);
  const board: Board = new Board({ ...options, shardOf, posted: (bytes) => soft.receive(bytes, users) });
  const soft = new SoftPost(options.world, board);
  return { board, soft };
}
