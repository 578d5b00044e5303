// Owns the requests that wait for an answer: numbering, time-outs, repetition after a reconnect.
// Invariant: each promise settles once, at the latest after its time; only idempotent requests are made, so repeating is safe.
// Must not: know what is asked.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import type { ClientFrame, PageRow, Plain } from '../transport/frames.js';
import { WeftError } from './errors.js';

export type Answer =
  | { readonly type: 'ok'; readonly results: readonly Plain[] }
  | { readonly type: 'page'; readonly rows: readonly PageRow[]; readonly more: boolean };

/** Asks the server for an OK and its results; rejects with a WeftError. */
export type Ask = (make: (r: number) => ClientFrame) => Promise<readonly Plain[]>;

interface Waiting {
  readonly make: (r: number) => ClientFrame;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: WeftError) => void;
  readonly deadline: number;
  readonly cancel: () => void;
  /** How often it was sent. */
  sent: number;
  /** How often it was `rate_limited` over this connection. */
  limited: number;
}

export class Requests {
  readonly #world: World;
  readonly #send: (frame: ClientFrame) => void;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  #online = false;

  constructor(world: World, send: (frame: ClientFrame) => void) {
    this.#world = world;
    this.#send = send;
  }

  /**
   * Asks now or as soon as there is a connection. Rejects with the server's code, with `offline` (never sent) or
   * `timeout` (sent, unknown outcome) after `ms`, with `busy` at the limit and with `closed`.
   */
  ask(make: (r: number) => ClientFrame, ms: number = LIMITS.clientRequestMs): Promise<Answer> {
    if (this.#waiting.size >= LIMITS.clientRequests) {
      return Promise.reject(new WeftError('busy', `${this.#waiting.size} requests wait for an answer`));
    }
    const r = this.#next;
    this.#next = this.#next >= 0x7fff_ffff ? 1 : this.#next + 1;
    return new Promise((resolve, reject) => {
      const cancel = this.#world.timer(ms, () => {
        this.#waiting.delete(r);
        const code = waiting.sent > 0 ? 'timeout' : 'offline';
        reject(new WeftError(code, `no answer within ${ms} ms`));
      });
      const deadline = this.#world.now() + ms;
      const waiting: Waiting = { make, resolve, reject, deadline, cancel, sent: 0, limited: 0 };
      this.#waiting.set(r, waiting);
      if (this.#online) this.#issue(r, waiting);
    });
  }

  online(): void {
    this.#online = true;
    for (const [r, waiting] of this.#waiting) {
      waiting.limited = 0;
      this.#issue(r, waiting);
    }
  }

  offline(): void {
    this.#online = false;
  }

  answer(r: number, answer: Answer): void {
    this.#take(r)?.resolve(answer);
  }

  refuse(r: number, error: WeftError): void {
    const waiting = this.#waiting.get(r);
    if (waiting === undefined) return;
    // Each of these refusals counts as a frame: if all came as soon as they are told, those alone would use up what there is.
    if (error.code === 'rate_limited') waiting.limited += 1;
    const doubled = 2 ** Math.min(Math.max(waiting.limited - 1, 0), LIMITS.clientDoublings);
    const pause = error.after * doubled * (1 + this.#world.random());
    if (error.retry && this.#world.now() + pause < waiting.deadline) {
      // The closing check: the answer may be there by then, or the connection gone. Then `online` repeats it, or has done so:
      // a number that is under way must not come again.
      const { sent } = waiting;
      this.#world.timer(pause, () => {
        if (this.#online && this.#waiting.get(r) === waiting && waiting.sent === sent) this.#issue(r, waiting);
      });
      return;
    }
    this.#take(r)?.reject(error);
  }

  close(error: WeftError): void {
    this.#online = false;
    for (const r of [...this.#waiting.keys()]) this.#take(r)?.reject(error);
  }

  #issue(r: number, waiting: Waiting): void {
    waiting.sent++;
    this.#send(waiting.make(r));
  }

  #take(r: number): Waiting | undefined {
    const waiting = this.#waiting.get(r);
    this.#waiting.delete(r);
    waiting?.cancel();
    return waiting;
  }
}
