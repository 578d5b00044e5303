// Owns the frames that a connection made during its slice, until they go to the socket together.
// Invariant: filled and flushed within one slice of one connection, so one buffer serves the whole node.
// Must not: keep anything between slices.

import { FrameWriter } from '../transport/frame-writer.js';
import type { SendOutcome, Socket } from '../transport/socket.js';
import { assert } from './errors.js';

export class Outbox {
  readonly #frames = new FrameWriter();
  readonly #ends: number[] = [];
  #owner: unknown = null;

  /** Where the owner's next frame is to be written; `end` follows. */
  begin(owner: unknown): FrameWriter {
    assert(this.#owner === null || this.#owner === owner, 'one connection at a time fills the outbox');
    this.#owner = owner;
    return this.#frames;
  }

  /** The frame is whole. */
  end(): void {
    this.#ends.push(this.#frames.out.length);
  }

  /** Bytes written since the last flush. */
  get pending(): number {
    return this.#frames.out.length;
  }

  /** Sends what was written, in order, with few system calls. The worst outcome of all. */
  flush(socket: Socket): SendOutcome {
    const ends = this.#ends;
    if (this.#owner === null) return 'sent';
    let worst: SendOutcome = 'sent';
    const send = (): void => {
      let start = 0;
      for (const end of ends) {
        const outcome = socket.send(this.#frames.out.cut(start, end));
        if (outcome === 'dropped' || worst === 'sent') worst = outcome;
        if (outcome === 'dropped') return;
        start = end;
      }
    };
    // None: the owner broke off within its first frame, of which nothing must be left for the next one.
    if (ends.length <= 1) send();
    else socket.cork(send);
    ends.length = 0;
    this.#owner = null;
    this.#frames.fresh();
    return worst;
  }
}
