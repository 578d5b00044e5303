// Owns a chat's output gate: hands its appends to the log, and lets answers and fan-out pass once they are durable.
// Invariant: nothing leaves before its append is durable; what was handed to the log and is durable, or will be, is told
// even if the chat's actor has ended meanwhile.
// Must not: compose appends (sequencer.ts), or decide what is appended.

import { type AppendResult, refused, SHARD_MOVING } from '../storage/append.js';
import type { Telling } from '../storage/untold.js';
import { strike } from './buggify.js';
import type { Chat } from './chat.js';
import type { ChatContext } from './chat-rules.js';
import type { Entry } from './entry.js';
import type { FanOut } from './fan-out.js';
import type { Inquiry } from './inquiry.js';
import { LIMITS } from './limits.js';
import type { Roster } from './roster.js';
import { decline } from './waiter.js';

const nothing: readonly Entry[] = [];

export class Gate {
  readonly #chat: Chat;
  readonly #fanOut: FanOut;
  readonly #inquiry: Inquiry;
  /** The outcome of the append in flight, from when the log told it until its signal is handled. */
  #outcome: AppendResult | null = null;
  #signal: (result: AppendResult) => void = () => undefined;
  /** Where it is noted that the append in flight was told. */
  #news: Telling | null = null;
  #ended = false;
  #due = false;
  /** Entries that are being told, and how many of them have been. */
  #telling: readonly Entry[] = nothing;
  #told = 0;
  /** In a simulation it may break off in between. */
  readonly #fragile: boolean;

  constructor(chat: Chat, fanOut: FanOut, inquiry: Inquiry) {
    this.#chat = chat;
    this.#fanOut = fanOut;
    this.#inquiry = inquiry;
    this.#fragile = chat.fabric.world.buggify !== undefined;
  }

  /** Something may be in line: what a slice brings is appended at its end, so that a burst is one append. */
  due(): void {
    this.#due = true;
  }

  /** Appends what is in line, unless an append is in flight or nothing is due. */
  settled(context: ChatContext): void {
    if (!this.#due) return;
    this.#due = false;
    const { sequencer, roster, round } = this.#chat;
    if (
      roster === null ||
      sequencer === null ||
      sequencer.inFlight ||
      (sequencer.idle && !roster.dirty && !this.#chat.sweep.ready)
    )
      return;
    this.#signal = context.completion({ type: 'append', round });
    const append = sequencer.compose(roster, this.#chat.sweep.take(), this.#done);
    this.#news = append.telling;
    const taken = this.#chat.fabric.log.append(append);
    if (taken !== 'ok') this.#done(refused(taken));
  }

  /** The log's answer. It comes also when the actor has ended: then nobody else can tell the members. */
  readonly #done = (result: AppendResult): void => {
    this.#outcome = result;
    if (this.#ended) this.#publishLate();
    else this.#signal(result);
  };

  /** The append in flight is durable. True: positions or members changed with it. */
  publish(): boolean {
    const { sequencer, roster } = this.#chat;
    this.#outcome = null;
    const { swept } = sequencer!;
    this.#telling = sequencer!.commit();
    this.#told = 0;
    const moved = this.#tell(roster!);
    this.#inquiry.answer(sequencer, roster);
    this.#chat.sweep.committed(swept);
    this.#chat.sweep.grown();
    if (moved) this.#chat.sweep.moved();
    return moved;
  }

  /** True: positions or members changed. */
  #tell(roster: Roster): boolean {
    const entries = this.#telling;
    let moved = false;
    while (this.#told < entries.length) {
      if (this.#fragile && !this.#ended) strike(this.#chat.fabric.world, 'publish');
      const entry = entries[this.#told]!;
      this.#told += 1;
      this.#fanOut.entry(entry, roster);
      if (entry.change !== null) moved = true;
    }
    this.#fanOut.flush(roster);
    this.#telling = nothing;
    const receipts = this.#fanOut.receipts(roster);
    if (this.#news !== null) this.#news.done = true;
    return receipts || moved;
  }

  /** It is not: everyone who waits is refused. */
  abandon(reason: string): void {
    this.#outcome = null;
    const after = reason === SHARD_MOVING ? LIMITS.movedMs : undefined;
    for (const entry of this.#chat.sequencer!.abandon()) {
      for (const waiter of entry.waiters) decline(waiter, 'unavailable', `not stored: ${reason}`, after);
    }
  }

  #publishLate(): void {
    if (this.#outcome?.outcome === 'committed' && this.#chat.sequencer !== null) {
      this.publish();
      this.#chat.endTally();
    }
  }

  /** The actor is no more. What was handed to the log and is durable, or will be, still reaches the members. */
  end(): void {
    this.#ended = true;
    // It broke off while it told them of some: the rest is as durable.
    if (this.#telling !== nothing) this.#tell(this.#chat.roster!);
    this.#publishLate();
  }
}
