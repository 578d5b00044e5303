// Owns the vocabulary of the wire protocol (docs/wire.md): type tags, codes, and the decoded form of each frame.
// Invariant: numbers and codes here are public and never change meaning; frames only ever gain trailing fields.
// Must not: hold bytes or behaviour (codec.ts encodes and decodes). Shared by server and SDK: no Node built-ins.

export const WIRE_VERSION = 1;
export const SUBPROTOCOL = 'weft.v1';

/** A chat as written on the wire: its 16-byte id, or an alias of this connection. */
export type ChatRef = Uint8Array | number;
/** A user as written on the wire: the id, or an alias of this connection. */
export type UserRef = string | number;

/** Frame types. 1-31 from the client, 32-63 from the server. */
export const T = {
  HELLO: 1,
  SEND: 2,
  ACK: 3,
  READ: 4,
  CREDIT: 5,
  SYNC: 6,
  DIRECT: 7,
  CREATE: 8,
  CHANGE: 9,
  HISTORY: 10,
  LIST: 11,
  INFO: 12,
  TYPING: 13,
  WATCH: 14,
  PING: 15,
  TOKEN: 16,
  INVITE: 17,
  JOIN: 18,
  RECEIPTS: 19,
  DEVICES: 20,
  DEVICE: 21,
  PROFILE: 22,
  DESCRIBE: 23,
  PRIVACY: 24,
  BLOCK: 25,
  BLOCKS: 26,
  MARK: 27,
  MARKS: 28,
  WELCOME: 32,
  SENT: 33,
  MESSAGE: 34,
  EVENT: 35,
  RECEIPT: 36,
  CERT: 37,
  SYNCED: 38,
  CHAT: 39,
  USER: 40,
  OK: 41,
  ERROR: 42,
  TYPING_OF: 43,
  PRESENCE: 44,
  PAGE: 45,
  RESYNC: 46,
  GOAWAY: 47,
  PONG: 48,
  FAILED: 49,
  TALLY: 50,
  COUNT: 51,
  PROFILED: 52,
  MARKED: 53,
  BLOCKED: 54,
} as const;

export const DURABILITY = { memory: 0, flushed: 1, replicated: 2 } as const;
export const CHAT_KIND = { direct: 1, group: 2 } as const;
export const ROLE = { gone: 0, member: 1, admin: 2, owner: 3 } as const;
/** What a chat's event says: `op` of EVENT, and of CHANGE where a client may ask for it. */
export const OP = {
  created: 1,
  added: 2,
  removed: 3,
  left: 4,
  owner: 5,
  role: 6,
  title: 7,
  avatar: 8,
  announce: 9,
  invite: 10,
  asked: 11,
  declined: 12,
  expiry: 13,
  deleted: 14,
  /** In place of an entry whose content is gone; it keeps the number. */
  erased: 15,
  /** Entries ended before everyone had them. */
  expired: 16,
  joined: 17,
} as const;
/** How an invite link lets people in. */
export const INVITE_MODE = { none: 0, open: 1, approval: 2 } as const;
/** Where a user stands after JOIN; `none`: a late retry, and it is over. */
export const JOINED = { none: 0, member: 1, waiting: 2 } as const;
/** `op` of DEVICE. */
export const DEVICE_OP = { rename: 1, remove: 2 } as const;
/** Who may see a user's presence. */
export const AUDIENCE = { everyone: 0, contacts: 1, nobody: 2 } as const;
/** How exact a PRESENCE is. */
export const PRECISION = { exact: 0, coarse: 1, count: 2, hidden: 3, unknown: 4 } as const;
/** `op` of MARK: a user's own state of a chat. */
export const MARK_OP = { muted: 1, pinned: 2, archived: 3, unread: 4, cleared: 5, hidden: 6 } as const;

export const CLOSE = {
  normal: 1000,
  goingAway: 1001,
  tooBig: 1009,
  badFrame: 4400,
  auth: 4401,
  authTimeout: 4408,
  replaced: 4409,
  flood: 4413,
  tooMany: 4429,
  removed: 4410,
  failed: 4500,
} as const;

export interface SyncEntry {
  readonly chat: Uint8Array;
  readonly seq: number;
  readonly read: number;
  readonly flags: number;
}

/** Those of a SYNC frame: a list, or packed as they are when read (sync-list.ts). */
export interface SyncEntries extends Iterable<SyncEntry> {
  readonly length: number;
}

