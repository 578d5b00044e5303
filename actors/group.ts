// Owns the group: its creation, and how requests become events of it.
// Invariant: every change is an event with a number of its own, decided and ordered by the same actor as the messages, so
// a send and a removal never race.
// Must not: hold what every chat does (chat.ts), or the rules of the changes (group-rights.ts, group-invite.ts).

import { groupChat, isName } from '../storage/keys.js';
import { UNSET } from '../storage/rows.js';
import { CHAT_KIND, OP, ROLE } from '../transport/frames.js';
import type { Chat } from './chat.js';
import { type ChatEvent, eventEntry, noChange } from './chat-event.js';
import { type ChatRules, chatBehaviour } from './chat-rules.js';
import { type Refusal, refuse } from './errors.js';
import { badUsers, type Decision, tooMany, unfit } from './group-decision.js';
import { join } from './group-invite.js';
import { change } from './group-rights.js';
import { LIMITS } from './limits.js';
import { makeMessageId } from './message-id.js';
import type { Newcomers } from './newcomers.js';
import { decline, type RequestMessage, settle, waiterOf } from './waiter.js';

type Create = Extract<RequestMessage, { type: 'create' }>;

const rules: ChatRules = {
  found: () => refuse('unknown_chat', 'no such chat'),

  barred({ rights, settings }, user) {
    if (!settings.announce || rights.get(user)! >= ROLE.admin) return null;
    return refuse('not_allowed', 'only owner and admins send here');
  },

  request(chat, message, newcomers, context) {
    const decision = decide(chat, message, newcomers);
    const waiter = waiterOf(message, chat);
    if ('code' in decision) decline(waiter, decision.code, decision.detail);
    else if ('read' in decision) chat.readNewcomers(decision.read, message, context);
    else if ('done' in decision) settle(waiter, decision.done);
    else enter(chat, message, decision.events);
  },

  info: (chat, key, row) => ({ chat, key, kind: CHAT_KIND.group, pair: null, title: row.title }),
};

function decide(chat: Chat, message: RequestMessage, newcomers: Newcomers | null): Decision {
  if (message.type === 'create') return create(chat, message, newcomers);
  if (message.type === 'join') return join(chat, message, newcomers);
  return change(chat, message, newcomers);
}

function enter(chat: Chat, message: RequestMessage, events: readonly ChatEvent[]): void {
  const { user } = message.asker;
  if (message.type === 'create') {
    const ms = chat.fabric.allowances.claim('newGroups', user);
    if (ms > 0) return decline(waiterOf(message, chat), 'rate_limited', 'too many new groups', ms);
    found(chat, message);
  }
  const last = events.length - 1;
  const entries = events.map((event, at) =>
    at < last
      ? eventEntry(chat, user, makeMessageId(chat.fabric.world), event, null)
      : eventEntry(chat, user, message.id, event, waiterOf(message, chat)),
  );
  chat.enter(entries);
}

function create(chat: Chat, message: Create, newcomers: Newcomers | null): Decision {
  const { asker, title, users } = message;
  const all = [...new Set([asker.user, ...users])];
  const refused = badCreate(chat, message) ?? tooMany(all.length);
  if (refused !== null) return refused;
  if (newcomers === null) return { read: all };
  const unwilling = unfit(newcomers, []);
  if (unwilling !== null) return unwilling;
  const joined = all.map((user) => ({ user, role: user === asker.user ? ROLE.owner : ROLE.member, former: null }));
  return { events: [{ op: OP.created, args: [title, all], change: { ...noChange, joined } }] };
}

function badCreate(chat: Chat, { asker, id, title, users }: Create): Refusal | null {
  if (chat.roster !== null) return refuse('bad_id', 'the group exists, made by another request');
  if (Buffer.compare(groupChat(asker.user, id), chat.id) !== 0) return refuse('bad_id', 'the id names another group');
  if (!isName(title, LIMITS.title)) return refuse('bad_request', `a title has 1 to ${LIMITS.title} bytes, no controls`);
  return badUsers(users);
}

/** From here on the chat exists; its first append is next. */
function found(chat: Chat, { title }: Create): void {
  const info = { chat: chat.id, key: chat.key, kind: CHAT_KIND.group, pair: null, title };
  const created = chat.fabric.world.wall();
  chat.open(info, { ...UNSET, kind: CHAT_KIND.group, created, title, large: false, members: [] }, null);
}

export const group = chatBehaviour('group', rules);
