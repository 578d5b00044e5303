// Owns the writing process's side of a line from a node: takes its commits, gives its answers.
// Invariant: commits go to the store in the order in which they came; what is answered in one turn leaves in one write; who is gone is
// answered no more, and what it had sent is applied all the same.
// Must not: know whose line it is, or keep commits: the store's queue is the bound.

import type { Duplex } from 'node:stream';
import { LIMITS } from '../actors/limits.js';
import { decodeCommit, encodeAnswers, FrameSplitter, type NumberedAnswer } from './commit-frames.js';
import { reasonOf } from './failure.js';
import type { CommitResult, Store } from './store.js';

/** Until the stream ends. `fault`: the other side sent what no node sends; the stream is ended then. */
export function serveCommits(store: Store, stream: Duplex, fault: (reason: string) => void): void {
  let answers: NumberedAnswer[] = [];
  const flush = (): void => {
    const ready = answers;
    answers = [];
    if (stream.writable) stream.write(encodeAnswers(ready));
  };
  const answer = (id: number, result: CommitResult): void => {
    // Behind all answers of this group.
    if (answers.length === 0) process.nextTick(flush);
    answers.push({ id, result, transactions: store.transactions ?? 0 });
  };
  const frames = new FrameSplitter(LIMITS.commitFrame, (frame) => {
    const { id, commit } = decodeCommit(frame);
    void store.commit(commit).then((result) => answer(id, result));
  });
  stream.on('data', (chunk: Buffer) => {
    try {
      frames.push(chunk);
    } catch (error) {
      stream.destroy();
      fault(reasonOf(error));
    }
  });
  // It was killed. Its end is told by its process.
  stream.on('error', () => stream.destroy());
}
