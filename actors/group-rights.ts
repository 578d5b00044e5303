// Owns who may ask for which change of a group.
// Invariant: judged by what is in line, not by what is durable: of two changes that exclude each other the first one wins.
// Must not: know what a change takes or does (group-members.ts, group-settings.ts, group-invite.ts).
//
//   role     may
//   owner    all of the below, and pass the group on
//   admin    add, remove, promote and demote anybody but the owner; title, avatar, announcements, expiry, invite link
//   member   send (unless announcements alone are allowed), leave

import { OP, ROLE } from '../transport/frames.js';
import type { Chat } from './chat.js';
import { expiry } from './chat-expiry.js';
import { refuse } from './errors.js';
import type { Ask, Decision } from './group-decision.js';
import { declined, link } from './group-invite.js';
import { added, left, passed, ranked, removed } from './group-members.js';
import { announce, avatar, title } from './group-settings.js';
import type { ChatMessage } from './messages.js';
import type { Newcomers } from './newcomers.js';

interface Rule {
  /** The lowest role that may. */
  readonly least: number;
  readonly decide: (ask: Ask) => Decision;
}

const RULES: Readonly<Record<number, Rule>> = {
  [OP.added]: { least: ROLE.admin, decide: added },
  [OP.removed]: { least: ROLE.admin, decide: removed },
  [OP.left]: { least: ROLE.member, decide: left },
  [OP.owner]: { least: ROLE.owner, decide: passed },
  [OP.role]: { least: ROLE.admin, decide: ranked },
  [OP.title]: { least: ROLE.admin, decide: title },
  [OP.avatar]: { least: ROLE.admin, decide: avatar },
  [OP.announce]: { least: ROLE.admin, decide: announce },
  [OP.invite]: { least: ROLE.admin, decide: link },
  [OP.declined]: { least: ROLE.admin, decide: declined },
  [OP.expiry]: { least: ROLE.admin, decide: ({ roster, args }) => expiry(roster, args) },
};

/** What becomes of a CHANGE. */
export function change(
  { roster, fabric }: Chat,
  { asker, op, users, args }: Extract<ChatMessage, { type: 'change' }>,
  newcomers: Newcomers | null,
): Decision {
  const { user } = asker;
  const role = roster?.rights.get(user);
  if (roster === null || role === undefined) return refuse('unknown_chat', 'no such group, or you are not in it');
  const rule = RULES[op];
  if (rule === undefined) return refuse('bad_request', 'no such change');
  if (role < rule.least) return refuse('not_allowed', 'your role does not allow it');
  return rule.decide({ roster, user, users, args, newcomers, world: fabric.world });
}
