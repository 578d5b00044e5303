// Owns what actors say to each other: one union per kind of actor.
// Invariant: messages are immutable values; a body is shared by all who get it and never copied between actors.
// Must not: hold behaviour.
//
//   socket ─ frame ─▶ connection ─ send ─▶ conversation / group ─ delivery ─▶ user ─ delivery ─▶ connection ─▶ socket

import type { MarksRow } from '../storage/account-rows.js';
import type { Telling } from '../storage/untold.js';
import type { ClientFrame, Plain } from '../transport/frames.js';
import type { Code, Refusal } from './errors.js';
import type { Ref, Reply } from './ref.js';

export type ConnectionRef = Ref<ConnectionMessage>;

/** What a connection must know of a chat to name it to its client. */
export interface ChatInfo {
  readonly chat: Uint8Array;
  /** Hex of the id. */
  readonly key: string;
  readonly kind: number;
  /** The two users of a direct chat, in order; null for a group. */
  readonly pair: readonly [string, string] | null;
  /** Title of a group, '' for a direct chat. */
  readonly title: string;
}

/** The chat's name as `user` sees it. */
export function nameFor(info: ChatInfo, user: string): string {
  if (info.pair === null) return info.title;
  return info.pair[0] === user ? info.pair[1] : info.pair[0];
}

/** One durable entry of a chat's log, for the members. */
export interface Told {
  readonly from: string;
  /** As stored (transport/row.ts). */
  readonly row: Uint8Array;
  /** The connection that sent it: its client has it, and SENT goes there by a way of its own. */
  readonly origin: ConnectionRef | null;
}

/** Durable entries of a chat's log on their way to the members: those of one append that the same members get. */
export interface Delivery {
  readonly type: 'delivery';
  readonly info: ChatInfo;
  /** Number of the first. */
  readonly seq: number;
  /** One at least; each has the number after the one before. */
  readonly entries: readonly Told[];
  /** Users whose view of the chat begins here: with the only entry that there is then. */
  readonly joined: readonly string[];
  /** It may have been told before, by a node that is no more: says only how far the log goes, and the only `row` is empty. */
  readonly again?: true;
}

/** Number of the last. */
export function lastOf({ seq, entries }: Delivery): number {
  return seq + entries.length - 1;
}

export interface ReceiptNews {
  readonly type: 'receipt';
  readonly info: ChatInfo;
  readonly user: string;
  /** The device that moved the cursors, which need not be told; '' when more than one did, or it was asked for. */
  readonly device: string;
  readonly delivered: number;
  readonly read: number;
}

/** The same of a large group: all members but the one who is told. */
export interface TallyNews {
  readonly type: 'tally';
  readonly info: ChatInfo;
  readonly delivered: number;
  readonly read: number;
}

export interface TypingNews {
  readonly type: 'typing';
  readonly info: ChatInfo;
  readonly user: string;
  readonly on: boolean;
}

export interface PresenceNews {
  readonly type: 'presence';
  readonly user: string;
  readonly online: boolean;
  /** Wall ms; 0 unknown. */
  readonly lastSeen: number;
  /** PRECISION in transport/frames.ts. */
  readonly precision: number;
  /** By the board, to a connection of its own node, for the client. Else, where there is a board, it says what may be shown. */
  readonly shown?: true;
}

/** How many members of a large chat are online. */
export interface CountNews {
  readonly type: 'count';
  readonly info: ChatInfo;
  readonly count: number;
}

/** What the members of a chat get told; a user passes it to each of its connections. */
export type News = Delivery | ReceiptNews | TallyNews | TypingNews;

/** SENDs of one chat are stored: `count` of them, from `n` on, with numbers from `seq` on. */
export interface SentMessage {
  readonly type: 'sent';
  readonly n: number;
  readonly seq: number;
  /** How many were told of each. */
  readonly members: number;
  readonly count: number;
}

export type ConnectionMessage =
  | News
  | PresenceNews
  | CountNews
  /** Nothing of the user's presence is to be shown any more. */
  | { readonly type: 'unviewed'; readonly user: string }
  /** `bytes`: size of the frame as it came. `unread`: of a SEND that came while its client had used up its rate; its body is not there. */
  | { readonly type: 'frame'; readonly frame: ClientFrame; readonly bytes: number; readonly unread?: true }
  /** A long frame as it came: it is decoded in its connection's turn, so that others have theirs in between. */
  | { readonly type: 'raw'; readonly raw: Uint8Array; readonly bytes: number }
  | { readonly type: 'violation'; readonly code: Code; readonly close: number; readonly detail: string }
  | SentMessage
  | ({ readonly type: 'failed'; readonly n: number } & Refusal)
  /** `members`: how many were told of the event that the request made. */
  | { readonly type: 'answer'; readonly r: number; readonly results: readonly Plain[]; readonly members?: number }
  | ({ readonly type: 'refused'; readonly r: number } & Refusal)
  /** Answer to `register`. */
  | { readonly type: 'registered'; readonly round: number; readonly registration: Registration }
  | { readonly type: 'replaced' }
  /** The device was removed from its user's. */
  | { readonly type: 'removed' }
  /** The profile of somebody with whom the user shares a chat is another one, or the user's own, by another device. */
  | { readonly type: 'profiled'; readonly user: string; readonly version: number }
  /** A device of the user, perhaps this one, marked the chat. */
  | { readonly type: 'marked'; readonly chat: Uint8Array; readonly marks: MarksRow }
  /** Another device of the user changed the block list. */
  | { readonly type: 'blocked'; readonly user: string; readonly on: boolean }
  /** The chat's receipts, which this connection wanted, could not be passed on. */
  | { readonly type: 'unpassed'; readonly key: string; readonly large: boolean }
  | { readonly type: 'resync' }
  | { readonly type: 'drained' }
  /** Chats or users may have another owner, who does not know what this connection's client has open. `chat`: that it has this one open did
   * not reach the chat, or one of its members. */
  | { readonly type: 'rewatch'; readonly chat: string | null }
  /** `target`: where to connect then, '' where the client came. */
  | { readonly type: 'goaway'; readonly after: number; readonly reason: string; readonly target: string };

