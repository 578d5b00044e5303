// Owns the bytes of commits on their way to the process that writes, and of its answers.
//
//   frame:   bytes of the rest 4 | a commit or an answer
//   commit:  id 4 | checks 4 | writes 4 | a row for each
//   row:     bytes of the key 2 | bytes of the value 4, 0xffffffff: none | key | value
//   answer:  id 4 | transactions so far 8 | outcome 1 | a check's index 4, or a reason in UTF-8, or nothing
//
// Invariant: numbers are little-endian; what decodes is within STORE_LIMITS and encodes to the same bytes; anything else throws FrameError.
// Must not: know a socket, or copy what it decodes: keys and values are views of the bytes that came.

import { isUtf8 } from 'node:buffer';
import { LIMITS } from '../actors/limits.js';
import { type Check, type Commit, type CommitResult, STORE_LIMITS } from './store.js';

export interface NumberedCommit {
  /** 0 to 2³² - 1; of those that are open on one line, no two have the same. */
  readonly id: number;
  readonly commit: Commit;
}

export interface NumberedAnswer {
  readonly id: number;
  readonly result: CommitResult;
  /** Of the engine, since it was opened. */
  readonly transactions: number;
}

export class FrameError extends Error {
  override readonly name = 'FrameError';
}

const LENGTH = 4;
const COMMIT_HEAD = 12;
const ROW_HEAD = 6;
const ANSWER_HEAD = 13;
const NONE = 0xffff_ffff;
const COMMITTED: CommitResult = { outcome: 'committed' };
const OUTCOMES = ['committed', 'conflict', 'unknown', 'store_full', 'store_unavailable', 'too_large'] as const;

/** Frames of all of them, one behind the other. */
export function encodeCommits(commits: readonly NumberedCommit[]): Buffer {
  let size = 0;
  for (const { commit } of commits) size += LENGTH + sizeOf(commit);
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { id, commit } of commits) {
    at = bytes.writeUInt32LE(sizeOf(commit), at);
    at = bytes.writeUInt32LE(id, at);
    at = bytes.writeUInt32LE(commit.checks.length, at);
    at = bytes.writeUInt32LE(commit.writes.length, at);
    for (const row of commit.checks) at = putRow(bytes, at, row);
    for (const row of commit.writes) at = putRow(bytes, at, row);
  }
  return bytes;
}

/** Of one frame, without its length. Throws FrameError. */
export function decodeCommit(bytes: Buffer): NumberedCommit {
  need(bytes.length >= COMMIT_HEAD, 'a commit has its head');
  const id = bytes.readUInt32LE(0);
  const rows = new RowCursor(bytes, COMMIT_HEAD);
  const checks = rows.take(bytes.readUInt32LE(4));
  const writes = rows.take(bytes.readUInt32LE(8));
  rows.end();
  return { id, commit: { checks, writes } };
}

export function encodeAnswers(answers: readonly NumberedAnswer[]): Buffer {
  let most = 0;
  for (const { result } of answers) most += LENGTH + ANSWER_HEAD + detailRoom(result);
  const bytes = Buffer.allocUnsafe(most);
  let end = 0;
  for (const { id, result, transactions } of answers) {
    const { outcome } = result;
    let at = bytes.writeUInt32LE(id, end + LENGTH);
    at = bytes.writeDoubleLE(transactions, at);
    at = bytes.writeUInt8(OUTCOMES.indexOf(outcome === 'failed' ? result.code : outcome), at);
    if (outcome === 'conflict') at = bytes.writeUInt32LE(result.check, at);
    else if (outcome !== 'committed') at += bytes.write(clipped(result.reason), at);
    bytes.writeUInt32LE(at - end - LENGTH, end);
    end = at;
  }
  return end === most ? bytes : bytes.subarray(0, end);
}

/** Bytes that what follows the head takes, at most. */
function detailRoom(result: CommitResult): number {
  if (result.outcome === 'committed') return 0;
  return result.outcome === 'conflict' ? 4 : LIMITS.answerReason;
}

/** Of one frame, without its length. Throws FrameError. */
export function decodeAnswer(bytes: Buffer): NumberedAnswer {
  need(bytes.length >= ANSWER_HEAD, 'an answer has its head');
  const transactions = bytes.readDoubleLE(4);
  need(Number.isSafeInteger(transactions) && transactions >= 0, 'transactions are counted');
  return { id: bytes.readUInt32LE(0), result: resultOf(bytes), transactions };
}

