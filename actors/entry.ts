// Owns one message or event of a chat on its way into the log.
// Invariant: all entries are made here, in one shape, so that the code each message passes stays monomorphic.
// Must not: hold behaviour.

import type { Change } from './chat-event.js';
import type { Waiter } from './waiter.js';

export class Entry {
  readonly from: string;
  readonly id: Uint8Array;
  readonly idText: string;
  /** Wall ms of its acceptance; never falls within a chat. */
  readonly at: number;
  /** As stored (transport/row.ts). */
  readonly row: Uint8Array;
  readonly change: Change | null;
  readonly waiters: Waiter[];
  /** The next entry goes into the same append: neither is durable without the other. */
  readonly tied: boolean;
  /** An earlier entry that this one replaces, by what is left of it. */
  erases: { readonly seq: number; readonly row: Uint8Array } | null = null;
  /** 0 until composed. */
  seq = 0;

  constructor(
    from: string,
    id: Uint8Array,
    idText: string,
    at: number,
    row: Uint8Array,
    change: Change | null,
    waiter: Waiter | null,
  ) {
    this.from = from;
    this.id = id;
    this.idText = idText;
    this.at = at;
    this.row = row;
    this.change = change;
    this.waiters = waiter === null ? [] : [waiter];
    this.tied = waiter === null;
  }
}
