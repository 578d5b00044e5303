// Owns the tests of commits and answers as bytes.
// Invariant: any bytes are read as they would be written, or refused; nothing else is thrown, and no number makes room.
// Must not: need a process or a store.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../actors/limits.js';
import { lines, tryLine } from '../../sim/fuzz-lines.js';
import {
  decodeAnswer,
  decodeCommit,
  encodeAnswers,
  encodeCommits,
  FrameError,
  FrameSplitter,
} from '../../storage/commit-frames.js';
import { type Commit, STORE_LIMITS } from '../../storage/store.js';

const body = (bytes: Buffer): Buffer => bytes.subarray(4);

test('20,000 streams of frames, damaged ones too, in pieces: taken as written, or refused', () => {
  const seen = { taken: 0, refused: 0 };
  fc.assert(
    fc.property(lines, (line) => {
      if (tryLine(line)) seen.taken++;
      else seen.refused++;
    }),
    { numRuns: 20_000 },
  );
  assert.ok(seen.taken > 5_000 && seen.refused > 5_000, JSON.stringify(seen));
});

test('the bytes of a commit and of an answer are these', () => {
  const commit = {
    checks: [{ key: Buffer.from('c'), value: null }],
    writes: [{ key: Buffer.from('ab'), value: Buffer.from('xyz') }],
  };
  assert.equal(
    encodeCommits([{ id: 258, commit }]).toString('hex'),
    '1e000000' + '02010000' + '01000000' + '01000000' + '0100ffffffff63' + '02000300000061627' + '8797a',
  );
  const conflict = { id: 1, result: { outcome: 'conflict', check: 2 }, transactions: 3 } as const;
  assert.equal(
    encodeAnswers([conflict]).toString('hex'),
    '11000000' + '01000000' + '0000000000000840' + '01' + '02000000',
  );
});

test('the largest commits pass, and what is beyond a store does not', () => {
  const rows = (count: number, key: number, value: number | null): Commit['writes'] =>
    Array.from({ length: count }, () => ({
      key: new Uint8Array(key),
      value: value === null ? null : new Uint8Array(value),
    }));
  const most = { checks: [], writes: rows(STORE_LIMITS.transaction, 1, null) };
  const bytes = encodeCommits([{ id: 0, commit: most }]);
  assert.equal(bytes.length, LIMITS.commitFrame + 4);
  let taken = 0;
  const splitter = new FrameSplitter(LIMITS.commitFrame, (frame) => {
    taken += decodeCommit(frame).commit.writes.length;
  });
  for (let at = 0; at < bytes.length; at += 65_536) splitter.push(bytes.subarray(at, at + 65_536));
  assert.equal(taken, STORE_LIMITS.transaction);
  const beyond = [
    rows(1, STORE_LIMITS.key + 1, 1),
    rows(1, 0, 1),
    rows(1, 1, STORE_LIMITS.value + 1),
    rows(11, 1_000, 90_000),
  ];
  for (const writes of beyond) {
    const frame = body(encodeCommits([{ id: 0, commit: { checks: [], writes } }]));
    assert.throws(() => decodeCommit(frame), FrameError);
  }
});

test('lengths and counts that claim more than there is make no room', () => {
  const frame = body(encodeCommits([{ id: 0, commit: { checks: [], writes: [] } }]));
  frame.writeUInt32LE(0xffff_ffff, 8);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(LIMITS.commitFrame);
  const before = process.memoryUsage();
  for (let i = 0; i < 20_000; i++) {
    assert.throws(() => decodeCommit(frame), FrameError);
    new FrameSplitter(LIMITS.commitFrame, () => assert.fail()).push(head);
  }
  const after = process.memoryUsage();
  assert.ok(after.arrayBuffers - before.arrayBuffers < 16 * 1_048_576);
  head.writeUInt32LE(LIMITS.commitFrame + 1);
  assert.throws(() => new FrameSplitter(LIMITS.commitFrame, () => assert.fail()).push(head), FrameError);
});

test('a reason of any length and of any text is told, cut where it is too long', () => {
  for (const reason of ['x'.repeat(LIMITS.answerReason), '☃'.repeat(5_000), '\ud800'.repeat(900), '']) {
    const frame = body(encodeAnswers([{ id: 7, result: { outcome: 'unknown', reason }, transactions: 0 }]));
    assert.ok(frame.length <= LIMITS.answerFrame);
    const { id, result } = decodeAnswer(frame);
    assert.equal(id, 7);
    assert.ok(result.outcome === 'unknown' && (reason === '') === (result.reason === ''));
  }
});
