// Owns the pace of sweeping on a node: which chat has its turn when, and how many at once.
// Invariant: few sweeps at a time, each small, no faster than what waits needs, so senders notice little; what chats say
// is kept in bounds, and whatever is lost of it the slow scan finds again.
// Must not: read or change a chat's rows (the chat's own actor does, in its own appends).
//
//   chats ── due ──▶ queue by time ──▶ round in key order ──▶ a few turns at a time ──▶ chat: sweep ──▶ Swept
//                       ▲
//   slow scan of all chats, for what is old and what a crash left

import type { Behaviour, Context, Signal } from './behaviour.js';
import { shrunk } from './buggify.js';
import { DueQueue } from './due-queue.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { Swept } from './sweep.js';
import { type ScanPage, scanPage } from './sweep-scan.js';

export interface SweeperMessage {
  readonly type: 'due';
  /** Hex of the chat id. */
  readonly chat: string;
  /** ms from now. */
  readonly ms: number;
}

/** What the sweeper counts, for status and metrics. */
export interface SweepStats {
  /** Turns that took something, entries that they emptied, turns that failed. */
  sweeps: number;
  entries: number;
  failed: number;
  /** Chats that wait. */
  waiting: number;
  /** ms by which the next of them is late. */
  late: number;
  /** Rounds of the scan. */
  rounds: number;
}

export const noSweeps = (): SweepStats => ({ sweeps: 0, entries: 0, failed: 0, waiting: 0, late: 0, rounds: 0 });

/** Rounds in the rest that a chat takes before it is due. */
const GATHERS = 3;

type Tag =
  | { readonly type: 'tick' }
  | { readonly type: 'scan' }
  | { readonly type: 'page' }
  | { readonly type: 'swept'; readonly chat: string; readonly began: number };

type SweeperContext = Context<SweeperMessage, Tag>;

export interface SweeperArgs {
  readonly fabric: Fabric;
  readonly stats: SweepStats;
}

class Sweeper {
  readonly #fabric: Fabric;
  readonly #stats: SweepStats;
  readonly #queue: DueQueue;
  /** Turns under way, by chat: monotonic ms of their start. */
  readonly #turns = new Map<string, number>();
  /** The timer of the next tick, and when it fires; 0 none. */
  #timer = 0;
  #wakes = 0;
  /** Chats that have their turn in this round, the last first; when it began, and its turns a ms. */
  readonly #round: string[] = [];
  #began = Number.NEGATIVE_INFINITY;
  #rate = 0;
  /** Turns that are due by it and have not begun. */
  #quota = 0;
  #ticked = 0;
  /** Chat after which the scan goes on; null: at the beginning. */
  #after: Uint8Array | null = null;

  constructor({ fabric, stats }: SweeperArgs, context: SweeperContext) {
    this.#fabric = fabric;
    this.#stats = stats;
    this.#queue = new DueQueue(shrunk(fabric.world, 'sweep queue', LIMITS.sweepQueue, 1));
    context.after(fabric.settings.sweep.scanMs, { type: 'scan' });
  }

  receive({ chat, ms }: SweeperMessage, context: SweeperContext): void {
    this.#queue.add(chat, context.now() + ms);
    this.#arm(context);
  }

  signal(signal: Signal<Tag>, context: SweeperContext): void {
    if (signal.type !== 'result' && signal.type !== 'timer') return;
    const { tag } = signal;
    if (tag.type === 'tick') this.#tick(context);
    else if (tag.type === 'scan') this.#scan(context);
    else if (signal.type !== 'result') return;
    else if (tag.type === 'page') this.#scanned(signal.value as ScanPage | null, context);
    else this.#swept(tag.chat, tag.began, signal.value as Swept, context);
    this.#arm(context);
  }

