// Owns the command of the long trial: node dist/sim/fuzz-main.js [--frames N] [--seed S] [--json FILE]
// Invariant: exit code 0 when all held, 1 with seed and smallest input when something did not.
// Must not: know what is tried.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Progress, ROUNDS, soak } from './fuzz-soak.js';

const { values } = parseArgs({
  options: { frames: { type: 'string' }, seed: { type: 'string' }, json: { type: 'string' } },
});
const frames = Number(values.frames ?? 5_000_000);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const rounds: Progress[] = [];
const MB = 1_048_576;

console.log(`fuzz: ${frames.toLocaleString('en')} frames, seed ${seed}`);
const began = performance.now();
const failure = await soak({
  frames,
  seed,
  round: (progress) => {
    rounds.push(structuredClone(progress));
    const { round, done, heap, buffers, resident } = progress;
    const all = Object.values(done).reduce((a, b) => a + b);
    const memory = [heap, buffers, resident].map((bytes) => `${(bytes / MB).toFixed(1)} MB`);
    console.log(
      `${String(round).padStart(3)}/${ROUNDS}  ${all.toLocaleString('en').padStart(11)} inputs  heap ${memory[0]}, buffers ${memory[1]}, process ${memory[2]}`,
    );
  },
});
const last = rounds.at(-1);
for (const [target, count] of Object.entries(last?.done ?? {})) {
  const rate = Math.round(count / ((last?.spent[target] ?? 1) / 1_000));
  console.log(
    `${target.padEnd(18)} ${count.toLocaleString('en').padStart(11)}  ${String(rate).padStart(7)}/s  ${(last?.refused[target] ?? 0).toLocaleString('en')} refused`,
  );
}
console.log(`${((performance.now() - began) / 1_000).toFixed(0)} s`);
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ frames, seed, rounds, failure }, null, 1));
if (failure !== undefined) {
  console.log(
    `FAILED: ${failure.target}, seed ${failure.seed}, path ${failure.path}\n${failure.reason}\nsmallest input: ${failure.input}`,
  );
  process.exitCode = 1;
}
