// Owns how a process of ours hears that it is to stop.
// Invariant: `stop` runs once, whatever number of signals comes; a second Ctrl-C of a person ends the process at once.
// Must not: decide what stopping means.

import process from 'node:process';
import { endNow } from './end.js';

/**
 * ms within which another signal is the same one. Ctrl-C under npm arrives twice: from the terminal, which tells the
 * whole process group, and from npm, which passes on what it got.
 */
const SAME = 1_000;

/** Exit code of a process that was interrupted (128 + SIGINT), by the shells' convention. */
const INTERRUPTED = 130;

const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];

/** Calls `stop` at the first of these signals. The returned function takes the handlers away again. */
export function onStop(stop: (signal: NodeJS.Signals) => void, signals = SIGNALS): () => void {
  let first: number | undefined;
  const heard = (signal: NodeJS.Signals): void => {
    const now = performance.now();
    if (first === undefined) {
      first = now;
      stop(signal);
    } else if (signal === 'SIGINT' && now - first > SAME) {
      endNow(INTERRUPTED);
    }
  };
  for (const signal of signals) process.on(signal, heard);
  return () => {
    for (const signal of signals) process.off(signal, heard);
  };
}
