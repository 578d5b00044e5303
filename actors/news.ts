// Owns telling a client the news that are no entries of a log: receipts, typing, presence.
// Invariant: a chat and a user are announced before the first frame that names them by alias; a device is not told what it
// did itself.
// Must not: decide who is told what (fan-out.ts, presence.ts), or keep anything.

import { T } from '../transport/frames.js';
import type { CountNews, Delivery, News, PresenceNews } from './messages.js';
import type { Peer } from './peer.js';
import type { Views } from './views.js';

/** To whom. */
export interface Audience {
  readonly peer: Peer;
  readonly views: Views;
  readonly login: { readonly user: string; readonly device: string };
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

/** Whether they are there. */
export function tellPresence(news: PresenceNews | CountNews, { peer, views, login }: Audience): void {
  if (news.type === 'presence') {
    const { online, lastSeen, precision } = news;
    return peer.frame({ type: T.PRESENCE, user: peer.userRef(news.user), online, lastSeen, precision });
  }
  const chat = views.ref(peer.view(news.info, login.user));
  peer.frame({ type: T.COUNT, chat, count: news.count });
}
