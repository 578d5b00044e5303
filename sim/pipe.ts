// Owns one direction of a link: frames on their way, what the kernels hold and what waits in the sender's process.
// Invariant: first in, first out; a frame arrives whole or, where the link breaks, not at all.
// Must not: know who is at its ends.
//
//   sender's process │ buffered │ ─▶ │ kernels, wire: up to `kernel` bytes │ ─▶ │ receiver's process
//                                                                               (may have stopped reading)

import type { Clock } from './clock.js';
import type { Process } from './process.js';

interface Parcel {
  readonly bytes: Uint8Array;
  /** Virtual ms at which it is there, if it is read. */
  readonly due: number;
}

export interface PipeOptions {
  readonly clock: Clock;
  /** Draws the ms that what is sent now takes. */
  readonly latency: () => number;
  /** Bytes a ms. */
  readonly bandwidth: number;
  /** Bytes that the kernels of both machines take. */
  readonly kernel: number;
  /** Whether frames pass at present. */
  readonly passes: () => boolean;
  /** Hands a frame to the receiver. */
  readonly deliver: (bytes: Uint8Array) => void;
  /** All that waited in the sender's process is with the kernel. */
  readonly drained: () => void;
}

export class Pipe {
  readonly #options: PipeOptions;
  #parcels: Parcel[] = [];
  /** Bytes sent and not handed over. What is lost stays: the sender's kernel waits for its acknowledgement. */
  #held = 0;
  /** Virtual ms of the newest send, and at which it arrives. */
  #sent = -1;
  #due = 0;
  #receiver: Process | null = null;
  #armed = false;
  #stopped = false;
  #waiting = false;
  #cut = false;
  #last: (() => void) | null = null;

  constructor(options: PipeOptions) {
    this.#options = options;
  }

  /** From now on frames are handed to this process. */
  open(receiver: Process): void {
    this.#receiver = receiver;
    this.#arm();
  }

  /** It may still carry what is sent. */
  get whole(): boolean {
    return !this.#cut;
  }

  /** Bytes that wait in the sender's process. */
  get buffered(): number {
    return Math.max(0, this.#held - this.#options.kernel);
  }

  /** Frames on their way. */
  get count(): number {
    return this.#parcels.length;
  }

  /** `bytes` goes on its way, and is the pipe's. */
  send(bytes: Uint8Array): void {
    this.#held += bytes.length;
    if (this.buffered > 0) this.#waiting = true;
    if (this.#cut) return;
    const { clock, latency, bandwidth } = this.#options;
    // What is sent in one moment travels together.
    if (this.#sent !== clock.now) this.#due = Math.max(this.#due, clock.now + latency());
    this.#sent = clock.now;
    this.#due += bytes.length / bandwidth;
    this.#parcels.push({ bytes, due: this.#due });
    this.#arm();
  }

  /** The receiver reads no more, or again. */
  stop(on: boolean): void {
    this.#stopped = on;
    if (!on) this.#arm();
  }

  /** Called where frames may pass again. */
  poke(): void {
    this.#arm();
  }

  /**
   * Of what is on its way the first `count` frames still come, and then `last` is called in the receiver, or nothing if it is
   * null. What is sent from now on goes nowhere. A link is cut once.
   */
  cut(count: number, last: (() => void) | null): void {
    if (this.#cut) return;
    this.#cut = true;
    this.#parcels = this.#parcels.slice(0, count);
    this.#last = last;
    this.#arm();
  }

  /** `last` is called in the receiver after all frames that were sent. */
  finish(last: () => void): void {
    this.cut(this.#parcels.length, last);
  }

  #arm(): void {
    const receiver = this.#receiver;
    if (this.#armed || this.#stopped || receiver === null || !receiver.alive) return;
    const { clock, latency, passes } = this.#options;
    const next = this.#parcels[0];
    if ((next === undefined && this.#last === null) || !passes()) return;
    this.#armed = true;
    const due = next?.due ?? Math.max(this.#due, clock.now + latency());
    receiver.arrive(Math.max(0, due - clock.now), () => {
      this.#armed = false;
      this.#take();
    });
  }

  /** All that is there, as one read of a socket brings it. */
  #take(): void {
    const { clock, passes, deliver, drained } = this.#options;
    if (this.#stopped || !passes()) return;
    if (this.#parcels.length === 0) {
      const last = this.#last;
      this.#last = null;
      last?.();
      return;
    }
    while (!this.#stopped && this.#parcels[0] !== undefined && this.#parcels[0].due <= clock.now) {
      const { bytes } = this.#parcels.shift()!;
      this.#held -= bytes.length;
      deliver(bytes);
    }
    if (this.#waiting && this.buffered === 0) {
      this.#waiting = false;
      drained();
    }
    this.#arm();
  }
}
