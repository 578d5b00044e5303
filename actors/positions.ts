// Owns answering RECEIPTS: who has an entry of the chat, who has read it, and which of the asker's devices have it.
// Invariant: only durable positions are told; each question is answered once.
// Must not: hold up the chat: whose entry it is, is read beside it.

import { inboxKey, messageKey } from '../storage/keys.js';
import { decodeInbox } from '../storage/rows.js';
import type { Store } from '../storage/store.js';
import type { Plain } from '../transport/frames.js';
import { rowSender } from '../transport/row.js';
import type { Chat } from './chat.js';
import type { ChatContext } from './chat-rules.js';
import { readDevices } from './devices.js';
import type { Code } from './errors.js';
import { LIMITS } from './limits.js';
import type { Member } from './member.js';
import type { Asker, ChatMessage } from './messages.js';
import { type Read, UNREADABLE } from './reads.js';
import { visibleFrom } from './visibility.js';

type Question = Extract<ChatMessage, { type: 'positions' }>;

/** What the store has of an entry. */
export interface Found {
  readonly from: string;
  /** The asker's devices, with how far each is. */
  readonly devices: readonly (readonly [device: string, delivered: number])[];
}

const STATE = { none: 0, delivered: 1, read: 2 } as const;

export class Positions {
  readonly #chat: Chat;
  #open = 0;

  constructor(chat: Chat) {
    this.#chat = chat;
  }

  /** No question waits for the store. */
  get none(): boolean {
    return this.#open === 0;
  }

  ask(question: Question, context: ChatContext): void {
    const { asker, seq } = question;
    const { sequencer, roster, fabric, id } = this.#chat;
    if (sequencer === null) return refuse(asker, 'unavailable', 'the chat cannot be read now');
    const member = roster?.members.get(asker.user);
    if (member === undefined) return refuse(asker, 'unknown_chat', 'no such chat, or you are not in it');
    if (sequencer.arriving(seq) || roster?.audience.has(asker.user) === false)
      return refuse(asker, 'busy', 'that entry is not known to be stored yet');
    if (seq > sequencer.head || !sees(member, seq)) {
      return refuse(asker, 'bad_request', 'no such entry, or none that you may see');
    }
    if (this.#open >= LIMITS.conversationInFlight) return refuse(asker, 'busy', 'too many ask for this chat');
    this.#open += 1;
    const done = context.completion({ type: 'positions', question });
    readFound(fabric.store, id, asker.user, seq).then(done, () => done(UNREADABLE));
  }

  /** The store answered. */
  found({ asker, seq }: Question, found: Read<Found>): void {
    this.#open -= 1;
    const { roster } = this.#chat;
    if (found === UNREADABLE || roster === null) return refuse(asker, 'unavailable', 'the chat cannot be read now');
    const states: [string, number][] = [];
    for (const member of roster.members.values()) {
      const { user, told } = member;
      // Who joins with what is in flight is no member before that is durable.
      if (user === found.from || !roster.audience.has(user) || !sees(member, seq)) continue;
      states.push([user, told.read >= seq ? STATE.read : told.delivered >= seq ? STATE.delivered : STATE.none]);
    }
    const delivered = states.filter(([, state]) => state !== STATE.none).length;
    const read = states.filter(([, state]) => state === STATE.read).length;
    const results: Plain[] = [delivered, read, states, found.devices];
    asker.connection.tell({ type: 'answer', r: asker.r, results });
  }
}

function sees({ inbox }: Member, seq: number): boolean {
  return seq > 0 && visibleFrom(inbox.spans, seq)?.from === seq;
}

async function readFound(store: Store, chat: Uint8Array, user: string, seq: number): Promise<Found> {
  const [row, inbox, devices] = await Promise.all([
    store.get(messageKey(chat, seq)),
    store.get(inboxKey(user, chat)),
    readDevices(store, user),
  ]);
  const cursors = inbox === undefined ? [] : decodeInbox(inbox).devices;
  const registered = [...devices].filter(([, { removed }]) => !removed);
  return {
    // Of an entry that is gone nobody knows whose it was: who asks mostly asks for his own.
    from: row === undefined ? user : rowSender(row),
    devices: registered.map(([name]) => [name, cursors.find(({ device }) => device === name)?.delivered ?? 0]),
  };
}

function refuse({ connection, r }: Asker, code: Code, detail: string): void {
  connection.tell({ type: 'refused', r, code, detail });
}
