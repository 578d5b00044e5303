// Owns the SDK's entry for Node: `connect` with the `ws` package, and everything an application may use.
// Invariant: an open session keeps the process alive, also between connections; an ended one does not.
// Must not: be bundled for browsers (browser.ts).

import { WebSocket } from 'ws';
import { openSession } from './open.js';
import type { SessionOptions } from './options.js';
import { platform } from './platform.js';
import type { Session } from './session.js';
import { MemoryStore } from './store-memory.js';
import { dialWith, type SocketLike } from './ws-link.js';

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
export { FileStore } from './store-file.js';
// Not for Node: compilers read these types for every platform, and a browser's bundler takes browser.js.
export { IdbStore } from './store-idb.js';
export { MemoryStore } from './store-memory.js';
export type { TokenSource } from './token.js';

type Platform = 'world' | 'dial' | 'store';
export type ConnectOptions = Omit<SessionOptions, Platform> & Partial<Pick<SessionOptions, Platform>>;

// Bodies are ciphertext: compressing them costs time and saves nothing.
const dial = dialWith((url, protocol) => new WebSocket(url, protocol, { perMessageDeflate: false }) as SocketLike);

/** Connects, with a store in memory unless one is given (`new FileStore(path)`). See `openSession` for what it resolves to. */
export async function connect(options: ConnectOptions): Promise<Session> {
  // The platform's timers do not hold the process, so something must while a session waits to dial again.
  const hold = setInterval(() => {}, 0x7fff_ffff);
  try {
    const session = await openSession({ world: platform, dial, store: new MemoryStore(), ...options });
    session.on('state', () => {
      if (session.ended) clearInterval(hold);
    });
    if (session.ended) clearInterval(hold);
    return session;
  } catch (error) {
    clearInterval(hold);
    throw error;
  }
}
