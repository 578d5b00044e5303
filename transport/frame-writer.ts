// Owns the server's frames of the hot path, written into one buffer that is used over and over.
// Invariant: a returned view is whole and valid until the next call; stored bytes pass through unchanged.
// Must not: hand out a view for keeping, or share an instance between owners that interleave.

import { assert } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import { type ChatRef, type ServerFrame, T, type UserRef } from './frames.js';
import { Reader } from './reader.js';
import { rowTail } from './row.js';
import { writeServer } from './server-frames.js';
import { Writer } from './writer.js';

export class FrameWriter {
  readonly #writer = new Writer();
  readonly #reader = new Reader();

  /**
   * MESSAGE (34) or EVENT (35). `tail` is a stored row's bytes after `from` (row.ts), whose fields are counted here:
   * rows written by a later version may have more.
   */
  delivery(type: 34 | 35, chat: ChatRef, from: UserRef, seq: number, tail: Uint8Array): Uint8Array {
    const count = 4 + this.#count(tail);
    return this.#writer.reset().array(count).int(type).chat(chat).user(from).int(seq).raw(tail).view();
  }

  /** SENT; `n` is the SEND's number on its connection. */
  sent(n: number, seq: number, durability: number): Uint8Array {
    return this.#writer.reset().array(4).int(T.SENT).int(n).int(seq).int(durability).view();
  }

  /** Any frame, for those that come less often. */
  frame(frame: ServerFrame): Uint8Array {
    const writer = this.#writer.reset();
    writeServer(writer, frame);
    return writer.view();
  }

  /** PAGE from stored rows, oldest first. */
  page(r: number, rows: readonly { readonly seq: number; readonly row: Uint8Array }[], more: boolean): Uint8Array {
    const writer = this.#writer.reset().array(4).int(T.PAGE).int(r).array(rows.length);
    for (const { seq, row } of rows) {
      const { type, sender, tail, fields } = rowTail(row);
      writer
        .array(3 + fields)
        .int(type)
        .raw(sender)
        .int(seq)
        .raw(tail);
    }
    return writer.flag(more).view();
  }

  #count(tail: Uint8Array): number {
    const reader = this.#reader;
    reader.open(tail, LIMITS.serverDepth);
    let fields = 0;
    for (; !reader.atEnd; fields++) reader.skip(1, 1);
    assert(reader.close(), `a row's tail is whole (${reader.fault})`);
    return fields;
  }
}
