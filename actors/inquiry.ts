// Owns answering INFO: what a chat is, who is in it and how far each is.
// Invariant: only what is durable is told. While a change of membership is in flight the roster is ahead of the disk, so
// whoever asks then is answered when that has ended.
// Must not: change the chat.

import type { Code } from './errors.js';
import { LIMITS } from './limits.js';
import type { Asker } from './messages.js';
import type { Roster } from './roster.js';
import type { Sequencer } from './sequencer.js';

export class Inquiry {
  #waiting: Asker[] = [];

  /** `sequencer`: null while the chat cannot be read. */
  ask(asker: Asker, sequencer: Sequencer | null, roster: Roster | null): void {
    if (sequencer === null) refuse(asker, 'unavailable', 'the chat cannot be read now');
    else if (sequencer.changing) this.#wait(asker);
    else if (roster?.members.has(asker.user) !== true) {
      refuse(asker, 'unknown_chat', 'no such chat, or you are not in it');
    } else {
      asker.connection.tell({ type: 'answer', r: asker.r, results: roster.describe(asker.user, sequencer.head) });
    }
  }

  /** The append in flight has ended, one way or the other. */
  answer(sequencer: Sequencer | null, roster: Roster | null): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const asker of waiting) this.ask(asker, sequencer, roster);
  }

  #wait(asker: Asker): void {
    if (this.#waiting.length < LIMITS.conversationInFlight) this.#waiting.push(asker);
    else refuse(asker, 'busy', 'too many ask for this chat');
  }
}

function refuse({ connection, r }: Asker, code: Code, detail: string): void {
  connection.tell({ type: 'refused', r, code, detail });
}
