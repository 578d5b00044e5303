// Owns the processes in which a campaign's histories run side by side, where a machine has more than one core.
// Invariant: each runs one history at a time, all with the same plans and rules as this one; they end with `end`, or when this one is gone.
// Must not: count, report, or know what a history is.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Judge, Verdict } from './trial.js';

/** What a process is asked; it answers with a Verdict. */
export interface Errand {
  readonly seed: number;
  readonly twice: boolean;
}

/** Last words that are shown of one that broke off, in characters. */
const NOISE = 2_000;

export class Jobs {
  readonly judges: readonly Judge[];
  readonly #children: readonly ChildProcess[];

  constructor(count: number, cluster: boolean) {
    const program = fileURLToPath(new URL('./history-child.js', import.meta.url));
    const options = { execArgv: ['--enable-source-maps'], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] as const };
    this.#children = Array.from({ length: count }, () =>
      fork(program, cluster ? ['cluster'] : [], { ...options, stdio: [...options.stdio] }),
    );
    this.judges = this.#children.map(judgeIn);
  }

  end(): void {
    for (const child of this.#children) child.disconnect();
  }
}

function judgeIn(child: ChildProcess): Judge {
  let noise = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    noise = (noise + bytes.toString()).slice(-NOISE);
  });
  return (seed, twice) =>
    new Promise((resolve, reject) => {
      const broke = (): void => reject(new Error(`the process of seed ${seed} broke off: ${noise}`));
      child.once('close', broke);
      child.once('message', (verdict) => {
        child.off('close', broke);
        resolve(verdict as Verdict);
      });
      child.send({ seed, twice } satisfies Errand, (error) => {
        if (error !== null) broke();
      });
    });
}
