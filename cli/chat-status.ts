// Owns how the state of the connection is said.
// Invariant: short enough for half a line of 80 columns.
// Must not: change anything.

import type { Session } from '../client/index.js';
import { waiting } from './chat-session.js';
import type { View } from './chat-view.js';

/**
 * @param synced The node has told of all chats since the connection came about.
 * @param tried An attempt has failed: what follows is no first connecting any more.
 */
export function statusOf(session: Session, synced: boolean, tried: boolean): View['connection'] {
  if (session.state === 'online') {
    return synced ? { text: 'connected', tone: 'good' } : { text: 'catching up…', tone: 'busy' };
  }
  if (session.state === 'connecting' && !tried) return { text: 'connecting…', tone: 'busy' };
  const count = session.pending().length;
  return { text: count === 0 ? 'offline, trying again' : `offline, ${waiting(count)}`, tone: 'bad' };
}
