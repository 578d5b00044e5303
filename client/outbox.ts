// Owns the messages that the server has not acknowledged: their order, their numbers, their retries.
// Invariant: a message is sent only once the store has it, always under its first id, at most `window` unanswered; within
// a chat a message waits for the one before it (LIMITS.clientPipeline), also through refusals and reconnects.
// Must not: know connections; it is told `online` and `offline` and hands frames to `transmit`.

import { CODES } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import type { ChatLog } from './chat-log.js';
import { WeftError } from './errors.js';
import { hex } from './ids.js';
import { Lane, type Pending } from './lane.js';
import { Pace } from './pace.js';

/** The server's acknowledgement. */
export interface Receipt {
  readonly seq: number;
}

export interface OutboxHooks {
  /** False when the socket is full: the outbox asks again a little later. */
  transmit(log: ChatLog, pending: Pending): boolean;
  /** The chat's id is needed; `woken` or `refused` follows. */
  locate(log: ChatLog): void;
  /** Makes the message durable. */
  save(log: ChatLog, pending: Pending): Promise<void>;
  /** Acknowledged: it has this sequence number. */
  sent(log: ChatLog, pending: Pending, seq: number): void;
  /** Given up for good: durably, before anybody is told. Never rejects. */
  failed(log: ChatLog, pending: Pending, error: WeftError): Promise<void>;
}

export class Outbox {
  readonly #world: World;
  readonly #hooks: OutboxHooks;
  readonly #pipeline: number;
  readonly #pace: Pace;
  readonly #lanes = new Map<ChatLog, Lane>();
  /** Lanes that may have something to send, least recently served first. */
  readonly #ready = new Set<Lane>();
  readonly #byId = new Map<string, { readonly lane: Lane; readonly pending: Pending }>();
  readonly #flying = new Map<number, Pending>();
  #bytes = 0;
  #window = 0;
  #count = 0;
  #online = false;
  #recheck: (() => void) | undefined;

  constructor(world: World, hooks: OutboxHooks, pipeline: number = LIMITS.clientPipeline) {
    this.#world = world;
    this.#hooks = hooks;
    this.#pipeline = pipeline;
    this.#pace = new Pace(world, () => this.pump());
  }

