// Owns the long trial of all decoders as `simulate --fuzz` runs it: what it says while it goes, and of how it ended.
// Invariant: a failure is told with its seed, its path and the smallest input.
// Must not: know what is tried (fuzz-soak.ts).

import { writeFileSync } from 'node:fs';
import { type Progress, ROUNDS, soak } from './fuzz-soak.js';

const MB = 1_048_576;

export interface FuzzOptions {
  readonly frames: number;
  readonly seed: number;
  /** A file, or "-": standard output. */
  readonly json: string | undefined;
  readonly say: (text: string) => void;
}

/** True when all held. */
export async function fuzz({ frames, seed, json, say }: FuzzOptions): Promise<boolean> {
  const rounds: Progress[] = [];
  say(`fuzz: ${frames.toLocaleString('en')} frames, seed ${seed}`);
  const began = performance.now();
  const failure = await soak({
    frames,
    seed,
    round: (progress) => {
      rounds.push(structuredClone(progress));
      const { round, done, heap, buffers, resident } = progress;
      const all = Object.values(done).reduce((a, b) => a + b);
      const memory = [heap, buffers, resident].map((bytes) => `${(bytes / MB).toFixed(1)} MB`);
      say(
        `${String(round).padStart(3)}/${ROUNDS}  ${all.toLocaleString('en').padStart(11)} inputs  heap ${memory[0]}, buffers ${memory[1]}, process ${memory[2]}`,
      );
    },
  });
  const last = rounds.at(-1);
  for (const [target, count] of Object.entries(last?.done ?? {})) {
    const rate = Math.round(count / ((last?.spent[target] ?? 1) / 1_000));
    say(
      `${target.padEnd(18)} ${count.toLocaleString('en').padStart(11)}  ${String(rate).padStart(7)}/s  ${(last?.refused[target] ?? 0).toLocaleString('en')} refused`,
    );
  }
  say(`${((performance.now() - began) / 1_000).toFixed(0)} s`);
  if (json !== undefined) {
    writeFileSync(json === '-' ? 1 : json, `${JSON.stringify({ frames, seed, rounds, failure }, null, 2)}\n`);
  }
  if (failure === undefined) return true;
  const { target, path, reason, input } = failure;
  say(`FAILED: ${target}, seed ${failure.seed}, path ${path}\n${reason}\nsmallest input: ${input}`);
  return false;
}
