// Owns how a process of ours ends for certain, whatever its disk does.
// Invariant: it is gone LIMITS.exitMs after it was told to end: with its exit code where that can be had, else by SIGKILL.
// Must not: be the way that a process ends where nothing is in its way: that is the end of its work.

import { spawn } from 'node:child_process';
import process from 'node:process';
import { LIMITS } from '../actors/limits.js';

/** Kills its parent, if that is still there by then. Its own clock: the parent's stands still in `exit`. */
const WATCH = `
const [parent, ms] = process.argv.slice(1).map(Number);
const there = () => process.ppid === parent;
setTimeout(() => there() && process.kill(parent, 'SIGKILL'), ms);
setInterval(() => there() || process.exit(), 50);`;

/**
 * Ends the process. `process.exit` waits for the threads of the pool, of which one may be LMDB's writer: that one waits for the disk, for
 * another process's transaction, or for this very thread. So another process watches.
 */
export function endNow(code: number): never {
  const args = ['-e', WATCH, `${process.pid}`, `${LIMITS.exitMs}`];
  const watch = spawn(process.execPath, args, { detached: true, env: {}, stdio: 'ignore' });
  if (watch.pid === undefined) process.kill(process.pid, 'SIGKILL');
  return process.exit(code);
}

/** For who has done all: whatever still keeps the process alive, as a transaction of LMDB's that hangs, has had its time. */
export function endSoon(code: number): void {
  setTimeout(() => endNow(code), LIMITS.exitMs / 2).unref();
}
