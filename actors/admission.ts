// Owns what a chat does with sends and requests before they are entries: once for each id, by its rules, and after what
// must be read first.
// Invariant: each is answered once; what waits for the store is refused if the chat's state was read anew meanwhile.
// Must not: know what the rules are, or write.

import { OP } from '../transport/frames.js';
import { encodeMessageRow } from '../transport/row.js';
import { readBlockers } from './blocks.js';
import type { Chat } from './chat.js';
import type { ChatContext, ChatRules, Tag } from './chat-rules.js';
import { Deletion } from './deletion.js';
import { Entry } from './entry.js';
import { idText, idTime } from './message-id.js';
import type { SendMessage } from './messages.js';
import { type Newcomers, readNewcomers } from './newcomers.js';
import { type Reads, UNREADABLE } from './reads.js';
import type { Known } from './recent-ids.js';
import { Repeats } from './repeats.js';
import type { Typists } from './typists.js';
import { decline, type EntryMessage, type RequestMessage, type Waiter, waiterOf } from './waiter.js';

type Question = Extract<Tag, { type: 'blockers' | 'known' | 'newcomers' | 'target' }>;

type Asked = Extract<Tag, { type: 'blockers' }>;

export class Admission {
  readonly #chat: Chat;
  readonly #rules: ChatRules;
  readonly #reads: Reads;
  readonly #typists: Typists;
  readonly #repeats: Repeats;
  readonly #deletion: Deletion;

  constructor(chat: Chat, rules: ChatRules, reads: Reads, typists: Typists) {
    this.#chat = chat;
    this.#rules = rules;
    this.#reads = reads;
    this.#typists = typists;
    this.#repeats = new Repeats(chat, reads);
    this.#deletion = new Deletion(chat, reads);
  }

  send(message: SendMessage, context: ChatContext): void {
    const { sequencer } = this.#chat;
    const waiter: Waiter = { type: 'send', connection: message.connection, n: message.n };
    if (sequencer === null) return decline(waiter, 'unavailable', 'the chat cannot be read now');
    if (message.after !== null && !sequencer.accepted(message.after)) {
      return decline(waiter, 'busy', 'an earlier message of this connection was refused');
    }
    if (this.#repeats.isNew(message, message.user, message.idText, waiter, context)) {
      this.#accept(message, waiter, context);
    }
  }

  /** `blockers`: null until read, where the send would make the chat, or a block may not have been heard of. */
  #accept(message: SendMessage, waiter: Waiter, context: ChatContext, blockers: readonly string[] | null = null): void {
    const chat = this.#chat;
    const pair = chat.roster?.info.pair ?? null;
    if (blockers === null && pair !== null && !this.#hears(pair)) return this.#askBlockers(pair, message, context);
    const refused = chat.roster === null ? this.#rules.found(chat, message, blockers) : null;
    if (refused === 'ask') return this.#askBlockers(message.pair!, message, context);
    if (refused !== null) return decline(waiter, refused.code, refused.detail, refused.after);
    const { user: from, id, idText } = message;
    const roster = chat.roster!;
    if (!this.#typists.none) this.#typists.over(from, roster, context);
    if (!roster.rights.has(from)) return decline(waiter, 'not_member', 'not in this chat');
    const barred = this.#rules.barred(roster, from);
    if (barred !== null) return decline(waiter, barred.code, barred.detail);
    const at = chat.tick();
    const row = encodeMessageRow(from, id, at - idTime(id), message.body);
    chat.enter([new Entry(from, id, idText, at, row, null, waiter)]);
  }

  /** Since who blocks whom was read, each block was told. */
  #hears(pair: readonly [string, string]): boolean {
    const heard = this.#chat.fabric.heard(pair);
    return heard >= 0 && heard === this.#chat.roster?.heard;
  }

  #askBlockers(pair: readonly [string, string], message: SendMessage, context: ChatContext): void {
    const { fabric, round } = this.#chat;
    const heard = fabric.heard(pair);
    this.#reads.hold(readBlockers(fabric.store, pair), { type: 'blockers', round, heard, message }, context);
  }

  request(message: RequestMessage, context: ChatContext): void {
    const waiter = waiterOf(message, this.#chat);
    if (this.#chat.sequencer === null) return decline(waiter, 'unavailable', 'the chat cannot be read now');
    if (!this.#repeats.isNew(message, message.asker.user, idText(message.id), waiter, context)) return;
    this.#decide(message, context);
  }

  #decide(message: RequestMessage, context: ChatContext): void {
    if (message.type === 'change' && message.op === OP.deleted) this.#deletion.request(message, context);
    else this.#rules.request(this.#chat, message, null, context);
  }

  readNewcomers(users: readonly string[], message: RequestMessage, context: ChatContext): void {
    const { fabric, id, round } = this.#chat;
    const newcomers = readNewcomers(fabric, id, users, message.asker.user);
    this.#reads.hold(newcomers, { type: 'newcomers', round, message }, context);
  }

  /** The store answered. */
  read(tag: Question, value: unknown, context: ChatContext): void {
    if (tag.round !== this.#chat.round) {
      // An append failed while the store was asked.
      return this.#unavailable(tag.message, 'not stored: the chat is read again');
    }
    if (value === UNREADABLE) return this.#unavailable(tag.message, 'the store cannot be read now');
    if (tag.type === 'known') this.#looked(tag.message, value as Known | undefined, context);
    else if (tag.type === 'blockers') this.#asked(tag, value as readonly string[], context);
    else if (tag.type === 'target') this.#deletion.read(tag.message, value as Uint8Array | undefined);
    else this.#rules.request(this.#chat, tag.message, value as Newcomers, context);
  }

  #looked(message: EntryMessage, known: Known | undefined, context: ChatContext): void {
    if (known !== undefined) this.#repeats.stored(message, known);
    else if (message.type === 'send') this.#accept(message, waiterOf(message, this.#chat), context);
    else this.#decide(message, context);
  }

  #asked({ message, heard }: Asked, blockers: readonly string[], context: ChatContext): void {
    const { roster } = this.#chat;
    if (roster !== null) Object.assign(roster, { blockers, heard });
    this.#accept(message, waiterOf(message, this.#chat), context, blockers);
    this.#chat.leaveIfNothing(context);
  }

  /**
   * `user`, of a direct chat, blocks the other from now on, or does not any more. It is told before BLOCK is answered, so no
   * message that is sent after the answer passes; from another node it comes a link's way later. Where the chat is being read, or is not
   * yet, it is read with it.
   */
  blocked(user: string, on: boolean, context: ChatContext): void {
    const { roster } = this.#chat;
    if (roster === null) return;
    // Before: afterwards nobody would be told that it is over.
    if (on) for (const typist of roster.audience) this.#typists.over(typist, roster, context);
    const others = roster.blockers.filter((blocker) => blocker !== user);
    roster.blockers = on ? [...others, user] : others;
  }

  #unavailable(message: EntryMessage, detail: string): void {
    decline(waiterOf(message, this.#chat), 'unavailable', detail);
  }
}
