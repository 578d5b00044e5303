// Owns the direct chat of two users, or of one user alone (notes).
// Invariant: its id follows from its users, so it exists as soon as one of them sends, without a step of its own.
// Must not: hold what every chat does (chat.ts).

import type { ChatRow } from '../storage/rows.js';
import { CHAT_KIND, ROLE } from '../transport/frames.js';
import type { Behaviour } from './behaviour.js';
import { Chat, type ChatRules, type Tag } from './chat.js';
import { assert } from './errors.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { ChatInfo, ChatMessage } from './messages.js';
import { overflowOf } from './overflow.js';

/** What names a chat's actor and gives it its node. */
export interface ChatArgs {
  readonly fabric: Fabric;
  readonly key: string;
}

const rules: ChatRules = {
  found(chat, send) {
    const { pair } = send;
    if (pair === null || !pair.includes(send.user)) return false;
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
    return true;
  },

  request(chat, message) {
    chat.refuse(chat.waiter(message), 'bad_request', 'a direct chat has no membership to change');
  },

  info(chat, key, row) {
    const [first, second] = row.members;
    assert(first !== undefined, 'a direct chat has users');
    return { chat, key, kind: CHAT_KIND.direct, pair: [first.user, (second ?? first).user], title: '' };
  },
};

export const conversation: Behaviour<Chat, ChatMessage, ChatArgs, Tag> = {
  kind: 'conversation',
  level: 'interactive',
  capacity: LIMITS.conversationMailbox,
  init: (context, { fabric, key }) => new Chat(rules, fabric, key, context),
  receive: (chat, message, context) => chat.receive(message, context),
  signal: (chat, signal, context) => chat.signal(signal, context),
  ...overflowOf,
};
