// Owns the server's frames of the hot path, written one behind the other into a buffer that is used over and over.
// Invariant: stored bytes pass through unchanged; each call adds exactly one frame.
// Must not: decide when the buffer starts anew: its holder resets it.

import type { ChatRef, ServerFrame, UserRef } from './frames.js';
import { T } from './frames.js';
import { rowParts } from './row.js';
import { writeServer } from './server-frames.js';
import { Writer } from './writer.js';

export class FrameWriter {
  readonly out: Writer;

  constructor(out = new Writer()) {
    this.out = out;
  }

  /** Starts anew; `out.view()` then has what follows. */
  fresh(): this {
    this.out.reset();
    return this;
  }

  /** MESSAGE or EVENT from a stored row (row.ts): its fields behind `from` go out as they are, however many there are. */
  delivery(chat: ChatRef, from: UserRef, seq: number, row: Uint8Array): this {
    const { type, fields, tail } = rowParts(row);
    this.out
      .array(4 + fields)
      .int(type)
      .chat(chat)
      .user(from)
      .int(seq)
      .raw(row, tail);
    return this;
  }

  /** SENT; `n` is the SEND's number on its connection. */
  sent(n: number, seq: number, durability: number): this {
    this.out.array(4).int(T.SENT).int(n).int(seq).int(durability);
    return this;
  }

  /** Any frame, for those that come less often. */
  frame(frame: ServerFrame): this {
    writeServer(this.out, frame);
    return this;
  }

  /** PAGE from stored rows, oldest first. */
  page(r: number, rows: readonly { readonly seq: number; readonly row: Uint8Array }[], more: boolean): this {
    this.out.array(4).int(T.PAGE).int(r).array(rows.length);
    for (const { seq, row } of rows) {
      const { type, fields, sender, tail } = rowParts(row);
      this.out
        .array(3 + fields)
        .int(type)
        .raw(row.subarray(sender, tail))
        .int(seq)
        .raw(row, tail);
    }
    this.out.flag(more);
    return this;
  }
}
