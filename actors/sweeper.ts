// Owns the pace of sweeping on a node: which chat has its turn when, and how many at once.
// Invariant: few sweeps at a time, each small and no two starts within a tick, so senders notice nothing; what chats say is
// kept in bounds, and whatever is lost of it the slow scan finds again.
// Must not: read or change a chat's rows (the chat's own actor does, in its own appends).
//
//   chats ── due ──▶ queue by time ──▶ a few turns per tick ──▶ chat: sweep ──▶ Swept
//                       ▲
//   slow scan of all chats, for what is old and what a crash left

import type { Behaviour, Context, Signal } from './behaviour.js';
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
  readonly #queue = new DueQueue(LIMITS.sweepQueue);
  /** Turns under way, by chat: monotonic ms of their start. */
  readonly #turns = new Map<string, number>();
  /** The timer of the next tick, and when it fires; 0 none. */
  #timer = 0;
  #wakes = 0;
  /** Turns a ms, and those that are due by it and have not begun. */
  #rate = 0;
  #quota = 0;
  #ticked = 0;
  /** Chat after which the scan goes on; null: at the beginning. */
  #after: Uint8Array | null = null;

  constructor({ fabric, stats }: SweeperArgs, context: SweeperContext) {
    this.#fabric = fabric;
    this.#stats = stats;
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
    const next = this.#queue.next();
    const now = context.now();
    this.#stats.waiting = this.#queue.size;
    this.#stats.late = next === null ? 0 : Math.max(0, now - next);
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
    const { tickMs } = this.#fabric.settings.sweep;
    for (const [chat, began] of this.#turns) {
      if (now - began < LIMITS.sweepPatienceMs) continue;
      // Its actor broke off; the next one starts anew.
      this.#turns.delete(chat);
      this.#queue.add(chat, now);
    }
    const passed = this.#rate === 0 ? tickMs : Math.min(now - this.#ticked, 1_000);
    // As many as it takes to be through with all in good time, however late the tick is; kept up until nothing is due.
    this.#rate = Math.max(this.#rate, 1 / tickMs, this.#queue.size / LIMITS.sweepAllMs);
    this.#quota = Math.min(this.#quota + this.#rate * passed, LIMITS.sweepQueue);
    this.#ticked = now;
    this.#start(context);
  }

  /** One or two at a time, so that each append is small; more only if they fall behind. */
  #start(context: SweeperContext): void {
    const now = context.now();
    while (this.#quota >= 1 && this.#turns.size < Math.min(LIMITS.sweeps, 2 + Math.floor(this.#quota / 16))) {
      const chat = this.#queue.take(now);
      if (chat === null) {
        this.#quota = 0;
        this.#rate = 0;
        return;
      }
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

  #swept(chat: string, began: number, { entries, failed }: Swept, context: SweeperContext): void {
    if (this.#turns.get(chat) === began) this.#turns.delete(chat);
    if (failed) {
      this.#stats.failed += 1;
      this.#queue.add(chat, context.now() + LIMITS.sweepRetryMs);
    } else if (entries > 0) {
      this.#stats.sweeps += 1;
      this.#stats.entries += entries;
    }
    this.#start(context);
  }

  #scan(context: SweeperContext): void {
    const done = context.completion({ type: 'page' });
    scanPage(this.#fabric, this.#after).then(done, (error: unknown) => {
      this.#fabric.report('scan_failed', { reason: String(error) });
      done(null);
    });
  }

  #scanned(page: ScanPage | null, context: SweeperContext): void {
    const { scanMs, roundMs } = this.#fabric.settings.sweep;
    if (page === null) return void context.after(Math.max(scanMs, LIMITS.sweepRetryMs), { type: 'scan' });
    for (const chat of page.due) this.#queue.add(chat, context.now());
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
