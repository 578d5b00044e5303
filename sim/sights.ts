// Owns the forms of what the wire says, as docs/wire.md has it and the checker reads it (wiretap.ts).
// Invariant: chats and users are named in full, bytes are digits or text.
// Must not: decode.

import type { ChatId } from './record.js';

/** One connection as the node's side saw it. */
export interface Tap {
  readonly link: number;
  readonly node: string;
  readonly device: string;
  /** '' until WELCOME. */
  user: string;
  /** Of the WELCOME: the device's own id, without its user. */
  deviceId: string;
  /** Still open at the end of the record. */
  open: boolean;
  readonly opened: number;
}

/** An entry as a frame told it. */
export interface WireEntry {
  readonly chat: ChatId;
  readonly seq: number;
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly from: string;
  /** Null in an event. */
  readonly body: string | null;
  readonly op: number;
  readonly args: readonly unknown[];
}

export type Told =
  | { readonly kind: 'entry'; readonly entry: WireEntry; readonly by: 'push' | 'page' }
  | { readonly kind: 'sent'; readonly send: Sending; readonly seq: number; readonly durability: number }
  | { readonly kind: 'failed'; readonly send: Sending; readonly code: string; readonly retry: boolean }
  | {
      readonly kind: 'receipt';
      readonly chat: ChatId;
      readonly user: string;
      readonly delivered: number;
      readonly read: number;
    }
  | { readonly kind: 'tally'; readonly chat: ChatId; readonly delivered: number; readonly read: number }
  | { readonly kind: 'cert'; readonly chat: ChatId; readonly head: number; readonly start: number }
  | { readonly kind: 'party'; readonly chat: ChatId; readonly type: number; readonly name: string }
  | { readonly kind: 'typing'; readonly chat: ChatId; readonly user: string; readonly on: boolean }
  | { readonly kind: 'presence'; readonly user: string; readonly online: boolean; readonly precision: number }
  | { readonly kind: 'ok'; readonly asked: Asking; readonly results: readonly unknown[] }
  | { readonly kind: 'error'; readonly asked: Asking | null; readonly code: string }
  | { readonly kind: 'welcome' }
  | { readonly kind: 'synced' }
  /** What cannot be read as docs/wire.md says. */
  | { readonly kind: 'garbled'; readonly why: string };

/** A SEND as it reached the node. */
export interface Sending {
  readonly chat: ChatId;
  readonly id: string;
  readonly body: string;
}

/** A request with a number. */
export interface Asking {
  readonly type: number;
  readonly fields: readonly unknown[];
}

export type Said =
  | { readonly kind: 'hello'; readonly credit: number }
  | ({ readonly kind: 'send' } & Sending)
  | {
      readonly kind: 'ack';
      readonly chat: ChatId;
      readonly delivered: number;
      readonly read: number;
      readonly by: 'ack' | 'read' | 'sync';
    }
  | { readonly kind: 'sync'; readonly more: boolean }
  | { readonly kind: 'credit'; readonly n: number }
  | { readonly kind: 'watch'; readonly chat: ChatId; readonly on: boolean }
  | { readonly kind: 'ask'; readonly asked: Asking }
  | { readonly kind: 'other' };

export type Seen = { readonly at: number; readonly tap: Tap } & (
  | { readonly way: 'out'; readonly what: Told }
  | { readonly way: 'in'; readonly what: Said }
);
