// Owns a group's invite link: making and revoking it, joining by it, asking by it, and the list of those who wait.
// Invariant: a link is good until the next change of it is in line; whoever follows it then is too late. A link is the
// chat's id and a secret in the chat's row, so it is found without an index.
// Must not: approve (that is to add: group-members.ts), or append anything.
//
//   link    [ chat·16 | secret·16 ]
//
//   stranger ── JOIN, open ──────────────▶ member (event `joined`)
//            ── JOIN, with approval ─────▶ waiting (event `asked`) ── added ────▶ member
//                                                                  ── declined ─▶ stranger

import { type ChatSettings, UNSET } from '../storage/rows.js';
import { CHAT_KIND, INVITE_MODE, OP, ROLE } from '../transport/frames.js';
import type { Chat } from './chat.js';
import { noChange } from './chat-event.js';
import { type Refusal, refuse } from './errors.js';
import { type Ask, type Decision, tooMany, unfit } from './group-decision.js';
import { admitted } from './group-members.js';
import { LIMITS } from './limits.js';
import type { ChatMessage } from './messages.js';
import type { Newcomers } from './newcomers.js';

/** Bytes: nobody guesses it, at any rate. */
const SECRET = 16;

/** Every change makes a new link, and the old one is dead; mode 0 leaves none. */
export function link({ roster, args, world }: Ask): Decision {
  const [mode] = args;
  if (mode !== INVITE_MODE.none && mode !== INVITE_MODE.open && mode !== INVITE_MODE.approval) {
    return refuse('bad_request', 'an invite link is open, with approval, or none');
  }
  if (mode === INVITE_MODE.none && roster.settings.invite === mode) return refuse('bad_request', 'there is no link');
  const secret = mode === INVITE_MODE.none ? UNSET.secret : world.randomBytes(SECRET);
  const settings: Partial<ChatSettings> = { invite: mode, secret };
  return { events: [{ op: OP.invite, args: [mode], change: { ...noChange, settings } }] };
}

export function declined({ roster, users }: Ask): Decision {
  const all = [...new Set(users)];
  const { waiting } = roster.settings;
  if (all.length === 0 || !all.every((user) => waiting.includes(user))) {
    return refuse('bad_request', 'not all of them wait for approval');
  }
  return { events: [{ op: OP.declined, args: [all], change: { ...noChange, ...admitted(roster, all) } }] };
}

/** What becomes of a JOIN. */
export function join(
  { roster, sequencer }: Chat,
  { asker, secret }: Extract<ChatMessage, { type: 'join' }>,
  newcomers: Newcomers | null,
): Decision {
  const { user } = asker;
  // With the last member a group is over: a newcomer would find nobody who may do anything.
  if (roster === null || roster.rights.size === 0 || !same(roster.settings.secret, secret)) return badInvite();
  const { rights, settings, audience, row } = roster;
  const approval = settings.invite === INVITE_MODE.approval;
  // There already: told only once that is durable.
  if (rights.has(user)) return audience.has(user) ? { done: sequencer!.head } : underWay();
  const waits = settings.waiting.includes(user);
  if (approval && waits) {
    return row.waiting.includes(user) && !sequencer!.changing ? { done: sequencer!.head } : underWay();
  }
  if (approval && settings.waiting.length >= LIMITS.joinRequests) {
    return refuse('full', `at most ${LIMITS.joinRequests} wait for approval`);
  }
  const refused = approval ? null : tooMany(rights.size + 1);
  if (refused !== null) return refused;
  if (newcomers === null) return { read: [user] };
  const unwilling = unfit(newcomers, [user]);
  if (unwilling !== null) return unwilling;
  if (approval) {
    const asking = { ...noChange, settings: { waiting: [...settings.waiting, user] } };
    return { events: [{ op: OP.asked, args: [], change: asking }] };
  }
  const joined = [{ user, role: ROLE.member, former: newcomers.views.get(user) ?? null }];
  return { events: [{ op: OP.joined, args: [], change: { ...noChange, joined, ...admitted(roster, [user]) } }] };
}

/** Whose link the bytes are, if they can be one. */
export function partsOf(invite: Uint8Array): { readonly chat: Uint8Array; readonly secret: Uint8Array } | null {
  const length = invite.length - SECRET;
  if (length !== 16 || invite[0] !== CHAT_KIND.group) return null;
  return { chat: invite.subarray(0, length), secret: invite.subarray(length) };
}

/** What INVITE is answered. */
export function inviteOf(chat: Uint8Array, { invite, secret }: ChatSettings): [mode: number, invite: Uint8Array] {
  if (invite === INVITE_MODE.none) return [invite, UNSET.secret];
  const bytes = new Uint8Array(chat.length + secret.length);
  bytes.set(chat);
  bytes.set(secret, chat.length);
  return [invite, bytes];
}

export function badInvite(): Refusal {
  return refuse('bad_invite', 'the link is not, or no longer, good');
}

function underWay(): Refusal {
  return refuse('busy', 'another request of yours is under way');
}

/** In a time that says nothing of where they differ. */
function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== SECRET || b.length !== SECRET) return false;
  let difference = 0;
  for (let at = 0; at < SECRET; at += 1) difference |= a[at]! ^ b[at]!;
  return difference === 0;
}
