// Owns telling a client the news that are no entries of a log: receipts, typing, presence, and what its user owns.
// Invariant: a chat and a user are announced before the first frame that names them by alias; a device is not told what it
// did itself.
// Must not: decide who is told what (fan-out.ts, presence.ts), or keep anything.

import { chatKey } from '../storage/keys.js';
import { T } from '../transport/frames.js';
import { rowDeletes } from '../transport/row.js';
import type { Fabric } from './fabric.js';
import type { ConnectionMessage, ConnectionRef, CountNews, Delivery, News, PresenceNews } from './messages.js';
import type { Peer } from './peer.js';
import type { Views } from './views.js';

/** To whom. */
export interface Audience {
  readonly peer: Peer;
  readonly views: Views;
  readonly login: { readonly user: string; readonly device: string };
}

type Watching = Audience & { readonly fabric: Fabric };
type Presence = PresenceNews | CountNews | Extract<ConnectionMessage, { type: 'unviewed' }>;

/** The connection watches nobody any more. */
export function endWatches({ watches, board }: Fabric, self: ConnectionRef): void {
  watches.ended(self);
  board?.readers.ended(self);
}

/** What other members do. */
export function tellNews(news: Exclude<News, Delivery>, { peer, views, login }: Audience): void {
  if (news.type === 'tally') {
    const { delivered, read } = news;
    const chat = views.ref(peer.view(news.info, login.user));
    return peer.frame({ type: T.TALLY, chat, delivered, read });
  }
  if (news.user === login.user && (news.type === 'typing' || news.device === login.device)) return;
  const chat = views.ref(peer.view(news.info, login.user));
  const user = peer.userRef(news.user);
  if (news.type === 'typing') peer.frame({ type: T.TYPING_OF, chat, user, on: news.on });
  else peer.frame({ type: T.RECEIPT, chat, user, delivered: news.delivered, read: news.read });
}

/** Whether they are there; or, where a board knows that, whose presence it may show. */
export function tellPresence(news: Presence, { peer, views, login, fabric }: Watching, self: ConnectionRef): void {
  const readers = fabric.board?.readers;
  if (news.type === 'unviewed') return readers?.unview(news.user, self);
  if (news.type === 'presence') {
    if (readers !== undefined && news.shown !== true) return readers.view(news, self);
    const { online, lastSeen, precision } = news;
    return peer.frame({ type: T.PRESENCE, user: peer.userRef(news.user), online, lastSeen, precision });
  }
  const chat = views.ref(peer.view(news.info, login.user));
  peer.frame({ type: T.COUNT, chat, count: news.count });
}

/** What a device of the user changed, and profiles. */
export function tellOwn(
  news: Extract<ConnectionMessage, { type: 'marked' | 'blocked' | 'profiled' }>,
  { peer, resume }: Audience & { readonly resume: { readonly live: boolean } },
): void {
  if (news.type === 'marked') peer.frame({ type: T.MARKED, chat: news.chat, ...news.marks });
  else if (news.type === 'blocked') peer.frame({ type: T.BLOCKED, user: news.user, on: news.on });
  // Before the client knows its chats it has no use for it.
  else if (resume.live) peer.frame({ type: T.PROFILED, user: peer.userRef(news.user), version: news.version });
}

/** Key of the chat of which an entry was deleted for everyone, or marks were set by the user; null: of none. */
export function outdates(news: ConnectionMessage): string | null {
  if (news.type === 'delivery') return news.entries.some(({ row }) => rowDeletes(row)) ? news.info.key : null;
  return news.type === 'marked' ? chatKey(news.chat) : null;
}