export type ClientFrame =
  | { type: 1; version: number; token: string; credit: number; agent: string }
  | { type: 2; chat: ChatRef; id: Uint8Array; body: Uint8Array }
  | { type: 3; chat: ChatRef; seq: number }
  | { type: 4; chat: ChatRef; seq: number }
  | { type: 5; n: number }
  | { type: 6; entries: SyncEntries; more: boolean; backfill: number }
  | { type: 7; r: number; user: string }
  | { type: 8; r: number; id: Uint8Array; title: string; users: string[] }
  | { type: 9; r: number; chat: ChatRef; id: Uint8Array; op: number; users: string[]; args: readonly Plain[] }
  | { type: 10; r: number; chat: ChatRef; before: number; limit: number }
  | { type: 11; r: number; after: Uint8Array | null; limit: number }
  | { type: 12; r: number; chat: ChatRef }
  | { type: 13; chat: ChatRef; on: boolean }
  | { type: 14; chat: ChatRef; on: boolean }
  | { type: 15; n: number }
  | { type: 16; r: number; token: string }
  | { type: 17; r: number; chat: ChatRef }
  | { type: 18; r: number; id: Uint8Array; invite: Uint8Array }
  | { type: 19; r: number; chat: ChatRef; seq: number }
  | { type: 20; r: number }
  | { type: 21; r: number; device: string; op: number; name: string }
  | { type: 22; r: number; user: string; version: number }
  | {
      type: 23;
      r: number;
      name: string;
      avatar: string;
      about: string;
      fields: readonly (readonly [name: string, value: string])[];
    }
  | { type: 24; r: number; audience: number | null }
  | { type: 25; r: number; user: string; on: boolean }
  | { type: 26; r: number }
  | { type: 27; r: number; chat: ChatRef; op: number; value: number; seqs: readonly number[] }
  | { type: 28; r: number; since: number; limit: number };

/** Plain MessagePack value, as far as the protocol uses it. */
export type Plain = number | string | boolean | null | Uint8Array | readonly Plain[];

export interface CertEntry {
  readonly chat: Uint8Array;
  readonly head: number;
  readonly start: number;
  /** Present for chats that the vector lacked. */
  readonly kind?: number;
  readonly name?: string;
}

/** A row of PAGE: like MESSAGE or EVENT, with the sender's whole id. */
export type PageRow =
  | { type: 34; from: string; seq: number; id: Uint8Array; lag: number; body: Uint8Array }
  | { type: 35; from: string; seq: number; id: Uint8Array; lag: number; op: number; args: readonly Plain[] };

export type ServerFrame =
  | {
      type: 32;
      user: string;
      device: string;
      durability: number;
      window: number;
      maxBody: number;
      time: number;
      heartbeat: number;
      expires: number;
    }
  | { type: 33; n: number; seq: number; durability: number }
  | { type: 34; chat: ChatRef; from: UserRef; seq: number; id: Uint8Array; lag: number; body: Uint8Array }
  | {
      type: 35;
      chat: ChatRef;
      from: UserRef;
      seq: number;
      id: Uint8Array;
      lag: number;
      op: number;
      args: readonly Plain[];
    }
  | { type: 36; chat: ChatRef; user: UserRef; delivered: number; read: number }
  | { type: 37; entries: CertEntry[] }
  | { type: 38; chats: number }
  | { type: 39; alias: number; chat: Uint8Array; kind: number; name: string }
  | { type: 40; alias: number; user: string }
  | { type: 41; r: number; results: readonly Plain[] }
  | { type: 42; r: number; code: string; retry: boolean; after: number; detail: string }
  | { type: 43; chat: ChatRef; user: UserRef; on: boolean }
  | { type: 44; user: UserRef; online: boolean; lastSeen: number; precision: number }
  | { type: 45; r: number; rows: PageRow[]; more: boolean }
  | { type: 46 }
  /** `target`: a URL to connect to once; '' where one came. */
  | { type: 47; after: number; reason: string; target: string }
  | { type: 48; n: number }
  | { type: 49; n: number; code: string; retry: boolean; after: number; detail: string }
  | { type: 50; chat: ChatRef; delivered: number; read: number }
  | { type: 51; chat: ChatRef; count: number }
  | { type: 52; user: UserRef; version: number }
  | {
      type: 53;
      chat: Uint8Array;
      version: number;
      muted: number;
      pinned: number;
      archived: boolean;
      unread: boolean;
      cleared: number;
      hidden: readonly number[];
    }
  | { type: 54; user: string; on: boolean };

/** How many elements a frame must have, and how many of them this build knows; the type counts as one. */
export type FieldCounts = readonly [required: number, known: number];

/** A frame of a type that this build does not know: to be ignored. */
export interface UnknownFrame {
  readonly type: 0;
  readonly tag: number;
}
/** Bytes that are no frame: answered `bad_frame`. */
export interface BadFrame {
  readonly type: -1;
  readonly reason: string;
}
