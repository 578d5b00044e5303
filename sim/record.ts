// Owns the record: everything that outsiders of one history saw, as facts in the order in which they happened.
// Invariant: a fact is what somebody saw or did (an application, a wire, a disk, an operator), never the product's own
// belief; whatever judges the record needs nothing else.
// Must not: judge, or know the product's types.

import type { Plan } from './plan.js';

/** 32 hexadecimal digits. */
export type ChatId = string;
/** A device of the whole world: `user.device`, as `ada.1`. */
export type DeviceName = string;

/** One entry of a chat as an application or a reader was given it. */
export interface Entry {
  readonly seq: number;
  /** UUID as text or as 32 digits; compared without dashes. '' where the onlooker is not told. */
  readonly id: string;
  readonly from: string;
  readonly type: 'message' | 'event';
  /** Of a message: the whole body as text; '' in an event. */
  readonly body: string;
  /** Of an event: what it says, in the words of docs/client.md; null in a message. */
  readonly event: EventSays | null;
}

export interface EventSays {
  /** `created`, `added`, `removed`, `left`, `joined`, `erased`, `deleted`, `expired`, … */
  readonly change: string;
  readonly users: readonly string[];
  readonly title?: string;
  readonly role?: string;
  readonly on?: boolean;
  readonly seconds?: number;
  /** Of `deleted`. */
  readonly target?: number;
  /** Of `expired`. */
  readonly first?: number;
  readonly last?: number;
}

/** One run of the application on a device: `life` is 1, 2, 3, …, another installation that took over included. */
interface Life {
  readonly device: DeviceName;
  readonly life: number;
}

/** What an application did and what its SDK told it. */
export type ApplicationFact =
  /** Before anything else of this life. `fresh`: on an empty store (the first life, or the first after a removal of the device). */
  | (Life & { readonly kind: 'start'; readonly user: string; readonly fresh: boolean })
  /** `killed`: without a word, an unflushed tail of its store is lost. Else the SDK's last state. Nothing follows in this life. */
  | (Life & { readonly kind: 'end'; readonly how: 'closed' | 'killed' | 'replaced' | 'failed'; readonly code: string })
  | (Life & { readonly kind: 'state'; readonly state: string })
  /** The id of a chat of the plan became known. */
  | (Life & { readonly kind: 'named'; readonly chat: ChatId; readonly name: string })
  /** `chat.send` was called; `chat` is the plan's name. Bodies are unique in a history. */
  | (Life & { readonly kind: 'send'; readonly name: string; readonly body: string })
  /** `send` resolved (`promise`), or the event `sent` came, which also tells of an earlier life's. */
  | (Life & {
      readonly kind: 'sent';
      readonly by: 'promise' | 'event';
      readonly chat: ChatId;
      readonly id: string;
      readonly body: string;
      readonly seq: number;
    })
  /** `send` rejected, or the event `failed` came. A promise that rejects with `closed` settles nothing. */
  | (Life & {
      readonly kind: 'failed';
      readonly by: 'promise' | 'event';
      readonly body: string;
      readonly code: string;
    })
  /** The listener of `message` or `event` was called. */
  | (Life & { readonly kind: 'shown'; readonly chat: ChatId; readonly entry: Entry })
  /** What that listener returned has resolved. */
  | (Life & { readonly kind: 'handled'; readonly chat: ChatId; readonly seq: number })
  | (Life & { readonly kind: 'truncated'; readonly chat: ChatId; readonly from: number; readonly to: number })
  | (Life & {
      readonly kind: 'deleted';
      readonly chat: ChatId;
      readonly seqs: readonly number[];
      readonly everyone: boolean;
    })
  | (Life & { readonly kind: 'expired'; readonly chat: ChatId; readonly first: number; readonly last: number })
  | (Life & {
      readonly kind: 'receipt';
      readonly chat: ChatId;
      /** '' for a tally: every other member. */
      readonly user: string;
      readonly delivered: number;
      readonly read: number;
    })
  /** The application said that its user has read up to here. */
  | (Life & { readonly kind: 'read'; readonly chat: ChatId; readonly seq: number })
  | (Life & { readonly kind: 'typing'; readonly chat: ChatId; readonly user: string; readonly on: boolean })
  | (Life & { readonly kind: 'presence'; readonly user: string; readonly online: boolean; readonly precision: string })
  /** Any other request; `request` is unique in the history, `what` the plan's verb (`add`, `remove`, `block`, …). */
  | (Life & {
      readonly kind: 'asked';
      readonly request: number;
      readonly what: string;
      /** '' where it concerns no chat, or its id is not known yet. */
      readonly chat: ChatId;
      readonly users: readonly string[];
      /** Numbers it is about (deleted, hidden, cleared up to, expiry, …). */
      readonly values: readonly number[];
    })
  | (Life & {
      readonly kind: 'answered';
      readonly request: number;
      /** '' for success. */
      readonly code: string;
      /** The event's number, where the answer has one; else 0. */
      readonly seq: number;
      readonly chat: ChatId;
    })
  /** The SDK's event `error`. */
  | (Life & { readonly kind: 'error'; readonly code: string; readonly detail: string });

