// Owns the claim of one process on a data folder.
// Invariant: at most one live node per folder; a claim left by a killed process is taken over, and tells how many in a row
// ended so.
// Must not: be what safety rests on (that is the epoch in each append): it spares people a confusing second start.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const FILE = 'node.pid';

export type Claim =
  | {
      readonly ok: true;
      /** Processes in a row that ended without a word: killed, crashed, or by a loss of power. */
      readonly crashes: number;
      /** Ends the claim; a start that failed leaves the count to the next one, for which what `crashed` is one more. */
      release(how: 'stopped' | 'failed' | 'crashed'): void;
    }
  | { readonly ok: false; readonly code: 'data_in_use'; readonly pid: number };

/** Claims the folder, making it if need be. Throws what the file system throws. */
export function claim(folder: string): Claim {
  make(folder);
  const path = join(folder, FILE);
  for (let crashes = 0; ; ) {
    try {
      writeFileSync(path, `${process.pid} ${crashes}\n`, { flag: 'wx', mode: 0o600 });
      const release = (how: 'stopped' | 'failed' | 'crashed'): void => {
        if (how === 'stopped' || (how === 'failed' && crashes === 0)) rmSync(path, { force: true });
      };
      return { ok: true, crashes, release };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const left = owner(path);
    if (left !== null && left.pid !== process.pid && runs(left.pid)) {
      return { ok: false, code: 'data_in_use', pid: left.pid };
    }
    crashes = (left?.crashes ?? 0) + 1;
    rmSync(path, { force: true });
  }
}

/** Node's own recursion never ends where the parent exists and still takes no folder (ENOENT below /proc, Node 20). */
function make(folder: string): void {
  if (existsSync(folder)) return;
  const parent = dirname(folder);
  if (parent !== folder) make(parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function owner(path: string): { readonly pid: number; readonly crashes: number } | null {
  try {
    const [pid = 0, crashes = 0] = readFileSync(path, 'utf8').split(' ').map(Number);
    return Number.isInteger(pid) && pid > 0 ? { pid, crashes: Number.isInteger(crashes) ? crashes : 0 } : null;
  } catch {
    return null;
  }
}

/** A process of this number runs and is one of ours: numbers are used again after a restart of the machine. */
function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('node');
  } catch {
    return true;
  }
}
