// Owns the trial of the line between a host and its nodes: what either side makes of any bytes, in any pieces.
// Invariant: a frame is taken as it would be written, within the limits of a store, or refused with FrameError; where the pieces end
// changes nothing.
// Must not: use a socket or a store.

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { LIMITS } from '../actors/limits.js';
import { refusal } from '../storage/admission.js';
import {
  decodeAnswer,
  decodeCommit,
  encodeAnswers,
  encodeCommits,
  FrameError,
  FrameSplitter,
  type NumberedAnswer,
  type NumberedCommit,
} from '../storage/commit-frames.js';
import type { Check, CommitResult } from '../storage/store.js';
import { slips } from './fuzz-frames.js';
import { hex } from './fuzz-rows.js';

export interface LineBytes {
  /** What sends such bytes. */
  readonly from: 'node' | 'host';
  readonly bytes: Uint8Array;
  /** Lengths of the pieces in which they come, over and over. */
  readonly pieces: readonly number[];
}

const number = fc.oneof(fc.nat(9), fc.constantFrom(255, 256, 65_535, 2 ** 31, 2 ** 32 - 1));
const key = fc.oneof(
  { weight: 9, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 20 }) },
  { weight: 1, arbitrary: fc.constantFrom(255, 256, 1_000).map((length) => new Uint8Array(length).fill(7)) },
);
const value = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 3, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constantFrom(255, 256, 4_000).map((length) => new Uint8Array(length)) },
);
const row: fc.Arbitrary<Check> = fc.record({ key, value });
const commit: fc.Arbitrary<NumberedCommit> = fc.record({
  id: number,
  commit: fc.record({ checks: fc.array(row, { maxLength: 3 }), writes: fc.array(row, { maxLength: 5 }) }),
});
const reason = fc.oneof(
  fc.constantFrom('', 'too many commits wait', 'é☃'),
  fc.string({ unit: 'grapheme', maxLength: 50 }),
);
const result: fc.Arbitrary<CommitResult> = fc.oneof(
  fc.constant({ outcome: 'committed' as const }),
  fc.record({ outcome: fc.constant('conflict' as const), check: number }),
  fc.record({ outcome: fc.constant('unknown' as const), reason }),
  fc.record({
    outcome: fc.constant('failed' as const),
    code: fc.constantFrom('store_full' as const, 'store_unavailable' as const, 'too_large' as const),
    reason,
  }),
);
const answer: fc.Arbitrary<NumberedAnswer> = fc.record({
  id: number,
  result,
  transactions: fc.oneof(number, fc.constant(Number.MAX_SAFE_INTEGER)),
});

/** Honest bytes, and what is near them. */
export const lines: fc.Arbitrary<LineBytes> = fc.constantFrom('node' as const, 'host' as const).chain((from) => {
  const whole: fc.Arbitrary<Uint8Array> =
    from === 'node'
      ? fc.array(commit, { minLength: 1, maxLength: 4 }).map(encodeCommits)
      : fc.array(answer, { minLength: 1, maxLength: 4 }).map(encodeAnswers);
  const bytes = fc.oneof(
    { weight: 2, arbitrary: whole },
    { weight: 6, arbitrary: slips(whole) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  );
  return fc.record({
    from: fc.constant(from),
    bytes,
    pieces: fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 }),
  });
});

interface Reading {
  readonly frames: (NumberedCommit | NumberedAnswer)[];
  /** Why no more was read; '' where nothing is wrong. */
  readonly refused: string;
}

/** Whether all was taken. Throws where something is not as it should be. */
export function tryLine({ from, bytes, pieces }: LineBytes): boolean {
  const whole = read(from, [bytes]);
  const cut: Uint8Array[] = [];
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const end = at + pieces[n % pieces.length]!;
    cut.push(bytes.subarray(at, end));
    at = end;
  }
  if (!isDeepStrictEqual(read(from, cut), whole)) throw new Error(`${from}: ${hex(bytes)} read otherwise in pieces`);
  const again =
    from === 'node' ? encodeCommits(whole.frames as NumberedCommit[]) : encodeAnswers(whole.frames as NumberedAnswer[]);
  if (Buffer.compare(again, bytes.subarray(0, again.length)) !== 0) {
    throw new Error(`${from}: ${hex(bytes)} taken, and written ${hex(again)}`);
  }
  for (const frame of whole.frames) {
    if ('commit' in frame && refusal(frame.commit) !== undefined)
      throw new Error(`${hex(bytes)}: beyond the store's limits`);
  }
  return whole.refused === '';
}

function read(from: LineBytes['from'], pieces: readonly Uint8Array[]): Reading {
  const frames: Reading['frames'] = [];
  const splitter =
    from === 'node'
      ? new FrameSplitter(LIMITS.commitFrame, (frame) => frames.push(decodeCommit(frame)))
      : new FrameSplitter(LIMITS.answerFrame, (frame) => frames.push(decodeAnswer(frame)));
  try {
    for (const piece of pieces) splitter.push(Buffer.from(piece));
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    return { frames, refused: error.message };
  }
  return { frames, refused: '' };
}
