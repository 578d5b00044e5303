// Owns the shape of a chat's member in memory: role, view, and what of it the others were told.
// Invariant: `told` is durable; `inbox` may be ahead of it by what is in flight.
// Must not: change by itself (roster.ts does that).

import type { Inbox } from '../storage/rows.js';
import type { DevicePosition } from './cursor.js';

export interface Member {
  readonly user: string;
  role: number;
  readonly inbox: Inbox;
  /** The name in the row as it was last written. */
  named: string;
  /** The cursors as they are durable: others are told no more, or a crash would take back what they were told. */
  told: Pick<Inbox, 'delivered' | 'read'>;
}

/** A member as the row says. */
export function memberOf(user: string, role: number, inbox: Inbox): Member {
  const { name, delivered, read } = inbox;
  return { user, role, inbox, named: name, told: { delivered, read } };
}

/** Where a member stands, device by device. By which of them the user has come so far is not known: by none of them alone. */
export function cursorsOf({ user, inbox: { devices, delivered, read } }: Member): DevicePosition[] {
  return [...devices.map((cursor) => ({ user, ...cursor, read: 0 })), { user, device: '', delivered, read }];
}
