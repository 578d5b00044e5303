// Owns a chat's part in being swept: it says when there may be something to take, reads, and has it taken with its next
// append.
// Invariant: one sweep at a time, and each is answered; what it takes is worked out by the chat's only writer and goes
// in its own append, so it is fenced and ordered like any entry; a failed append takes nothing.
// Must not: decide the pace (sweeper.ts) or what may go (cut.ts).
//
//   acks, entries ─▶ due ─▶ sweeper ─▶ start ─▶ survey (the lane stays open) ─▶ cut ─▶ with the next append ─▶ Swept

import { OP } from '../transport/frames.js';
import { encodeEventRow } from '../transport/row.js';
import type { Chat } from './chat.js';
import type { ChatContext } from './chat-rules.js';
import { type Cut, type Plan, planSweep } from './cut.js';
import { Entry } from './entry.js';
import { LIMITS } from './limits.js';
import { idText, idTime, makeMessageId } from './message-id.js';
import type { Read } from './reads.js';
import { UNREADABLE } from './reads.js';
import type { Reply } from './ref.js';
import { lifetime, slack } from './retention.js';
import { clearAtMost, rowsOf, type Survey, survey } from './survey.js';

/** How a turn ended. */
export interface Swept {
  /** Entries whose content went. */
  readonly entries: number;
  readonly failed: boolean;
  /** There is more to take at once. */
  readonly more: boolean;
}

export class Sweep {
  readonly #chat: Chat;
  #forgot = 0;
  /** Number up to which all had everything, as the store once told: nobody loses that claim any more. */
  #clear = 0;
  /** The sweeper was told: soon, of what was acknowledged; or later, of what grows old. */
  #soon = false;
  #aging = false;
  /** ms that entries live, as last seen. */
  #life = Number.POSITIVE_INFINITY;
  #reply: Reply | null = null;
  #plan: Plan | null = null;
  /** The plan is in the append in flight. */
  #taken = false;

  constructor(chat: Chat) {
    this.#chat = chat;
  }

  /** Nothing is under way. */
  get idle(): boolean {
    return this.#reply === null;
  }

  /** The chat's state was read. */
  loaded(forgot: number): void {
    this.#forgot = forgot;
    this.#clear = 0;
    this.grown();
  }

  /** A position moved, or a device or member went: others may have waited for it alone. */
  moved(): void {
    if (this.#soon || this.#chat.fabric.settings.retention.type !== 'until-delivered') return;
    this.#soon = this.#due(this.#chat.fabric.settings.sweep.restMs);
  }

  /** Entries became durable, or the chat's own timer was set. */
  grown(): void {
    const { roster, fabric } = this.#chat;
    if (roster === null) return;
    const life = lifetime(fabric.settings.retention, roster.settings.expiry);
    const shorter = life < this.#life;
    this.#life = life;
    if (life > LIMITS.sweepSoonMs || (this.#aging && !shorter)) return;
    this.#aging = this.#due(shorter ? fabric.settings.sweep.restMs : life + slack(life));
  }

  #due(ms: number): boolean {
    return this.#chat.fabric.sweeper.due(this.#chat.key, ms);
  }

  // ---- a turn ----

  start(reply: Reply, context: ChatContext): void {
    // Asked again: the sweeper no longer waits for the first.
    if (this.#reply !== null) {
      this.#reply = reply;
      return;
    }
    const { roster, sequencer, fabric, id, round } = this.#chat;
    this.#soon = false;
    this.#aging = false;
    if (roster === null || sequencer === null) return answer(reply, 0, roster === null && sequencer === null);
    this.#reply = reply;
    const { swept, head } = sequencer;
    let clear: Parameters<typeof survey>[2] = 0;
    if (fabric.settings.retention.type === 'until-delivered') {
      const most = clearAtMost(roster.members.values(), head);
      clear = this.#clear > swept ? this.#clear : most <= swept ? 0 : [...roster.members.values()];
    }
    const done = context.completion({ type: 'survey', round });
    survey(fabric, id, clear, swept, head, this.#life <= LIMITS.sweepSoonMs).then(done, (error: unknown) => {
      fabric.report('chat_unreadable', { chat: this.#chat.key, reason: String(error) });
      done(UNREADABLE);
    });
  }

  surveyed(found: Read<Survey>): void {
    const { roster, sequencer, fabric, id: chat } = this.#chat;
    if (found === UNREADABLE || roster === null || sequencer === null) return this.#end(0, true);
    this.#clear = Math.max(this.#clear, found.clear);
    const sweep = { swept: sequencer.swept, forgot: this.#forgot };
    const { members } = roster;
    const ground = { chat, sweep, now: fabric.world.wall(), life: this.#life, members, most: rowsOf(fabric) };
    const plan = planSweep(ground, found);
    if (plan.empty) {
      this.#next(plan);
      return this.#end(0, false);
    }
    this.#plan = plan;
    this.#chat.append();
  }

  /** Something waits to go with the next append. */
  get ready(): boolean {
    return this.#plan !== null && !this.#taken;
  }

  /** What the append that is being composed takes out of the log. */
  take(): Cut | null {
    const plan = this.#plan;
    if (plan === null) return null;
    this.#taken = true;
    const { lost } = plan;
    const notice = lost === null ? null : (until: number) => this.#notice(lost, until);
    return { upTo: plan.sweep.swept, notice, write: (writes, head) => plan.write(writes, head) };
  }

  /** Members learn that messages ended before everyone had them, from the sender of the last. */
  #notice({ from, to, sender }: NonNullable<Plan['lost']>, until: number): Entry {
    const id = makeMessageId(this.#chat.fabric.world);
    const at = Math.min(until, this.#chat.tick());
    const row = encodeEventRow(sender, id, at - idTime(id), OP.expired, [from, to]);
    return new Entry(sender, id, idText(id), at, row, null, null);
  }

  /** The append is durable; `entries`: how many it emptied. */
  committed(swept: number): void {
    const plan = this.#plan;
    if (plan === null || !this.#taken) return;
    this.#plan = null;
    this.#taken = false;
    this.#forgot = plan.sweep.forgot;
    this.#next(plan);
    this.#end(plan.sweep.swept - swept, false, plan.more);
  }

  /** The append failed, or the state is read anew. */
  failed(): void {
    this.#plan = null;
    this.#taken = false;
    this.#end(0, true);
  }

  #next({ oldest }: Plan): void {
    if (oldest === null || this.#life > LIMITS.sweepSoonMs) return;
    const rest = oldest + this.#life + slack(this.#life) - this.#chat.fabric.world.wall();
    this.#aging = this.#due(Math.max(0, rest));
  }

  #end(entries: number, failed: boolean, more = false): void {
    const reply = this.#reply;
    this.#reply = null;
    if (reply !== null) answer(reply, entries, failed, more);
  }
}

function answer(reply: Reply, entries: number, failed: boolean, more = false): void {
  reply.answer({ entries, failed, more } satisfies Swept);
}
