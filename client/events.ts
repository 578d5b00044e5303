// Owns the events of a session as the application sees them.
// Invariant: fields are only ever added.
// Must not: hold behaviour.

import type { Chat } from './chat.js';
import type { StateChange } from './connection.js';
import type { WeftError } from './errors.js';
import type { GroupEvent, Message } from './message.js';

export interface SessionEvents {
  /** Somebody's message, or one of this user's other devices. Once, in order of `seq` within its chat; a promise that a
   * listener returns holds back the chat's next one, and the cursor. */
  message: Message;
  /** A change of a group's members. In one order with the messages of its chat. */
  event: GroupEvent;
  /** Messages between `from` and `to` (inclusive) will not come: expired, or the user was no member. */
  truncated: { readonly chat: Chat; readonly from: number; readonly to: number };
  /** A user's positions in a chat rose. */
  receipt: { readonly chat: Chat; readonly user: string; readonly delivered: number; readonly read: number };
  /** `lastSeen`: ms since 1970, 0 unknown. */
  presence: { readonly user: string; readonly online: boolean; readonly lastSeen: number };
  typing: { readonly chat: Chat; readonly user: string; readonly on: boolean };
  state: StateChange;
  /** The server has told the state of all chats of this connection; what was missing follows. */
  synced: { readonly chats: number };
  /** A chat became known, or its name changed. */
  chat: { readonly chat: Chat };
  /** An own message was acknowledged, also one of an earlier run of the application. */
  sent: { readonly chat: Chat; readonly id: string; readonly seq: number };
  /** An own message was refused for good and left the outbox. */
  failed: { readonly chat: Chat; readonly id: string; readonly error: WeftError };
  /** What went wrong without a call to reject. The session goes on unless `state` says otherwise. */
  error: WeftError;
}
