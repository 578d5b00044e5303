// Owns a node's side of the line to the process that writes its store.
// Invariant: commits arrive in the order in which they were made; each is answered once: by the writer, or as `unknown` where the line
// breaks or the writer stands still. While one of those may still be applied, no later one is taken.
// Must not: read the store, or outlive its stream: a process has one line, whatever is restarted in it.

import type { Duplex } from 'node:stream';
import { LIMITS } from '../actors/limits.js';
import { unavailable } from './admission.js';
import { decodeAnswer, encodeCommits, FrameError, FrameSplitter, type NumberedCommit } from './commit-frames.js';
import { reasonOf } from './failure.js';
import type { Commit, CommitResult } from './store.js';

export interface CommitLineOptions {
  /** Called once, when everything has been answered: nothing can be written any more. */
  lost(reason: string): void;
  /** ms without an answer until the writer counts as stalled; LIMITS.writerStallMs where absent. */
  readonly stallMs?: number;
}

type Answer = (result: CommitResult) => void;

/** Looks in which the writer must have been silent: time in which this process itself stood still is one look long. */
const LOOKS = 20;
const ANSWERED: Answer = () => undefined;

export class CommitLine {
  /** Of the writer's engine, as it said last. */
  transactions = 0;
  readonly #stream: Duplex;
  readonly #options: CommitLineOptions;
  readonly #open = new Map<number, Answer>();
  readonly #looks: NodeJS.Timeout;
  #unsent: NumberedCommit[] = [];
  #next = 0;
  #silent = 0;
  /** Set while commits that were answered `unknown` are open. */
  #stalled = false;
  #lost: string | undefined;

  constructor(stream: Duplex, options: CommitLineOptions) {
    this.#stream = stream;
    this.#options = options;
    const frames = new FrameSplitter(LIMITS.answerFrame, (frame) => this.#answered(frame));
    stream.on('data', (chunk: Buffer) => {
      this.#silent = 0;
      try {
        frames.push(chunk);
      } catch (error) {
        this.#lose(reasonOf(error));
      }
    });
    stream.on('error', (error) => this.#lose(reasonOf(error)));
    stream.on('close', () => this.#lose('the process that writes has ended'));
    this.#looks = setInterval(() => this.#look(), (options.stallMs ?? LIMITS.writerStallMs) / LOOKS).unref();
  }

  /** As Store's, for one within its limits. The bytes must stay as they are until the end of the turn. */
  commit(commit: Commit): Promise<CommitResult> {
    if (this.#lost !== undefined) return Promise.resolve(unavailable(this.#lost));
    if (this.#stalled) return Promise.resolve(unavailable('the process that writes does not answer'));
    if (this.#open.size >= LIMITS.storeQueue) return Promise.resolve(unavailable('too many commits wait'));
    return new Promise((answer) => {
      const id = this.#next;
      this.#next = (id + 1) >>> 0;
      this.#open.set(id, answer);
      if (this.#unsent.length === 0) process.nextTick(() => this.#send());
      this.#unsent.push({ id, commit });
    });
  }

  #send(): void {
    const unsent = this.#unsent;
    this.#unsent = [];
    if (this.#lost === undefined) this.#stream.write(encodeCommits(unsent));
  }

  #answered(frame: Buffer): void {
    const { id, result, transactions } = decodeAnswer(frame);
    const answer = this.#open.get(id);
    if (answer === undefined) throw new FrameError('an answer belongs to a commit');
    this.#open.delete(id);
    this.transactions = transactions;
    if (this.#open.size === 0) this.#stalled = false;
    answer(result);
  }

  #look(): void {
    if (this.#open.size === 0 || this.#stalled) this.#silent = 0;
    else if (++this.#silent > LOOKS) {
      this.#stalled = true;
      const reason = 'the process that writes does not answer';
      for (const [id, answer] of this.#open) {
        this.#open.set(id, ANSWERED);
        answer({ outcome: 'unknown', reason });
      }
    }
  }

  #lose(reason: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = reason;
    clearInterval(this.#looks);
    this.#stream.destroy();
    for (const answer of this.#open.values()) answer({ outcome: 'unknown', reason });
    this.#open.clear();
    this.#options.lost(reason);
  }
}