/** What went over the wire and onto the disk. Bytes are the record's own: copied. */
export type WireFact =
  /** A handshake came through. `device` is who dialled; '' for a hostile client. Links are unique in the history. */
  | { readonly kind: 'link'; readonly link: number; readonly node: string; readonly device: DeviceName }
  /** The node handed this frame to its socket (whether or not it arrives). */
  | { readonly kind: 'out'; readonly link: number; readonly bytes: Uint8Array }
  /** The node got this frame. */
  | { readonly kind: 'in'; readonly link: number; readonly bytes: Uint8Array }
  /** The node's side of the link ended; nothing follows on it. */
  | { readonly kind: 'unlink'; readonly link: number; readonly code: number }
  /** These rows survive any crash from now on, in the order of the disk; before any answer to their commit, and at a crash for the groups it keeps. */
  | { readonly kind: 'flushed'; readonly disk: string; readonly writes: readonly DiskWrite[] };

export interface DiskWrite {
  readonly key: Uint8Array;
  /** Null: removed. */
  readonly value: Uint8Array | null;
  /** The process that asked for it, where several share a store: `n1#2` is the second life of n1. */
  readonly by?: string;
}

/** What the world did. */
export type WorldFact =
  /** The first fact of a record. */
  | { readonly kind: 'plan'; readonly plan: Plan }
  /** One of FAULTS took effect. `whom`: node, device, link or disk. */
  | { readonly kind: 'fault'; readonly fault: Fault; readonly whom: string; readonly detail: string }
  /** A process of a node begins, or is over: killed, or ended by itself. Only in a cluster. */
  | { readonly kind: 'process'; readonly node: string; readonly process: string; readonly alive: boolean }
  /** All faults are over: what follows must converge. */
  | { readonly kind: 'calm' }
  /** The runner waited for rest: `ms` virtual ms since calm, and whether it came. */
  | { readonly kind: 'rest'; readonly reached: boolean; readonly ms: number; readonly why: string }
  /** Something that must never happen: an unhandled rejection, a failed assertion, an actor's crash that no fault caused. */
  | { readonly kind: 'trouble'; readonly where: string; readonly what: string };

/** What is read when all is quiet. */
export type RestFact =
  /** Every page of HISTORY that this user gets of a chat, oldest first. Of every chat that he ever saw. */
  | { readonly kind: 'log'; readonly user: string; readonly chat: ChatId; readonly entries: readonly Entry[] }
  /** INFO of a chat, asked by a present member. */
  | { readonly kind: 'info'; readonly user: string; readonly chat: ChatId; readonly members: readonly Standing[] }
  /** `session.chats()` of a live device. */
  | { readonly kind: 'list'; readonly device: DeviceName; readonly chats: readonly Listed[] }
  /** Sends that this device's outbox still holds. */
  | { readonly kind: 'pending'; readonly device: DeviceName; readonly bodies: readonly string[] }
  /** Sizes of what must be bounded; `rest` where nothing is going on any more. Also taken during the history. */
  | { readonly kind: 'probe'; readonly node: string; readonly rest: boolean; readonly gauges: readonly Gauge[] }
  /** What a node of a cluster tells its operators: members, and of each shard which node it takes for the owner ('' for none). */
  | {
      readonly kind: 'shards';
      readonly node: string;
      readonly members: readonly string[];
      readonly owners: readonly string[];
      /** Shards that it takes for its own. */
      readonly mine: readonly number[];
    };

export interface Standing {
  readonly user: string;
  /** `member`, `admin`, `owner`; `gone` for one who was. */
  readonly role: string;
  readonly delivered: number;
  readonly read: number;
}

export interface Listed {
  readonly chat: ChatId;
  readonly head: number;
  readonly read: number;
  readonly unread: number;
  readonly muted: number;
  readonly pinned: number;
  readonly archived: boolean;
  readonly markedUnread: boolean;
}

/** A size and its bound. */
export interface Gauge {
  readonly name: string;
  readonly value: number;
  readonly most: number;
}

/** `at`: virtual ms since the history began. */
export type Fact = { readonly at: number } & (ApplicationFact | WireFact | WorldFact | RestFact);

/** Every kind of fault that the world knows; coverage is told by these names. */
export const FAULTS = [
  'node_crash',
  'node_stop',
  'node_freeze',
  'node_slow',
  'disk_lost_tail',
  'disk_stall',
  'disk_full',
  'disk_unavailable',
  'commit_conflict',
  'commit_unknown_applied',
  'commit_unknown_dropped',
  'link_cut',
  'link_cut_midway',
  'link_half_open',
  'link_stops_reading',
  'link_slow',
  'client_kill',
  'client_lost_tail',
  'client_close',
  'client_offline',
  'client_takeover',
  'client_store_fails',
  'hostile',
  'handler_crash',
  'passivated',
  'mailbox_shrunk',
  'clock_jump',
] as const;

/** Those that only several nodes can meet. */
export const CLUSTER_FAULTS = [
  'node_vanish',
  'node_zombie',
  'node_drain',
  'node_join',
  'node_upgrade',
  'wire_cut',
  'wire_half_open',
  'wire_one_way',
  'wire_slow',
  'wire_replay',
  'store_one_way',
  'store_stall',
  'store_crash',
  'store_timeout',
  'commit_late',
  'commit_lost',
] as const;
export type Fault = (typeof FAULTS)[number] | (typeof CLUSTER_FAULTS)[number];
