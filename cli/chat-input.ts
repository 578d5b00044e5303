// Owns the lines of a pipe as they come in.
// Invariant: holds at most one line of LIMITS.body bytes and one chunk, however much comes; a longer line is told as its
// length and skipped.
// Must not: decode: a message is the bytes that were given.

import { LIMITS } from '../actors/limits.js';

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its line end; undefined where it was too long. */
  readonly body: Uint8Array | undefined;
  readonly length: number;
}

/** The lines that are not empty. */
export async function* linesOf(stream: AsyncIterable<unknown>): AsyncGenerator<Line, void, void> {
  let kept: Buffer[] = [];
  let length = 0;
  let number = 0;
  const add = (part: Buffer): void => {
    length += part.length;
    // One byte more than a body may have, for the \r of a line that Windows ended.
    if (length <= LIMITS.body + 1) kept.push(part);
    else kept = [];
  };
  const line = (): Line | undefined => {
    const bytes = Buffer.concat(kept);
    const whole = bytes.length === length;
    const end = whole && bytes[length - 1] === 0x0d ? length - 1 : length;
    const done = {
      number: ++number,
      length: end,
      body: whole && end <= LIMITS.body ? bytes.subarray(0, end) : undefined,
    };
    kept = [];
    length = 0;
    return end === 0 ? undefined : done;
  };
  for await (const chunk of stream) {
    let rest = Buffer.from(chunk as Uint8Array);
    for (let at = rest.indexOf(0x0a); at >= 0; at = rest.indexOf(0x0a)) {
      add(rest.subarray(0, at));
      rest = rest.subarray(at + 1);
      const next = line();
      if (next !== undefined) yield next;
    }
    add(rest);
  }
  const last = line();
  if (last !== undefined) yield last;
}
