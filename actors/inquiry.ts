// Owns answering INFO and INVITE: what a chat is, who is in it and how far each is; by which link one joins.
// Invariant: only what is durable is told. While a change is in flight the roster is ahead of the disk, so whoever asks then
// is answered when that has ended.
// Must not: change the chat.

import { CHAT_KIND, type Plain, ROLE } from '../transport/frames.js';
import { type Refusal, refuse } from './errors.js';
import { inviteOf } from './group-invite.js';
import { LIMITS } from './limits.js';
import { type ChatMessage, nameFor } from './messages.js';
import type { Roster } from './roster.js';
import type { Sequencer } from './sequencer.js';

type Question = Extract<ChatMessage, { type: 'info' | 'invite' }>;

export class Inquiry {
  #waiting: Question[] = [];

  /** `sequencer`: null while the chat cannot be read. */
  ask(question: Question, sequencer: Sequencer | null, roster: Roster | null): void {
    if (sequencer?.changing === true && this.#waiting.length < LIMITS.conversationInFlight) {
      this.#waiting.push(question);
      return;
    }
    const { connection, r } = question.asker;
    const answer = answerTo(question, sequencer, roster);
    if ('code' in answer) connection.tell({ type: 'refused', r, ...answer });
    else connection.tell({ type: 'answer', r, results: answer });
  }

  /** The append in flight has ended, one way or the other. */
  answer(sequencer: Sequencer | null, roster: Roster | null): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const question of waiting) this.ask(question, sequencer, roster);
  }
}

function answerTo(
  { type, asker }: Question,
  sequencer: Sequencer | null,
  roster: Roster | null,
): readonly Plain[] | Refusal {
  if (sequencer === null) return refuse('unavailable', 'the chat cannot be read now');
  if (sequencer.changing) return refuse('busy', 'too many ask for this chat');
  const member = roster?.members.get(asker.user);
  if (roster === null || member === undefined) return refuse('unknown_chat', 'no such chat, or you are not in it');
  const leads = member.role >= ROLE.admin;
  if (type === 'info') return describe(roster, asker.user, leads, sequencer.head);
  if (roster.info.kind !== CHAT_KIND.group) return refuse('bad_request', 'a direct chat has no link');
  return leads ? inviteOf(roster.info.chat, roster.row) : refuse('not_allowed', 'the link is for owner and admins');
}

function describe({ info, row, members }: Roster, user: string, leads: boolean, head: number): Plain[] {
  const all = [...members.values()].map(({ user, role, told }) => [user, role, told.delivered, told.read]);
  const settings = [row.avatar, row.announce ? 1 : 0, row.expiry, row.invite, leads ? row.waiting : []];
  return [info.kind, nameFor(info, user), head, all, ...settings];
}
