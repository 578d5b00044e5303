// Owns an event of a chat before it has its number: what it says, and what it changes.
// Invariant: whatever changes a chat's members or settings is an event, and takes its place in line like any message.
// Must not: decide who may cause it.

import type { ChatSettings, Inbox } from '../storage/rows.js';
import type { Plain } from '../transport/frames.js';
import { encodeEventRow } from '../transport/row.js';
import type { Chat } from './chat.js';
import { Entry } from './entry.js';
import { idText, idTime } from './message-id.js';
import type { Waiter } from './waiter.js';

/** What an event does to a chat. */
export interface Change {
  /** `former`: the view that a returning user had, so that old stays remain visible. */
  readonly joined: readonly { readonly user: string; readonly role: number; readonly former: Inbox | null }[];
  readonly gone: readonly string[];
  /** New roles of present members. */
  readonly roles: readonly { readonly user: string; readonly role: number }[];
  readonly settings?: Partial<ChatSettings>;
}

export const noChange: Change = { joined: [], gone: [], roles: [] };

export interface ChatEvent {
  /** OP. */
  readonly op: number;
  readonly args: readonly Plain[];
  readonly change: Change;
}

/** The event's entry; one that nobody waits for goes into the same append as the next. */
export function eventEntry(
  chat: Chat,
  from: string,
  id: Uint8Array,
  { op, args, change }: ChatEvent,
  waiter: Waiter | null,
): Entry {
  const at = chat.tick();
  const row = encodeEventRow(from, id, at - idTime(id), op, args);
  return new Entry(from, id, idText(id), at, row, change, waiter);
}
