// Owns recognising what a chat was sent before: by what it has in memory, else by the store.
// Invariant: an id that was stored, or is on its way, is answered with its number and never entered again.
// Must not: enter anything itself.

import type { Chat } from './chat.js';
import { findStored } from './chat-image.js';
import type { ChatContext } from './chat-rules.js';
import { idText } from './message-id.js';
import type { Reads } from './reads.js';
import type { Known } from './recent-ids.js';
import { decline, type EntryMessage, settle, type Waiter, waiterOf } from './waiter.js';

export class Repeats {
  readonly #chat: Chat;
  readonly #reads: Reads;

  constructor(chat: Chat, reads: Reads) {
    this.#chat = chat;
    this.#reads = reads;
  }

  /** False when the id was seen before (and is answered) or the store must be asked first. */
  isNew(message: EntryMessage, user: string, text: string, waiter: Waiter, context: ChatContext): boolean {
    const { id, fabric, sequencer, round } = this.#chat;
    const found = sequencer!.find(text);
    if (found === 'fresh') return true;
    if (found === 'stored') {
      this.#reads.hold(findStored(fabric.store, id, message.id), { type: 'known', round, message }, context);
    } else if (found.from !== user) decline(waiter, 'bad_id', "the id of somebody else's message");
    else if ('waiters' in found) found.waiters.push(waiter);
    else settle(waiter, found.seq);
    return false;
  }

  /** The store had the id: its number, unless it is somebody else's. */
  stored(message: EntryMessage, known: Known): void {
    const waiter = waiterOf(message, this.#chat);
    const user = message.type === 'send' ? message.user : message.asker.user;
    // Of a message that has ended only the number is known: whoever has its id is taken for its sender.
    if (known.from !== '' && known.from !== user) return decline(waiter, 'bad_id', "the id of somebody else's message");
    this.#chat.sequencer!.found(idText(message.id));
    settle(waiter, known.seq);
  }
}