/** Null: the device is on record and its connection is told of everything from now on. */
export type Registration = Refusal | null;

export type UserMessage =
  | News
  | {
      readonly type: 'register';
      readonly device: string;
      /** When its token was issued, wall ms; 0: it does not say. */
      readonly issued: number;
      readonly connection: ConnectionRef;
      /** Tells this attempt of the connection from its others. */
      readonly round: number;
      /** When the connection was made, wall ms of its node. */
      readonly since: number;
      /** It was made a while ago: the user's actor is another one than the first time, or out of reach until now, or the node stood still. */
      readonly late: boolean;
    }
  /** A client asks for, or changes, what its user owns. */
  | { readonly type: 'request'; readonly asker: Asker; readonly frame: AccountFrame }
  /** The profile of `user`, with whom this one shares a chat, is another one. */
  | { readonly type: 'profiled'; readonly user: string; readonly version: number }
  /** `user` blocks this one from now on, or does not any more. */
  | { readonly type: 'blocked'; readonly user: string; readonly on: boolean }
  /** A connection of `watcher` is to be told of this user's presence, by way of the chat, which makes it a contact or not. */
  | {
      readonly type: 'watched';
      readonly connection: ConnectionRef;
      readonly watcher: string;
      readonly chat: string;
      readonly contact: boolean;
    }
  /** It has closed that chat. This and the next only where users may live on other nodes than the chats they are watched by. */
  | { readonly type: 'unwatched'; readonly connection: ConnectionRef; readonly chat: string }
  /** `user` (perhaps this one) has left the chat: neither of the two watches the other by way of it; '': nobody watches anybody. */
  | { readonly type: 'parted'; readonly chat: string; readonly user: string }
  /** News for this user were lost on their way: the connections' clients have to say where they stand. */
  | { readonly type: 'resync' }
  /** Those who watch this user by way of the chat have become contacts. */
  | { readonly type: 'contact'; readonly chat: string }
  /** For one connection alone, in one order with what all of them get. */
  | { readonly type: 'pass'; readonly connection: ConnectionRef; readonly news: ReceiptNews | TallyNews };

/** Requests that the user's actor answers. */
export type AccountFrame = Extract<ClientFrame, { type: 20 | 21 | 23 | 24 | 25 }> | MarkRequest;

/** A MARK with the chat's id. */
export type MarkRequest = Omit<Extract<ClientFrame, { type: 27 }>, 'chat'> & { readonly chat: Uint8Array };

/** Who asks, and how to answer. */
export interface Asker {
  readonly user: string;
  readonly connection: ConnectionRef;
  readonly r: number;
}

export interface SendMessage {
  readonly type: 'send';
  readonly user: string;
  readonly connection: ConnectionRef;
  readonly n: number;
  readonly id: Uint8Array;
  /** The id as map key (message-id.ts). */
  readonly idText: string;
  /**
   * Id of the send before this one on the same connection and chat, if that is unanswered. Unless the chat accepted it,
   * this one is refused too: otherwise a refused send, retried, would land behind a later one of the same sender.
   */
  readonly after: string | null;
  readonly body: Uint8Array;
  /** The users of a direct chat, where the connection knows them: the first send makes the chat. */
  readonly pair: readonly [string, string] | null;
}

export type ChatMessage =
  | SendMessage
  | {
      readonly type: 'cursor';
      readonly user: string;
      readonly device: string;
      readonly delivered: number;
      readonly read: number;
    }
  /** Of a direct chat: `user` blocks the other one from now on, or does not any more. */
  | { readonly type: 'blocked'; readonly user: string; readonly on: boolean }
  /** The device was removed: its position does not count any more. */
  | { readonly type: 'forget'; readonly user: string; readonly device: string }
  | { readonly type: 'typing'; readonly user: string; readonly connection: ConnectionRef; readonly on: boolean }
  | { readonly type: 'watch'; readonly user: string; readonly connection: ConnectionRef; readonly on: boolean }
  | { readonly type: 'receipts'; readonly user: string; readonly connection: ConnectionRef }
  | { readonly type: 'info' | 'invite'; readonly asker: Asker }
  /** The sweeper gives the chat its turn; answered with a Swept. */
  | { readonly type: 'sweep'; readonly reply: Reply }
  | { readonly type: 'positions'; readonly asker: Asker; readonly seq: number }
  /** The node that had the chat before may have ended before it told the members: its newest entry is told again. */
  | { readonly type: 'recover'; readonly telling: Telling }
  | {
      readonly type: 'create';
      readonly asker: Asker;
      readonly id: Uint8Array;
      readonly title: string;
      readonly users: readonly string[];
    }
  | {
      readonly type: 'change';
      readonly asker: Asker;
      readonly id: Uint8Array;
      readonly op: number;
      readonly users: readonly string[];
      readonly args: readonly Plain[];
    }
  /** `secret`: what the link has beside the chat's id. */
  | { readonly type: 'join'; readonly asker: Asker; readonly id: Uint8Array; readonly secret: Uint8Array };
