// Owns deletion for everyone: who may delete which message, and what stands in its place.
// Invariant: the stored body goes in the same append that gives the `deleted` event its number, so whoever is told of it
// finds it gone; the number stays, with sender, id and time.
// Must not: touch messages that the asker cannot see, or events.

import { messageKey } from '../storage/keys.js';
import { CHAT_KIND, OP, ROLE, T } from '../transport/frames.js';
import { checkRow, decodeRow, encodeEventRow } from '../transport/row.js';
import type { Chat } from './chat.js';
import type { ChatContext } from './chat-rules.js';
import { Entry } from './entry.js';
import { type Refusal, refuse } from './errors.js';
import { idText, idTime } from './message-id.js';
import type { Reads } from './reads.js';
import { visibleFrom } from './visibility.js';
import { decline, type RequestMessage, waiterOf } from './waiter.js';

export type DeletionRequest = Extract<RequestMessage, { type: 'change' }>;

export class Deletion {
  readonly #chat: Chat;
  readonly #reads: Reads;

  constructor(chat: Chat, reads: Reads) {
    this.#chat = chat;
    this.#reads = reads;
  }

  /** A CHANGE `deleted` whose id is new: reads its target. */
  request(message: DeletionRequest, context: ChatContext): void {
    const refused = this.#bad(message);
    if (refused !== null) return this.#decline(message, refused);
    const { id, fabric, round } = this.#chat;
    const target = fabric.store.get(messageKey(id, targetOf(message))).then(checked);
    this.#reads.hold(target, { type: 'target', round, message }, context);
  }

  /** The target was read. */
  read(message: DeletionRequest, row: Uint8Array | undefined): void {
    // Once more: an append may have ended meanwhile.
    const refused = this.#bad(message) ?? this.#barred(message, row);
    if (refused !== null) return this.#decline(message, refused);
    const chat = this.#chat;
    const { user } = message.asker;
    const at = chat.tick();
    const event = encodeEventRow(user, message.id, at - idTime(message.id), OP.deleted, message.args);
    const entry = new Entry(user, message.id, idText(message.id), at, event, null, waiterOf(message, chat));
    entry.erases = { seq: targetOf(message), row: erased(row!) };
    chat.enter([entry]);
  }

  #bad(message: DeletionRequest): Refusal | null {
    const { roster, sequencer } = this.#chat;
    const { user } = message.asker;
    if (roster?.rights.has(user) !== true) return refuse('unknown_chat', 'no such chat, or you are not in it');
    const seq = targetOf(message);
    if (sequencer!.arriving(seq)) return refuse('busy', 'the message is not known to be stored yet');
    const spans = roster.members.get(user)?.inbox.spans ?? [];
    if (seq < 1 || seq > sequencer!.head || visibleFrom(spans, seq)?.from !== seq || sequencer!.erases(seq)) {
      return refuse('bad_request', 'no message of this number');
    }
    return null;
  }

  #barred(message: DeletionRequest, row: Uint8Array | undefined): Refusal | null {
    if (row === undefined) return refuse('bad_request', 'the message is no longer stored');
    const { type, from } = decodeRow(row);
    if (type !== T.MESSAGE) return refuse('bad_request', 'no message, or deleted already');
    const { user } = message.asker;
    const { info, rights } = this.#chat.roster!;
    if (from === user || (info.kind === CHAT_KIND.group && rights.get(user)! >= ROLE.admin)) return null;
    return refuse('not_allowed', "only its sender deletes a message, or a group's owner and admins");
  }

  #decline(message: DeletionRequest, { code, detail }: Refusal): void {
    decline(waiterOf(message, this.#chat), code, detail);
  }
}

function checked(row: Uint8Array | undefined): Uint8Array | undefined {
  if (row !== undefined) checkRow(row);
  return row;
}

/** 0: the request names none. */
function targetOf({ args }: DeletionRequest): number {
  const [seq] = args;
  return args.length === 1 && typeof seq === 'number' ? seq : 0;
}

/** What stands in place of an entry whose content is gone. */
export function erased(row: Uint8Array): Uint8Array {
  const { from, id, lag } = decodeRow(row);
  return encodeEventRow(from, id, lag, OP.erased, []);
}