  /** Sent, and not known to be stored. */
  get flying(): number {
    let count = 0;
    for (const { found } of this.#flying.values()) if (found !== true) count++;
    return count;
  }

  /** Messages not acknowledged, in order within each chat. */
  *all(): IterableIterator<{ readonly log: ChatLog; readonly pending: Pending }> {
    for (const { lane, pending } of this.#byId.values()) if (pending.found !== true) yield { log: lane.log, pending };
  }

  /** Something of this chat is not acknowledged. */
  waits(log: ChatLog): boolean {
    return (this.#lanes.get(log)?.entries.length ?? 0) > 0;
  }

  has(id: Uint8Array): boolean {
    return this.#byId.has(hex(id));
  }

  /** A message from the store, of an earlier session. */
  restore(log: ChatLog, id: Uint8Array, body: Uint8Array): void {
    this.#enter(log, { id, body, state: 'ready', attempts: 0 });
  }

  /** Resolves on SENT. Rejects with a permanent refusal, `outbox_full`, `store_failed` or `closed`. */
  add(log: ChatLog, id: Uint8Array, body: Uint8Array): Promise<Receipt> {
    if (this.#byId.size >= LIMITS.clientOutbox || this.#bytes + body.length > LIMITS.clientOutboxBytes) {
      return Promise.reject(new WeftError('outbox_full', `${this.#byId.size} messages wait to be sent`));
    }
    return new Promise((resolve, reject) => {
      const pending: Pending = { id, body, state: 'storing', attempts: 0, resolve, reject };
      this.#enter(log, pending);
      this.#hooks.save(log, pending).then(
        () => this.#stored(pending),
        (error: unknown) => this.#unstored(pending, error),
      );
    });
  }

  online(window: number): void {
    this.#online = true;
    this.#window = window;
    this.#count = 0;
    for (const lane of this.#lanes.values()) {
      lane.connected();
      this.#ready.add(lane);
    }
    this.pump();
  }

  /** What was unanswered goes back to its place, ahead of what was not sent yet. */
  offline(): void {
    this.#online = false;
    for (const pending of this.#flying.values()) pending.state = 'ready';
    this.#flying.clear();
    for (const lane of this.#lanes.values()) lane.flying = 0;
    for (const { pending } of [...this.#byId.values()]) if (pending.found === true) this.#remove(pending);
  }

  /** The server is leaving: answers still come, nothing new is sent on this connection. */
  pause(): void {
    this.#online = false;
  }

  /** The chat's id became known, or its lane may go on. */
  wake(log: ChatLog): void {
    const lane = this.#lanes.get(log);
    if (lane === undefined) return;
    lane.locating = false;
    this.#ready.add(lane);
    this.pump();
  }

  /** The chat's id could not be had now. */
  hold(log: ChatLog, ms: number): void {
    const lane = this.#lanes.get(log);
    if (lane === undefined) return;
    lane.locating = false;
    this.#holdFor(lane, ms);
  }

  /** The chat does not exist and never will: all its messages fail. */
  refuse(log: ChatLog, error: WeftError): void {
    for (const pending of [...(this.#lanes.get(log)?.entries ?? [])]) this.#giveUp(pending, error);
  }

  /** Moves what waits for `from`, which turned out to be `to`. */
  merge(from: ChatLog, to: ChatLog): void {
    const old = this.#lanes.get(from);
    if (old === undefined) return;
    this.#lanes.delete(from);
    this.#ready.delete(old);
    old.clearHold();
    for (const pending of old.entries) {
      this.#byId.delete(hex(pending.id));
      this.#bytes -= pending.body.length;
      this.#enter(to, pending);
    }
    this.pump();
  }

  sent(n: number, seq: number): boolean {
    const pending = this.#flying.get(n);
    if (pending === undefined) return false;
    this.#land(pending);
    this.#settle(this.#remove(pending), pending, seq);
    this.pump();
    return true;
  }

  /**
   * The message was found in the chat's log: its SENT was lost, or is still to come. Where FAILED came for it, or may come,
   * the server takes nothing of the chat before it comes again: then it stays in line until it is answered.
   */
  found(id: Uint8Array, seq: number): void {
    const entry = this.#byId.get(hex(id));
    if (entry === undefined || entry.pending.found === true) return;
    const { lane, pending } = entry;
    if (pending.state !== 'flying' && pending.refused !== true) this.#remove(pending);
    this.#settle(lane, pending, seq);
    pending.found = true;
    this.pump();
  }

  failed(n: number, error: WeftError): boolean {
    const pending = this.#flying.get(n);
    if (pending === undefined) return false;
    this.#land(pending);
    if (!error.retry) {
      this.#giveUp(pending, error);
      return true;
    }
    const { lane } = this.#byId.get(hex(pending.id))!;
    const follows = lane.refuse(pending);
    this.#ready.add(lane);
    // What was sent behind a refused one is refused with it: the first one's pause is that of all.
    if (error.code === 'rate_limited') {
      const ms = this.#pace.slowDown(error.after);
      if (ms > 0) this.#holdFor(lane, ms);
    } else if (!follows || error.code !== 'busy') {
      pending.attempts++;
      this.#holdFor(lane, this.#pace.backOff(pending.attempts, error.after));
    }
    this.pump();
    return true;
  }

  /** Rejects every promise; the messages stay in the store. */
  close(error: WeftError): void {
    this.offline();
    this.#recheck?.();
    this.#pace.stop();
    for (const lane of this.#lanes.values()) lane.clearHold();
    for (const { pending } of this.#byId.values()) pending.reject?.(error);
    this.#byId.clear();
    this.#lanes.clear();
    this.#ready.clear();
  }

  pump(): void {
    if (!this.#online || this.#pace.paused) return;
    for (const lane of this.#ready) {
      if (this.#flying.size >= this.#window) return;
      this.#ready.delete(lane);
      const pending = lane.next(this.#pipeline);
      if (pending === undefined) continue;
      if (lane.log.id === undefined) {
        lane.locating = true;
        this.#hooks.locate(lane.log);
        continue;
      }
      if (!this.#hooks.transmit(lane.log, pending)) {
        this.#ready.add(lane);
        this.#recheck?.();
        this.#recheck = this.#world.timer(CODES.over_window.after, () => this.pump());
        return;
      }
      this.#count = (this.#count + 1) % 65_536;
      pending.state = 'flying';
      this.#flying.set(this.#count, pending);
      pending.number = this.#count;
      lane.flying++;
      // Back to the end of the set: the lanes take turns, and the loop comes by again while there is window.
      this.#ready.add(lane);
    }
  }

  #enter(log: ChatLog, pending: Pending): void {
    let lane = this.#lanes.get(log);
    if (lane === undefined) {
      lane = new Lane(log);
      this.#lanes.set(log, lane);
    }
    lane.entries.push(pending);
    this.#byId.set(hex(pending.id), { lane, pending });
    this.#bytes += pending.body.length;
    this.#ready.add(lane);
  }

  #stored(pending: Pending): void {
    const entry = this.#byId.get(hex(pending.id));
    if (entry === undefined) return;
    pending.state = 'ready';
    this.#ready.add(entry.lane);
    this.pump();
  }

  #unstored(pending: Pending, error: unknown): void {
    if (!this.#byId.has(hex(pending.id))) return;
    this.#remove(pending);
    const detail = error instanceof Error ? error.message : String(error);
    pending.reject?.(new WeftError('store_failed', detail, undefined, error));
    this.pump();
  }

  /** Acknowledged, unless it was found before. */
  #settle({ log }: Lane, pending: Pending, seq: number): void {
    if (pending.found === true) return;
    this.#hooks.sent(log, pending, seq);
    pending.resolve?.({ seq });
  }

  #giveUp(pending: Pending, error: WeftError): void {
    this.#land(pending);
    const { log } = this.#remove(pending);
    if (pending.found !== true) void this.#hooks.failed(log, pending, error).then(() => pending.reject?.(error));
    this.pump();
  }

  /** Takes the message out of the window. */
  #land(pending: Pending): void {
    if (pending.state !== 'flying' || pending.number === undefined) return;
    pending.state = 'ready';
    this.#flying.delete(pending.number);
    const entry = this.#byId.get(hex(pending.id));
    if (entry !== undefined) entry.lane.flying--;
  }

  #remove(pending: Pending): Lane {
    const key = hex(pending.id);
    const { lane } = this.#byId.get(key)!;
    this.#byId.delete(key);
    this.#bytes -= pending.body.length;
    lane.remove(pending);
    if (lane.entries.length > 0) this.#ready.add(lane);
    else {
      lane.clearHold();
      this.#lanes.delete(lane.log);
      this.#ready.delete(lane);
    }
    return lane;
  }

  #holdFor(lane: Lane, ms: number): void {
    lane.holdFor(this.#world, ms, () => {
      this.#ready.add(lane);
      this.pump();
    });
  }
}
