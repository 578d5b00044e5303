// Owns the direct chat of two users, or of one user alone (notes).
// Invariant: its id follows from its users, so it exists as soon as one of them sends, without a step of its own.
// Must not: hold what every chat does (chat.ts).

import type { ChatRow } from '../storage/rows.js';
import { CHAT_KIND, ROLE } from '../transport/frames.js';
import { type ChatRules, chatBehaviour } from './chat-rules.js';
import { assert, refuse } from './errors.js';
import type { ChatInfo } from './messages.js';
import { decline, waiterOf } from './waiter.js';

const rules: ChatRules = {
  found(chat, send) {
    const { pair } = send;
    if (pair === null || !pair.includes(send.user)) return refuse('unknown_chat', 'no such chat');
    const ms = chat.fabric.allowances.claim('newDirects', send.user);
    if (ms > 0) return refuse('rate_limited', 'too many new chats', ms);
    const users = [...new Set(pair)];
    const info: ChatInfo = { chat: chat.id, key: chat.key, kind: CHAT_KIND.direct, pair, title: '' };
    const members = users.map((user) => ({ user, role: ROLE.member }));
    const row: ChatRow = {
      kind: CHAT_KIND.direct,
      created: chat.fabric.world.wall(),
      title: '',
      large: false,
      members,
    };
    const roster = chat.open(info, row, null);
    const change = { joined: members.map((member) => ({ ...member, former: null })), gone: [], roles: [] };
    roster.claim(change);
    roster.apply(change, 1);
    for (const user of users) roster.audience.add(user);
    return null;
  },

  request(chat, message) {
    decline(waiterOf(message, chat.id), 'bad_request', 'a direct chat has no membership to change');
  },

  info(chat, key, row) {
    const [first, second] = row.members;
    assert(first !== undefined, 'a direct chat has users');
    return { chat, key, kind: CHAT_KIND.direct, pair: [first.user, (second ?? first).user], title: '' };
  },
};

export const conversation = chatBehaviour('conversation', rules);
