// Owns what the rules of a group are asked and what they may answer, with the refusals that several of them share.
// Invariant: a decision is a value; nothing happens by it.
// Must not: hold a rule of one change alone.

import { isName } from '../storage/keys.js';
import type { ChatEvent } from './chat-event.js';
import { type Refusal, refuse } from './errors.js';
import { LIMITS } from './limits.js';
import type { ChatMessage } from './messages.js';
import type { Newcomers } from './newcomers.js';
import type { Roster } from './roster.js';
import type { World } from './world.js';

/**
 * Events, a refusal, `read` (what must be known of these users first), or `done` (nothing changes, and the answer tells this
 * number). The last event is the request's own; those before it go into the same append.
 */
export type Decision =
  | Refusal
  | { readonly events: readonly ChatEvent[] }
  | { readonly read: readonly string[] }
  | { readonly done: number };

/** A change that a member wants, whose role allows it. */
export interface Ask {
  readonly roster: Roster;
  readonly user: string;
  readonly users: readonly string[];
  readonly args: Extract<ChatMessage, { type: 'change' }>['args'];
  /** Null until they are read. */
  readonly newcomers: Newcomers | null;
  readonly world: World;
}

export function badUsers(users: readonly string[]): Refusal | null {
  const bad = users.find((user) => !isName(user, LIMITS.userId));
  return bad === undefined ? null : refuse('unknown_user', `a user id has 1 to ${LIMITS.userId} bytes, no controls`);
}

export function tooMany(members: number): Refusal | null {
  return members <= LIMITS.members ? null : refuse('full', `a group has at most ${LIMITS.members} members`);
}

/** `asked`: who wants to come himself, whomever he blocks. */
export function unfit({ blockers, full }: Newcomers, asked: readonly string[]): Refusal | null {
  const unwilling = blockers.filter((user) => !asked.includes(user));
  if (unwilling.length > 0) return refuse('blocked', `blocked by ${named(unwilling)}`);
  return full.length === 0 ? null : refuse('full', `in ${LIMITS.userGroups} groups already: ${named(full)}`);
}

function named(users: readonly string[]): string {
  const rest = users.length - LIMITS.namesTold;
  const names = users.slice(0, LIMITS.namesTold).join(', ');
  return rest > 0 ? `${names} and ${rest} more` : names;
}
