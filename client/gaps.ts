// Owns the repair of gaps: pulls with HISTORY what is missing below something that came, or has the connection synced anew.
// Invariant: one pull per chat and one SYNC at a time; a gap is never left without a pull, a timer or a SYNC under way.
// Must not: release anything; what it pulls goes the way of every arrival.
//
//   arrival above a hole ─▶ HISTORY ─┬─ all of it came ─▶ done
//                                    └─ not all ─▶ SYNC ─▶ CERT says from where ─▶ stream, or truncated
//   own message above a hole ─▶ wait: the rest is on its way, perhaps held back for credit ─▶ no progress ─▶ HISTORY …

import { shrunk } from '../actors/buggify.js';
import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import type { ChatLog } from './chat-log.js';
import { WeftError } from './errors.js';

export interface GapHooks {
  /** Pulls up to `limit` messages below `before` into the log. */
  pull(log: ChatLog, before: number, limit: number): Promise<void>;
  /** Sends SYNC with the present vector; SYNCED follows. `again`: so it does for one before. */
  sync(again: boolean): void;
  /** Where the log begins is known: what it held may be released. */
  placed(log: ChatLog): void;
  /** The server may still send without new credit. */
  flowing(): boolean;
  /** `diverged`: the server lost data. */
  trouble(error: WeftError): void;
}

export class Gaps {
  readonly #world: World;
  readonly #hooks: GapHooks;
  readonly #pulling = new Set<ChatLog>();
  readonly #watched = new Map<ChatLog, () => void>();
  /** Widest gap that is pulled. */
  readonly #widest: number;
  /** Where logs begin that dropped something, by the newest CERT since SYNC was sent. */
  readonly #starts = new Map<ChatLog, number>();
  /** Where logs end by the newest CERT since SYNC was sent, if that is before what SYNC said of them. */
  readonly #ends = new Map<ChatLog, number>();
  /** Begun since SYNC was said. A CERT within the stream names kind and name too, so those do not tell. */
  readonly #young = new Set<ChatLog>();
  #connection = 0;
  #online = false;
  #syncing = false;
  #syncedAt = Number.NEGATIVE_INFINITY;
  #cancelSync: (() => void) | undefined;

  constructor(world: World, hooks: GapHooks) {
    this.#world = world;
    this.#widest = shrunk(world, 'client gap', LIMITS.clientGap, 1);
    this.#hooks = hooks;
  }

