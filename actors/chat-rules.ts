// Owns what differs between the kinds of chat, and makes a behaviour of a kind's rules.
// Invariant: rules decide; what they decide is appended, answered and told by the chat.
// Must not: hold state.

import type { ChatRow } from '../storage/rows.js';
import type { Telling } from '../storage/untold.js';
import type { Behaviour, Context } from './behaviour.js';
import { Chat } from './chat.js';
import type { DevicePosition } from './cursor.js';
import type { DeletionRequest } from './deletion.js';
import type { Refusal } from './errors.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { ChatInfo, ChatMessage, SendMessage } from './messages.js';
import type { Newcomers } from './newcomers.js';
import { overflowOf } from './overflow.js';
import type { Roster } from './roster.js';
import type { RequestMessage } from './waiter.js';

export type ChatContext = Context<ChatMessage, Tag>;

/** What differs between the kinds of chat. */
export interface ChatRules {
  /**
   * Makes the chat (null) if this send may do that; the send is appended next. `blockers`: those of its two users who block
   * the other; `ask`: they must be known first.
   */
  found(chat: Chat, send: SendMessage, blockers: readonly string[] | null): Refusal | 'ask' | null;
  /** Why this member may not send now, or null. */
  barred(roster: Roster, user: string): Refusal | null;
  /** Handles a request whose id is new. `newcomers`: what `readNewcomers` read, null before. */
  request(chat: Chat, message: RequestMessage, newcomers: Newcomers | null, context: ChatContext): void;
  info(id: Uint8Array, key: string, row: ChatRow): ChatInfo;
}

/** What a signal answers. `round` tells one life of the state in memory from the next. */
export type Tag =
  | { readonly type: 'image'; readonly round: number }
  | { readonly type: 'append'; readonly round: number }
  | { readonly type: 'survey'; readonly round: number }
  | { readonly type: 'blockers'; readonly round: number; readonly heard: number; readonly message: SendMessage }
  | { readonly type: 'known'; readonly round: number; readonly message: SendMessage | RequestMessage }
  | { readonly type: 'newcomers'; readonly round: number; readonly message: RequestMessage }
  | { readonly type: 'target'; readonly round: number; readonly message: DeletionRequest }
  | { readonly type: 'idle' }
  | { readonly type: 'cursors' }
  | { readonly type: 'tally' }
  | { readonly type: 'count' }
  | { readonly type: 'typing' }
  | { readonly type: 'positions'; readonly question: Extract<ChatMessage, { type: 'positions' }> }
  | { readonly type: 'former'; readonly round: number; readonly position: DevicePosition }
  | { readonly type: 'leavers'; readonly round: number; readonly telling: Telling }
  | { readonly type: 'reload' };

/** What names a chat's actor and gives it its node. */
export interface ChatArgs {
  readonly fabric: Fabric;
  readonly key: string;
}

export function chatBehaviour(kind: string, rules: ChatRules): Behaviour<Chat, ChatMessage, ChatArgs, Tag> {
  return {
    kind,
    level: 'interactive',
    capacity: LIMITS.conversationMailbox,
    init: (context, { fabric, key }) => new Chat(rules, fabric, key, context),
    receive: (chat, message, context) => {
      chat.receive(message, context);
      if (chat.roster === null) chat.leaveIfNothing(context);
    },
    signal: (chat, signal, context) => {
      chat.signal(signal, context);
      if (chat.roster === null) chat.leaveIfNothing(context);
    },
    settled: (chat, context) => chat.settled(context),
    terminated: (chat) => chat.end(),
    ...overflowOf,
  };
}
