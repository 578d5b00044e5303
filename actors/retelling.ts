// Owns telling again what a chat may not have told: its last node ended after an append was durable, and perhaps before anybody heard of it.
// Invariant: members are told how far the log goes, and who was taken out by one of its newest entries, which may be the very one that
// nobody heard of, how far theirs goes. It counts as told only when it was.
// Must not: tell what is in the log: a connection that is behind reads it there, as after news that it had no room for.

import { messageKey, seqOf } from '../storage/keys.js';
import type { Reader } from '../storage/store.js';
import type { Telling } from '../storage/untold.js';
import { OP, T } from '../transport/frames.js';
import { decodeRow } from '../transport/row.js';
import type { Chat } from './chat.js';
import type { ChatContext, Tag } from './chat-rules.js';
import type { FanOut } from './fan-out.js';
import { LIMITS } from './limits.js';
import { type Read, UNREADABLE } from './reads.js';

/** By user, the number of the entry that took them out. */
export type Leavers = ReadonlyMap<string, number>;

const NOBODY: Leavers = new Map();

/** Of the newest entries. They may have come back since. */
async function readLeavers(store: Reader, chat: Uint8Array, head: number): Promise<Leavers> {
  const range = { start: messageKey(chat, 0), end: messageKey(chat, head + 1), limit: LIMITS.recoverEntries };
  const { rows } = await store.range({ ...range, maxBytes: LIMITS.appendBytes, reverse: true });
  const leavers = new Map<string, number>();
  for (const { key, value } of rows) {
    const row = decodeRow(value);
    if (row.type !== T.EVENT) continue;
    const gone = row.op === OP.left ? [row.from] : row.op === OP.removed ? (row.args[0] as string[]) : [];
    for (const user of gone) if (!leavers.has(user)) leavers.set(user, seqOf(key));
  }
  return leavers;
}

export class Retelling {
  readonly #chat: Chat;
  readonly #fanOut: FanOut;

  constructor(chat: Chat, fanOut: FanOut) {
    this.#chat = chat;
    this.#fanOut = fanOut;
  }

  /** Whoever asks asks again until it is done: while the chat cannot be read, and after a read that failed. */
  asked(telling: Telling, context: ChatContext): void {
    const { sequencer, roster, round, fabric, id } = this.#chat;
    if (sequencer === null) return;
    if (roster === null || roster.info.pair !== null || sequencer.head === 0) return this.#tell(NOBODY, telling);
    const done = context.completion({ type: 'leavers', round, telling });
    readLeavers(fabric.store, id, sequencer.head).then(done, () => done(UNREADABLE));
  }

  read(leavers: Read<Leavers>, { round, telling }: Extract<Tag, { type: 'leavers' }>): void {
    if (leavers !== UNREADABLE && round === this.#chat.round) this.#tell(leavers, telling);
  }

  #tell(leavers: Leavers, telling: Telling): void {
    const { sequencer, roster } = this.#chat;
    if (sequencer === null) return;
    if (roster !== null && sequencer.head > 0) this.#fanOut.again(sequencer.head, roster, leavers);
    telling.done = true;
  }
}
