// Owns the form that MESSAGE, EVENT and the rows of PAGE have in common, with their refs resolved.
// Invariant: what is in the frame is in the item.
// Must not: decide anything.

import { type Plain, T } from '../transport/frames.js';
import type { Item } from './chat-log.js';

type Row =
  | {
      readonly type: 34;
      readonly seq: number;
      readonly id: Uint8Array;
      readonly lag: number;
      readonly body: Uint8Array;
    }
  | {
      readonly type: 35;
      readonly seq: number;
      readonly id: Uint8Array;
      readonly lag: number;
      readonly op: number;
      readonly args: readonly Plain[];
    };

/** `paid`: it cost credit. */
export function itemOf(row: Row, from: string, paid: boolean): Item {
  const { seq, id, lag } = row;
  const content =
    row.type === T.MESSAGE
      ? ({ type: 'message', body: row.body } as const)
      : ({ type: 'event', op: row.op, args: row.args } as const);
  return { from, seq, id, lag, content, paid };
}
