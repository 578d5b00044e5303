// Owns the frames that a connection made during its slice, until they go to the socket together.
// Invariant: filled and flushed within one slice of one connection, so one buffer serves the whole node.
// Must not: keep anything between slices.

import type { SendOutcome, Socket } from '../transport/socket.js';
import { assert } from './errors.js';

const START = 65_536;

export class Outbox {
  #bytes = new Uint8Array(START);
  #ends: number[] = [];
  #owner: unknown = null;

  /** Copies the frame. */
  add(owner: unknown, frame: Uint8Array): void {
    assert(this.#owner === null || this.#owner === owner, 'one connection at a time fills the outbox');
    this.#owner = owner;
    const at = this.#used();
    if (at + frame.length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, at + frame.length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    this.#bytes.set(frame, at);
    this.#ends.push(at + frame.length);
  }

  /** Sends what was added, in order, with few system calls. The worst outcome of all. */
  flush(socket: Socket): SendOutcome {
    const ends = this.#ends;
    if (ends.length === 0) return 'sent';
    let worst: SendOutcome = 'sent';
    const send = (): void => {
      let start = 0;
      for (const end of ends) {
        const outcome = socket.send(this.#bytes.subarray(start, end));
        if (outcome === 'dropped' || worst === 'sent') worst = outcome;
        if (outcome === 'dropped') return;
        start = end;
      }
    };
    if (ends.length === 1) send();
    else socket.cork(send);
    ends.length = 0;
    this.#owner = null;
    if (this.#bytes.length > START) this.#bytes = new Uint8Array(START);
    return worst;
  }

  #used(): number {
    return this.#ends.length === 0 ? 0 : this.#ends[this.#ends.length - 1]!;
  }
}