  #arm(context: SweeperContext): void {
    const now = context.now();
    const next = this.#round.length > 0 ? now : this.#queue.next();
    this.#stats.waiting = this.#queue.size + this.#round.length;
    this.#stats.late = next === null ? 0 : Math.max(0, now - (this.#round.length > 0 ? this.#began : next));
    if (next === null && this.#turns.size === 0) return;
    const { tickMs } = this.#fabric.settings.sweep;
    const rest = Math.max(tickMs, (next ?? now + LIMITS.sweepPatienceMs) - now);
    if (this.#timer !== 0) {
      if (this.#wakes <= now + rest) return;
      context.cancel(this.#timer);
    }
    this.#timer = context.after(rest, { type: 'tick' });
    this.#wakes = now + rest;
  }

  #tick(context: SweeperContext): void {
    this.#timer = 0;
    const now = context.now();
    for (const [chat, began] of this.#turns) {
      if (now - began < LIMITS.sweepPatienceMs) continue;
      // Its actor broke off; the next one starts anew.
      this.#turns.delete(chat);
      this.#queue.add(chat, now);
    }
    if (this.#round.length === 0) this.#gather(now);
    this.#quota = Math.min(this.#quota + this.#rate * (now - this.#ticked), LIMITS.sweepRound);
    this.#ticked = now;
    this.#start(now, context);
  }

  /** All that are due, in the order in which their rows lie: neighbours share pages of the store. */
  #gather(now: number): void {
    const { restMs, tickMs } = this.#fabric.settings.sweep;
    // For what remains of a chat after its turn.
    this.#rate = 1 / tickMs;
    this.#quota = 0;
    if (now - this.#began < restMs / GATHERS) return;
    for (let chat = this.#queue.take(now); chat !== null; chat = this.#queue.take(now)) {
      this.#round.push(chat);
      if (this.#round.length >= LIMITS.sweepRound) break;
    }
    if (this.#round.length === 0) return;
    this.#round.sort().reverse();
    this.#began = now;
    this.#ticked = now;
    // As many as it takes to be through in good time, however late ticks are.
    this.#rate = Math.max(1 / tickMs, this.#round.length / LIMITS.sweepAllMs);
    this.#quota = 1;
  }

  /** One after the other: a sender waits for all that shares a transaction. More at once the further they fall behind. */
  #start(now: number, context: SweeperContext): void {
    const most = Math.min(LIMITS.sweeps, 1 + Math.floor(this.#quota / LIMITS.sweepLag));
    while (this.#quota >= 1 && this.#turns.size < most) {
      const chat = this.#round.pop();
      if (chat === undefined) return;
      this.#quota -= 1;
      this.#turn(chat, now, context);
    }
  }

  #turn(chat: string, now: number, context: SweeperContext): void {
    if (this.#turns.has(chat)) return void this.#queue.add(chat, now + LIMITS.sweepRetryMs);
    const reply = { answer: context.completion({ type: 'swept', chat, began: now }) };
    const told = this.#fabric.chats.tell(chat, { type: 'sweep', reply });
    if (told === 'ok') this.#turns.set(chat, now);
    // A quarantined chat is left to the scan.
    else if (told === 'busy') this.#queue.add(chat, now + LIMITS.sweepRetryMs);
  }

  #swept(chat: string, began: number, { entries, failed, more }: Swept, context: SweeperContext): void {
    if (this.#turns.get(chat) === began) this.#turns.delete(chat);
    if (failed) {
      this.#stats.failed += 1;
      this.#queue.add(chat, context.now() + LIMITS.sweepRetryMs);
    } else if (entries > 0) {
      this.#stats.sweeps += 1;
      this.#stats.entries += entries;
    }
    if (more) {
      // The pace is of chats: what one still has to give goes on at once.
      this.#round.push(chat);
      this.#quota += 1;
    }
    this.#start(context.now(), context);
  }

  #scan(context: SweeperContext): void {
    const done = context.completion({ type: 'page' });
    scanPage(this.#fabric, this.#after).then(done, (error: unknown) => {
      this.#fabric.report('scan_failed', { reason: String(error) });
      done(null);
    });
  }

  #scanned(page: ScanPage | null, context: SweeperContext): void {
    const { restMs, scanMs, roundMs } = this.#fabric.settings.sweep;
    if (page === null) return void context.after(Math.max(scanMs, LIMITS.sweepRetryMs), { type: 'scan' });
    // A chat in memory speaks for itself, mostly a little later: what it frees goes in one sweep.
    for (const chat of page.due) {
      const rest = this.#fabric.chats.lookup(chat) === undefined ? 0 : restMs;
      this.#queue.add(chat, context.now() + rest);
    }
    this.#after = page.after;
    if (page.after === null) this.#stats.rounds += 1;
    context.after(page.after === null ? roundMs : scanMs, { type: 'scan' });
  }
}

export const sweeper: Behaviour<Sweeper, SweeperMessage, SweeperArgs, Tag> = {
  kind: 'sweeper',
  level: 'bulk',
  capacity: LIMITS.sweepQueue,
  init: (context, args) => new Sweeper(args, context),
  receive: (state, message, context) => state.receive(message, context),
  signal: (state, signal, context) => state.signal(signal, context),
};
