// Owns the changes of a group's members and of their roles.
// Invariant: the owner alone cannot be removed or given another role, and there is one as long as there is a member; a
// change that changes nothing is refused.
// Must not: ask whether the role of who asks suffices (group-rights.ts did), or append anything.

import { OP, ROLE } from '../transport/frames.js';
import { type ChatEvent, noChange } from './chat-event.js';
import { type Refusal, refuse } from './errors.js';
import { type Ask, badUsers, type Decision, tooMany, unfit } from './group-decision.js';
import type { Roster } from './roster.js';

/** Members already are passed over. Who asked to join waits no longer. */
export function added({ roster, users, newcomers }: Ask): Decision {
  const { rights, settings } = roster;
  const fresh = [...new Set(users)].filter((user) => !rights.has(user));
  if (fresh.length === 0) return refuse('bad_request', 'all of them are members already');
  const refused = badUsers(fresh) ?? tooMany(rights.size + fresh.length);
  if (refused !== null) return refused;
  if (newcomers === null) return { read: fresh };
  const unwilling = unfit(newcomers, settings.waiting);
  if (unwilling !== null) return unwilling;
  const joined = fresh.map((user) => ({ user, role: ROLE.member, former: newcomers.views.get(user) ?? null }));
  return { events: [{ op: OP.added, args: [fresh], change: { ...noChange, joined, ...admitted(roster, fresh) } }] };
}

/** The part of a change by which these users wait no longer. */
export function admitted({ settings }: Roster, users: readonly string[]): Pick<ChatEvent['change'], 'settings'> {
  const waiting = settings.waiting.filter((user) => !users.includes(user));
  return waiting.length === settings.waiting.length ? {} : { settings: { waiting } };
}

export function removed({ roster, user, users }: Ask): Decision {
  const gone = [...new Set(users)];
  const refused = notAll(roster, gone) ?? notOwner(roster, gone);
  if (refused !== null) return refused;
  if (gone.includes(user)) return refuse('bad_request', 'to go yourself is to leave');
  return { events: [{ op: OP.removed, args: [gone], change: { ...noChange, gone } }] };
}

/**
 * An owner passes the group on before going, in the same append: no moment and no crash leaves the group without owner, or
 * with an owner who has passed it on and is still there, to pass it on again.
 */
export function left({ roster, user }: Ask): Decision {
  const leaving = { op: OP.left, args: [], change: { ...noChange, gone: [user] } };
  const heir = roster.rights.get(user) === ROLE.owner ? heirOf(roster, user) : null;
  return { events: heir === null ? [leaving] : [passing(user, heir), leaving] };
}

/** The longest-standing admin, else the longest-standing member. */
function heirOf({ rights }: Roster, leaver: string): string | null {
  const others = [...rights].filter(([user]) => user !== leaver);
  const heir = others.find(([, role]) => role === ROLE.admin) ?? others[0];
  return heir === undefined ? null : heir[0];
}

export function passed({ roster, user, users }: Ask): Decision {
  const [heir] = users;
  if (heir === undefined || users.length !== 1) return refuse('bad_request', 'a group is passed on to one member');
  if (heir === user) return refuse('bad_request', 'the group is yours already');
  return notAll(roster, users) ?? { events: [passing(user, heir)] };
}

function passing(user: string, heir: string): ChatEvent {
  const roles = [
    { user: heir, role: ROLE.owner },
    { user, role: ROLE.admin },
  ];
  return { op: OP.owner, args: [heir], change: { ...noChange, roles } };
}

/** Who has the role already is passed over. */
export function ranked({ roster, users, args }: Ask): Decision {
  const role = args[0];
  if (role !== ROLE.member && role !== ROLE.admin) {
    return refuse('bad_request', `a role is given: ${ROLE.member} member or ${ROLE.admin} admin`);
  }
  const all = [...new Set(users)];
  const refused = notAll(roster, all) ?? notOwner(roster, all);
  if (refused !== null) return refused;
  const others = all.filter((user) => roster.rights.get(user) !== role);
  if (others.length === 0) return refuse('bad_request', 'all of them have the role already');
  const roles = others.map((user) => ({ user, role }));
  return { events: [{ op: OP.role, args: [others, role], change: { ...noChange, roles } }] };
}

function notAll({ rights }: Roster, users: readonly string[]): Refusal | null {
  if (users.length > 0 && users.every((user) => rights.has(user))) return null;
  return refuse('bad_request', 'not all of them are members');
}

function notOwner({ rights }: Roster, users: readonly string[]): Refusal | null {
  if (users.every((user) => rights.get(user) !== ROLE.owner)) return null;
  return refuse('not_allowed', "the owner's role is the owner's to give away");
}