function resultOf(bytes: Buffer): CommitResult {
  const outcome = OUTCOMES[bytes[ANSWER_HEAD - 1]!];
  if (outcome === 'committed' && bytes.length === ANSWER_HEAD) return COMMITTED;
  const detail = bytes.subarray(ANSWER_HEAD);
  need(outcome === 'conflict' || isUtf8(detail), 'a reason is text');
  switch (outcome) {
    case undefined:
      throw new FrameError('an answer has an outcome');
    case 'committed':
      throw new FrameError('nothing follows');
    case 'conflict':
      need(detail.length === 4, 'a check is named');
      return { outcome, check: detail.readUInt32LE(0) };
    case 'unknown':
      return { outcome, reason: detail.toString() };
    default:
      return { outcome: 'failed', code: outcome, reason: detail.toString() };
  }
}

/** Cuts what a stream brings into frames. */
export class FrameSplitter {
  readonly #most: number;
  readonly #each: (frame: Buffer) => void;
  #parts: Buffer[] = [];
  #held = 0;
  /** Bytes with which there is more to know: a length, or a whole frame. */
  #needed = LENGTH;

  /** `most`: bytes of a frame without its length. */
  constructor(most: number, each: (frame: Buffer) => void) {
    this.#most = most;
    this.#each = each;
  }

  /** The bytes are kept. Throws FrameError, and what `each` throws; it must not be used again then. */
  push(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#needed) return;
    const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#held);
    let at = 0;
    this.#needed = LENGTH;
    while (bytes.length - at >= LENGTH) {
      const length = bytes.readUInt32LE(at);
      need(length > 0 && length <= this.#most, 'a frame is of some length, and not too long');
      this.#needed = LENGTH + length;
      if (bytes.length - at < this.#needed) break;
      this.#each(bytes.subarray(at + LENGTH, at + this.#needed));
      at += this.#needed;
      this.#needed = LENGTH;
    }
    this.#held = bytes.length - at;
    this.#parts = this.#held === 0 ? [] : [bytes.subarray(at)];
  }
}

function sizeOf({ checks, writes }: Commit): number {
  let size = COMMIT_HEAD + ROW_HEAD * (checks.length + writes.length);
  for (const { key, value } of checks) size += key.length + (value === null ? 0 : value.length);
  for (const { key, value } of writes) size += key.length + (value === null ? 0 : value.length);
  return size;
}

function putRow(bytes: Buffer, start: number, { key, value }: Check): number {
  let at = bytes.writeUInt16LE(key.length, start);
  at = bytes.writeUInt32LE(value === null ? NONE : value.length, at);
  bytes.set(key, at);
  at += key.length;
  if (value === null) return at;
  bytes.set(value, at);
  return at + value.length;
}

/** Reads rows; together they are within one transaction. */
class RowCursor {
  readonly #bytes: Buffer;
  #at: number;
  #total = 0;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  take(count: number): Check[] {
    const bytes = this.#bytes;
    // Each takes its head and a byte of its key, so no number makes room for more than came.
    need(count <= (bytes.length - this.#at) / (ROW_HEAD + 1), 'the rows are there');
    const rows: Check[] = [];
    for (let i = 0; i < count; i++) rows.push(this.#row());
    return rows;
  }

  end(): void {
    need(this.#at === this.#bytes.length, 'nothing follows');
    need(this.#total <= STORE_LIMITS.transaction, 'a commit is within a transaction');
  }

  #row(): Check {
    const bytes = this.#bytes;
    const start = this.#at + ROW_HEAD;
    need(start <= bytes.length, 'a row has its head');
    const length = bytes.readUInt16LE(this.#at);
    const size = bytes.readUInt32LE(this.#at + 2);
    need(length > 0 && length <= STORE_LIMITS.key, 'a key is of some length, and not too long');
    need(size === NONE || size <= STORE_LIMITS.value, 'a value is not too long');
    const middle = start + length;
    const end = size === NONE ? middle : middle + size;
    need(end <= bytes.length, 'a row is there');
    this.#at = end;
    this.#total += end - start;
    return { key: this.#cut(start, length), value: size === NONE ? null : this.#cut(middle, size) };
  }

  /** A view that is no Buffer: it is made in half the time. */
  #cut(start: number, length: number): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, length);
  }
}

/** A message of the system's may be of any length. */
function clipped(reason: string): string {
  return Buffer.byteLength(reason) <= LIMITS.answerReason ? reason : reason.slice(0, LIMITS.answerReason / 4);
}

function need(holds: boolean, what: string): asserts holds {
  if (!holds) throw new FrameError(what);
}