  /** Messages held ahead of gaps, over all chats. */
  get held(): number {
    let sum = 0;
    for (const log of this.#watched.keys()) sum += log.held.size;
    for (const log of this.#pulling) if (!this.#watched.has(log)) sum += log.held.size;
    return sum;
  }

  /** The greeting's SYNC is under way. */
  connected(): void {
    this.#online = true;
    this.#syncing = true;
  }

  down(): void {
    this.#connection++;
    this.#online = false;
    this.#syncing = false;
    this.#pulling.clear();
    this.#starts.clear();
    this.#ends.clear();
    this.#young.clear();
    this.#cancelSync?.();
    this.#cancelSync = undefined;
    for (const cancel of this.#watched.values()) cancel();
    // Still watched, without a timer, so that what they hold stays counted; SYNCED sets the timers anew.
    for (const log of this.#watched.keys()) this.#watched.set(log, () => {});
  }

  /** Something came above a hole: messages of a chat come in order, so the rest is not on its way. */
  noticed(log: ChatLog): void {
    if (this.#syncing) this.suspect(log);
    else this.#pull(log);
  }

  /** The rest may be on its way. */
  suspect(log: ChatLog): void {
    if (!this.#watched.has(log)) this.#watch(log);
  }

  /**
   * CERT of a log that dropped something for want of room. By itself it follows what the server has sent, and counts that as had: what is
   * missing is pulled first. The answer to a SYNC begins at the vector; one of before may still come, so the last before SYNCED holds.
   */
  certified(log: ChatLog, start: number): void {
    if (this.#syncing) {
      this.#starts.set(log, start);
      this.suspect(log);
    } else if (start > log.cursor + 1) this.noticed(log);
  }

  /** CERT says where the log ends. True: before what SYNC said of it. One of a stream of before SYNC may say so of a server that lost nothing. */
  short(log: ChatLog, head: number): boolean {
    const short = head < log.listed;
    if (!short) this.#ends.delete(log);
    else if (this.#syncing) this.#ends.set(log, head);
    else this.#hooks.trouble(diverged(log, head));
    return short;
  }

  /** The chat begins on this device, other than by a CERT: `cursor` is before the first of its entries. */
  begin(log: ChatLog, cursor: number): void {
    log.place(cursor);
    if (this.#syncing) this.#young.add(log);
  }

  /** True once: the log has begun since the SYNC that is not answered yet, so that SYNC's vector lacked it. */
  young(log: ChatLog): boolean {
    return this.#young.delete(log);
  }

  /** CERT of a log that the vector lacked, and that has begun meanwhile: what is missing below `start` is only not coming by itself. */
  unlisted(log: ChatLog, start: number): void {
    if (log.reach(start - 1)) this.noticed(log);
  }

  /** SYNC again, at most every LIMITS.clientResyncMs. */
  resync(): void {
    if (!this.#online || this.#syncing || this.#cancelSync !== undefined) return;
    const wait = this.#syncedAt + LIMITS.clientResyncMs - this.#world.now();
    if (wait <= 0) {
      this.resyncNow();
      return;
    }
    this.#cancelSync = this.#world.timer(wait, () => {
      this.#cancelSync = undefined;
      this.resyncNow();
    });
  }

  /** The server asked for it. */
  resyncNow(): void {
    if (!this.#online) return;
    const again = this.#syncing;
    this.#syncing = true;
    this.#young.clear();
    this.#syncedAt = this.#world.now();
    this.#hooks.sync(again);
  }

  synced(): void {
    this.#syncing = false;
    this.#young.clear();
    for (const [log, start] of this.#starts) {
      log.dropped = 0;
      if (log.truncate(start)) this.#hooks.placed(log);
    }
    this.#starts.clear();
    for (const [log, head] of this.#ends) this.#hooks.trouble(diverged(log, head));
    this.#ends.clear();
    for (const [log, cancel] of [...this.#watched]) {
      cancel();
      this.#watched.delete(log);
      if (!log.gap) continue;
      // Not certified although something of it was delivered: its log begins, for this device, with that. A number of one's own
      // says nothing about the beginning: the chat became the user's after its SYNC was read, and what comes, or the next SYNC, tells.
      if (!log.placed && log.held.size > 0) {
        log.place(Math.max(0, Math.min(...log.held.keys(), ...log.own) - 1));
        this.#hooks.placed(log);
      }
      if (log.gap) this.#watch(log);
    }
  }

  #watch(log: ChatLog): void {
    const cursor = log.cursor;
    const cancel = this.#world.timer(LIMITS.clientGapMs, () => {
      this.#watched.delete(log);
      if (!log.gap) return;
      if (log.cursor > cursor || !this.#hooks.flowing() || this.#syncing) this.#watch(log);
      else this.#pull(log);
    });
    this.#watched.set(log, cancel);
  }

  #pull(log: ChatLog): void {
    if (!this.#online || this.#pulling.has(log) || !log.gap) return;
    if (!log.placed || log.highest - log.cursor > this.#widest) {
      this.suspect(log);
      this.resync();
      return;
    }
    this.#pulling.add(log);
    const cursor = log.cursor;
    const connection = this.#connection;
    const limit = Math.min(LIMITS.historyRows, log.highest - cursor);
    this.#hooks.pull(log, cursor + 1 + limit, limit).then(
      () => this.#pulled(log, connection, log.cursor > cursor),
      () => this.#pulled(log, connection, false),
    );
  }

  #pulled(log: ChatLog, connection: number, progress: boolean): void {
    if (connection !== this.#connection) return;
    this.#pulling.delete(log);
    if (!log.gap) return;
    if (progress) {
      this.#pull(log);
      return;
    }
    this.suspect(log);
    this.resync();
  }
}

function diverged({ key, listed }: ChatLog, head: number): WeftError {
  return new WeftError('diverged', `chat ${key} ends at ${head}, had up to ${listed}`);
}
