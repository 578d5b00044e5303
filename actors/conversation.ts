// Owns the direct chat of two users, or of one user alone (notes).
// Invariant: its id follows from its users, so it exists as soon as one of them sends, without a step of its own.
// Must not: hold what every chat does (chat.ts).

import { UNSET } from '../storage/rows.js';
import { CHAT_KIND, OP, ROLE } from '../transport/frames.js';
import type { Chat } from './chat.js';
import { eventEntry } from './chat-event.js';
import { expiry } from './chat-expiry.js';
import { type ChatRules, chatBehaviour } from './chat-rules.js';
import { assert, refuse } from './errors.js';
import { badInvite } from './group-invite.js';
import type { ChatInfo } from './messages.js';
import { decline, type RequestMessage, waiterOf } from './waiter.js';

const blocked = refuse('blocked', 'one of the two blocks the other');

const rules: ChatRules = {
  found(chat, send, blockers) {
    const { pair } = send;
    if (pair === null || !pair.includes(send.user)) return refuse('unknown_chat', 'no such chat');
    if (blockers === null) return 'ask';
    if (blockers.length > 0) return blocked;
    const ms = chat.fabric.allowances.claim('newDirects', send.user);
    if (ms > 0) return refuse('rate_limited', 'too many new chats', ms);
    const users = [...new Set(pair)];
    const info: ChatInfo = { chat: chat.id, key: chat.key, kind: CHAT_KIND.direct, pair, title: '' };
    const members = users.map((user) => ({ user, role: ROLE.member }));
    const created = chat.fabric.world.wall();
    const roster = chat.open(info, { ...UNSET, kind: CHAT_KIND.direct, created, large: false, members }, null);
    const change = { joined: members.map((member) => ({ ...member, former: null })), gone: [], roles: [] };
    roster.claim(change);
    roster.apply(change, 1);
    for (const user of users) roster.audience.add(user);
    return null;
  },

  barred: (roster) => (roster.blockers.length > 0 ? blocked : null),

  request(chat, message) {
    const waiter = waiterOf(message, chat);
    const decision = decide(chat, message);
    if ('code' in decision) return decline(waiter, decision.code, decision.detail);
    chat.enter([eventEntry(chat, message.asker.user, message.id, decision.events[0], waiter)]);
  },

  info(chat, key, row) {
    const [first, second] = row.members;
    assert(first !== undefined, 'a direct chat has users');
    return { chat, key, kind: CHAT_KIND.direct, pair: [first.user, (second ?? first).user], title: '' };
  },
};

/** Its timer is all that can be changed, by either of the two. */
function decide({ roster }: Chat, message: RequestMessage): ReturnType<typeof expiry> {
  if (message.type === 'join') return badInvite();
  if (message.type === 'create' || message.op !== OP.expiry) {
    return refuse('bad_request', 'a direct chat has nothing to change but its expiry');
  }
  if (roster?.rights.has(message.asker.user) !== true) return refuse('unknown_chat', 'no such chat, or not yours');
  return roster.blockers.length > 0 ? blocked : expiry(roster, message.args);
}

export const conversation = chatBehaviour('conversation', rules);
