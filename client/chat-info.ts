// Owns what the server tells of a chat when asked: members and settings (INFO), how far one message has come (RECEIPTS).
// Invariant: what an older server leaves out is as in a chat that has none of it.
// Must not: ask, or keep anything.

import type { Plain } from '../transport/frames.js';
import { INVITE_MODES, type InviteMode } from './message.js';
import { countOf, flagOf, listOf, textOf, textsOf } from './plain.js';

const ROLES = ['gone', 'member', 'admin', 'owner'] as const;
const STATES = ['none', 'delivered', 'read'] as const;

export interface Member {
  readonly user: string;
  readonly role: (typeof ROLES)[number];
  /** This member has everything up to here. */
  readonly delivered: number;
  readonly read: number;
}

export interface ChatDetails {
  readonly kind: 'direct' | 'group';
  /** The other user, or the group's title. */
  readonly name: string;
  /** Newest sequence number. */
  readonly head: number;
  readonly members: readonly Member[];
  /** A reference to a picture, say a URL; empty for none. */
  readonly avatar: string;
  /** Only owner and admins may send. */
  readonly announceOnly: boolean;
  /** Entries end after so many seconds; 0: never. */
  readonly expiry: number;
  /** `off` also where it is not for this user to know. */
  readonly inviteMode: InviteMode;
  /** Who asks to be let in, as far as that is for this user to know. */
  readonly waiting: readonly string[];
}

export interface MessageReceipts {
  /** How many other members have it, and have read it. */
  readonly delivered: number;
  readonly read: number;
  /** Those other members who could see it. */
  readonly members: readonly { readonly user: string; readonly state: (typeof STATES)[number] }[];
  /** The user's own devices, and up to where each has the chat. */
  readonly devices: readonly { readonly device: string; readonly delivered: number }[];
}

/** How far an own message has come. `of` is undefined while a group's members are not known here (`info` tells). */
export interface Tick {
  readonly state: 'sent' | 'delivered' | 'read';
  /** Other members that have it, and that have read it, as far as is known: in large groups only when all have. */
  readonly delivered: number;
  readonly read: number;
  readonly of: number | undefined;
}

export function detailsOf(results: readonly Plain[]): ChatDetails {
  const [kind, name, head, members, avatar, announce, expiry, mode, waiting] = results;
  return {
    kind: kind === 1 ? 'direct' : 'group',
    name: textOf(name, 'the name of a chat'),
    head: countOf(head, 'the head of a chat', 0),
    members: listOf(members, 'the members of a chat', []).map((row) => {
      const [user, role, delivered, read] = listOf(row, 'a member');
      return {
        user: textOf(user, 'a member'),
        role: ROLES[countOf(role, 'the role of a member')] ?? 'member',
        delivered: countOf(delivered, 'the position of a member', 0),
        read: countOf(read, 'the position of a member', 0),
      };
    }),
    avatar: textOf(avatar, 'an avatar', ''),
    announceOnly: flagOf(announce, 'announcements only'),
    expiry: countOf(expiry, 'an expiry', 0),
    inviteMode: INVITE_MODES[countOf(mode, 'the mode of an invite link', 0)] ?? 'open',
    waiting: textsOf(waiting, 'who waits'),
  };
}

export function receiptsOf([delivered, read, members, devices]: readonly Plain[]): MessageReceipts {
  return {
    delivered: countOf(delivered, 'a count of receipts'),
    read: countOf(read, 'a count of receipts'),
    members: listOf(members, 'receipts', []).map((row) => {
      const [user, state] = listOf(row, 'a receipt');
      return { user: textOf(user, 'a member'), state: STATES[countOf(state, 'a receipt')] ?? 'delivered' };
    }),
    devices: listOf(devices, 'receipts', []).map((row) => {
      const [device, position] = listOf(row, 'a receipt');
      return { device: textOf(device, 'a device'), delivered: countOf(position, 'the position of a device', 0) };
    }),
  };
}
