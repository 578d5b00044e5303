// Owns the events of a session as the application sees them.
// Invariant: fields are only ever added.
// Must not: hold behaviour.

import type { Chat } from './chat.js';
import type { StateChange } from './connection.js';
import type { WeftError } from './errors.js';
import type { GroupEvent, Message } from './message.js';

export interface UserPresence {
  readonly user: string;
  readonly online: boolean;
  /** ms since 1970; 0: unknown. */
  readonly lastSeen: number;
  /**
   * `exact`; `coarse`: too many watch, so changes come once a minute and `lastSeen` is rounded; `count`: told only as
   * part of counts from now on; `hidden`: not for this user to see; `unknown`: the server cannot tell now, and says so when
   * it can again. In the last three `online` says nothing.
   */
  readonly precision: Precision;
}

export const PRECISIONS = ['exact', 'coarse', 'count', 'hidden', 'unknown'] as const;
export type Precision = (typeof PRECISIONS)[number];

export interface SessionEvents {
  /** Somebody's message, or one of this user's other devices. Once, in order of `seq` within its chat; a promise that a
   * listener returns holds back the chat's next one, and the cursor. */
  message: Message;
  /** A change of a chat: members, settings, deletions. In one order with the messages of its chat. */
  event: GroupEvent;
  /**
   * Entries whose content is gone: `everyone` by a `deleted` event, else this user deleted them for himself, here or on
   * another device. A promise holds back the chat's next entry where another device deleted for everyone.
   */
  deleted: { readonly chat: Chat; readonly seqs: readonly number[]; readonly by: string; readonly everyone: boolean };
  /** Of the entries from `first` to `last` some ended before everyone had them, by the chat's timer or the node's. */
  expired: { readonly chat: Chat; readonly first: number; readonly last: number };
  /** Messages between `from` and `to` (inclusive) will not come: expired, or the user was no member. */
  truncated: { readonly chat: Chat; readonly from: number; readonly to: number };
  /** A user's positions in a chat rose. */
  receipt: { readonly chat: Chat; readonly user: string; readonly delivered: number; readonly read: number };
  /** In place of receipts in large groups: every other member has, and has read, everything up to here. */
  tally: { readonly chat: Chat; readonly delivered: number; readonly read: number };
  presence: UserPresence;
  /** How many of a large group's members are online, in place of `presence`. */
  count: { readonly chat: Chat; readonly online: number };
  typing: { readonly chat: Chat; readonly user: string; readonly on: boolean };
  state: StateChange;
  /** The server has told the state of all chats of this connection; what was missing follows. */
  synced: { readonly chats: number };
  /** The user's marks of a chat changed, here or on another device: `chat.marks`. */
  marks: { readonly chat: Chat };
  /** Somebody one chats with has another profile: `session.profile(user)` gets it. */
  profile: { readonly user: string; readonly version: number };
  /** The user blocks somebody, or no longer does, on another device. */
  blocked: { readonly user: string; readonly on: boolean };
  /** A chat became known, its title or settings changed, or its count of unread messages other than by a message. */
  chat: { readonly chat: Chat };
  /** An own message was acknowledged, also one of an earlier run of the application. */
  sent: { readonly chat: Chat; readonly id: string; readonly seq: number };
  /** An own message was refused for good and left the outbox. */
  failed: { readonly chat: Chat; readonly id: string; readonly error: WeftError };
  /** What went wrong without a call to reject. The session goes on unless `state` says otherwise. */
  error: WeftError;
}
