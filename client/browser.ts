// Owns the SDK's entry for browsers: `connect` with the browser's WebSocket, and everything an application may use.
// Invariant: no Node built-ins, not even by way of an import (a test bundles it).
// Must not: touch the page.

import { openSession } from './open.js';
import type { SessionOptions } from './options.js';
import { platform } from './platform.js';
import type { Session } from './session.js';
import { MemoryStore } from './store-memory.js';
import { dialWith } from './ws-link.js';

export type { Audience, Device } from './account.js';
export { Chat, type HistoryPage } from './chat.js';
export type { ChatDetails, Member, MessageReceipts, Tick } from './chat-info.js';
export { FOREVER, type Marks } from './chat-state.js';
export type { State, StateChange } from './connection.js';
export { type ErrorCode, WeftError } from './errors.js';
export type { Precision, SessionEvents, UserPresence } from './events.js';
export type { Dial, Link, LinkEvents } from './link.js';
export type { Change, GroupChange, GroupEvent, InviteMode, Message } from './message.js';
export { openSession } from './open.js';
export type { SessionOptions } from './options.js';
export type { Receipt } from './outbox.js';
export type { Profile } from './profiles.js';
export { type ChatSummary, type PendingMessage, Session } from './session.js';
export type { ClientStore, StoreChange, StoredChat, StoredSend, StoredState } from './store.js';
export { IdbStore } from './store-idb.js';
export { MemoryStore } from './store-memory.js';
export type { TokenSource } from './token.js';

type Platform = 'world' | 'dial' | 'store';
export type ConnectOptions = Omit<SessionOptions, Platform> & Partial<Pick<SessionOptions, Platform>>;

const dial = dialWith((url, protocol) => new WebSocket(url, protocol));

/** Connects, with a store in memory unless one is given (`new IdbStore(name)`). See `openSession` for what it resolves to. */
export async function connect(options: ConnectOptions): Promise<Session> {
  const session = await openSession({ world: platform, dial, store: new MemoryStore(), ...options });
  // The browser knows first when the network is back.
  const back = (): void => session.reconnect();
  globalThis.addEventListener?.('online', back);
  session.on('state', () => {
    if (session.ended) globalThis.removeEventListener?.('online', back);
  });
  return session;
}
