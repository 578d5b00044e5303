// Owns the group: its creation and the rules of its membership.
// Invariant: every change is an event with a number of its own, decided and ordered by the same actor as the messages, so
// a send and a removal never race; an owner exists as long as there is a member.
// Must not: hold what every chat does (chat.ts).
//
//   role     may
//   owner    all of the below, and remove admins
//   admin    add, remove members
//   member   send, leave

import { groupChat, isName } from '../storage/keys.js';
import { CHAT_KIND, OP, type Plain, ROLE } from '../transport/frames.js';
import { encodeEventRow } from '../transport/row.js';
import type { Chat } from './chat.js';
import { type ChatContext, type ChatRules, chatBehaviour, type FormerViews } from './chat-rules.js';
import { Entry } from './entry.js';
import { type Refusal, refuse } from './errors.js';
import { LIMITS } from './limits.js';
import { idText, idTime, makeMessageId } from './message-id.js';
import type { Change } from './roster.js';
import { decline, type RequestMessage, type Waiter, waiterOf } from './waiter.js';

type Create = Extract<RequestMessage, { type: 'create' }>;
type Alter = Extract<RequestMessage, { type: 'change' }>;

/** An event to be appended. */
interface Event {
  readonly op: number;
  readonly args: readonly Plain[];
  readonly change: Change;
}

const noChange: Change = { joined: [], gone: [], roles: [] };

const rules: ChatRules = {
  found: () => refuse('unknown_chat', 'no such chat'),

  request(chat, message, former, context) {
    const waiter = waiterOf(message, chat.id);
    const refused = message.type === 'create' ? badCreate(chat, message) : badChange(chat, message);
    if (refused !== null) return decline(waiter, refused.code, refused.detail);
    if (message.type === 'create') return make(chat, message, waiter, context);
    if (message.op === OP.added && former === null) return chat.readFormer(newcomers(chat, message), message, context);
    const { user } = message.asker;
    const passesOn = message.op === OP.left && chat.roster!.rights.get(user) === ROLE.owner;
    const heir = passesOn ? heirOf(chat, user) : null;
    const entries = [entryOf(chat, user, message.id, alter(chat, message, former), waiter)];
    // Before the leaver goes, in the same append: no moment and no crash leaves the group without owner, or with an owner
    // who has passed it on and is still there, to pass it on again.
    if (heir !== null) {
      const change = { ...noChange, roles: [{ user: heir, role: ROLE.owner }] };
      const passing = { op: OP.owner, args: [heir], change };
      entries.unshift(entryOf(chat, user, makeMessageId(chat.fabric.world), passing, null));
    }
    chat.enter(entries, context);
  },

  info: (chat, key, row) => ({ chat, key, kind: CHAT_KIND.group, pair: null, title: row.title }),
};

function badCreate(chat: Chat, { asker, id, title, users }: Create): Refusal | null {
  if (chat.roster !== null) return refuse('bad_id', 'the group exists, made by another request');
  if (Buffer.compare(groupChat(asker.user, id), chat.id) !== 0) return refuse('bad_id', 'the id names another group');
  if (!isName(title, LIMITS.title)) return refuse('bad_request', `a title has 1 to ${LIMITS.title} bytes, no controls`);
  return badUsers(users) ?? tooMany(new Set([asker.user, ...users]).size);
}

function badUsers(users: readonly string[]): Refusal | null {
  const bad = users.find((user) => !isName(user, LIMITS.userId));
  return bad === undefined ? null : refuse('unknown_user', `a user id has 1 to ${LIMITS.userId} bytes, no controls`);
}

function tooMany(members: number): Refusal | null {
  return members <= LIMITS.members ? null : refuse('full', `a group has at most ${LIMITS.members} members`);
}

function make(chat: Chat, { asker, id, title, users }: Create, waiter: Waiter, context: ChatContext): void {
  const ms = chat.fabric.allowances.claim('newGroups', asker.user);
  if (ms > 0) return decline(waiter, 'rate_limited', 'too many new groups', ms);
  const all = [...new Set([asker.user, ...users])];
  const joined = all.map((user) => ({ user, role: user === asker.user ? ROLE.owner : ROLE.member, former: null }));
  const info = { chat: chat.id, key: chat.key, kind: CHAT_KIND.group, pair: null, title };
  const created = chat.fabric.world.wall();
  chat.open(info, { kind: CHAT_KIND.group, created, title, large: false, members: [] }, null);
  const event = { op: OP.created, args: [title, all], change: { ...noChange, joined } };
  chat.enter([entryOf(chat, asker.user, id, event, waiter)], context);
}

function badChange(chat: Chat, message: Alter): Refusal | null {
  const rights = chat.roster?.rights;
  const mine = rights?.get(message.asker.user);
  if (rights === undefined || mine === undefined) return refuse('unknown_chat', 'no such group, or you are not in it');
  switch (message.op) {
    case OP.left:
      return null;
    case OP.added: {
      if (mine < ROLE.admin) return refuse('not_allowed', 'only owners and admins add members');
      const fresh = newcomers(chat, message);
      if (fresh.length === 0) return refuse('bad_request', 'all of them are members already');
      return badUsers(message.users) ?? tooMany(rights.size + fresh.length);
    }
    case OP.removed: {
      const targets = message.users.map((user) => rights.get(user));
      if (targets.length === 0 || targets.includes(undefined))
        return refuse('bad_request', 'not all of them are members');
      const allowed = mine >= ROLE.admin && targets.every((role) => role! < mine);
      return allowed ? null : refuse('not_allowed', 'only those of a higher role remove a member');
    }
    default:
      return refuse('bad_request', 'no such change');
  }
}

function newcomers(chat: Chat, message: Alter): string[] {
  return [...new Set(message.users)].filter((user) => !chat.roster!.rights.has(user));
}

function alter(chat: Chat, message: Alter, former: FormerViews | null): Event {
  if (message.op === OP.left) {
    return { op: OP.left, args: [], change: { ...noChange, gone: [message.asker.user] } };
  }
  if (message.op === OP.removed) {
    const gone = [...new Set(message.users)];
    return { op: OP.removed, args: [gone], change: { ...noChange, gone } };
  }
  const users = newcomers(chat, message);
  const joined = users.map((user) => ({ user, role: ROLE.member, former: former?.get(user) ?? null }));
  return { op: OP.added, args: [users], change: { ...noChange, joined } };
}

/** Who becomes owner when `leaver` goes: the longest-standing admin, else the longest-standing member. */
function heirOf(chat: Chat, leaver: string): string | null {
  const others = [...chat.roster!.rights].filter(([user]) => user !== leaver);
  const heir = others.find(([, role]) => role === ROLE.admin) ?? others[0];
  return heir === undefined ? null : heir[0];
}

/** An event's entry; one that nobody waits for goes with the next. */
function entryOf(chat: Chat, from: string, id: Uint8Array, { op, args, change }: Event, waiter: Waiter | null): Entry {
  const at = chat.tick();
  const row = encodeEventRow(from, id, at - idTime(id), op, args);
  return new Entry(from, id, idText(id), at, row, change, waiter);
}

export const group = chatBehaviour('group', rules);
