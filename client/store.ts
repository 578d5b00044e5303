// Owns the contract of a client's store: what must survive a restart of the application.
// Invariant: `write` applies its changes all or none and in the order of the calls; with `durable` it resolves only when
// they survive a crash of the machine. A store serves one session of one user's device at a time.
// Must not: interpret bodies; they are what the application gave.

import type { StoredExtras } from './chat-state.js';
import type { Profile } from './profiles.js';

/** What a client keeps of a chat. */
export interface StoredChat extends StoredExtras {
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** 0 unknown, 1 direct, 2 group. */
  readonly kind: number;
  readonly name: string;
  /** False while it is not known where this device's log of the chat begins; `cursor` means nothing then. */
  readonly placed: boolean;
  /** Everything up to here was handled by the application. */
  readonly cursor: number;
  /** The user has read up to here. */
  readonly read: number;
  /** The user's own newest message. */
  readonly lastOwn: number;
  /** Own sequence numbers above the cursor. */
  readonly own: readonly number[];
}

/** A message that the server has not acknowledged. `user` is empty but in direct chats, `chat` while its id is unknown. */
export interface StoredSend {
  /** 32 hexadecimal digits: the UUIDv7 that every attempt carries. */
  readonly id: string;
  readonly chat: string;
  readonly user: string;
  readonly body: Uint8Array;
  /** It was refused for good: it is not sent again, and the application may not have been told. */
  readonly refused?: { readonly code: string; readonly detail: string };
}

export interface StoredState {
  readonly owner: { readonly user: string; readonly device: string } | undefined;
  readonly chats: readonly StoredChat[];
  /** In the order they were added. */
  readonly outbox: readonly StoredSend[];
  /** Up to this version the user's marks are in the chats. */
  readonly marks?: number;
  /** Whom the user blocks. */
  readonly blocked?: readonly string[];
  /** In the order they were written. */
  readonly profiles?: readonly Profile[];
}

export type StoreChange =
  | { readonly type: 'owner'; readonly user: string; readonly device: string }
  | { readonly type: 'chat'; readonly chat: StoredChat }
  | { readonly type: 'add'; readonly send: StoredSend }
  /** The send with this id was refused for good. */
  | { readonly type: 'refuse'; readonly id: string; readonly code: string; readonly detail: string }
  /** The send with this id was acknowledged, or is given up and the application knows. */
  | { readonly type: 'settle'; readonly id: string }
  | { readonly type: 'marks'; readonly version: number }
  | { readonly type: 'blocked'; readonly users: readonly string[] }
  /** Null: forget it. */
  | { readonly type: 'profile'; readonly user: string; readonly profile: Profile | null };

export interface ClientStore {
  /** Opens the store. Called once, first. Rejects with `store_locked` while another session holds it. */
  load(): Promise<StoredState>;
  write(changes: readonly StoreChange[], durable: boolean): Promise<void>;
  /** Resolves when all earlier writes are durable. */
  close(): Promise<void>;
}
