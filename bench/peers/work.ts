// Owns the frame of one contender's program: its arguments, its warm-up, its one line of output.
// Invariant: the same for all contenders in JavaScript, and what kernel_bench.erl does.
// Must not: know any runtime.

import { readFileSync } from 'node:fs';

/** Messages between two synchronisations of the one-receiver workload. */
export const CHUNK = 100_000;
/** Actors of the many-receivers workload. */
export const MANY = 100_000;
/** Actors of the memory workload. */
export const IDLE = 200_000;
/** Asks or spawns between two looks at the clock. */
export const BATCH = 1_000;

export const WORKLOADS = ['one', 'many', 'ask', 'spawn', 'memory', 'memory_tied'] as const;
export type Workload = (typeof WORKLOADS)[number];

/** Operations per second of `work`, which does `size` of them, after a quarter of the time for warming up. */
export async function rate(ms: number, size: number, work: () => Promise<void>): Promise<number> {
  await loop(performance.now() + ms / 4, work);
  const start = performance.now();
  const times = await loop(start + ms, work);
  return (times * size * 1_000) / (performance.now() - start);
}

async function loop(end: number, work: () => Promise<void>): Promise<number> {
  let times = 0;
  do {
    await work();
    times++;
  } while (performance.now() < end);
  return times;
}

/** Bytes of process memory (resident set) that `fill` adds for each of `count`. What `fill` returns stays reachable. */
export async function bytesEach(count: number, fill: () => Promise<unknown>): Promise<number> {
  const before = await resident();
  const kept = await fill();
  const after = await resident();
  if (kept === undefined) throw new Error('nothing was kept');
  return (after - before) / count;
}

async function resident(): Promise<number> {
  for (let times = 0; times < 3; times++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const pages = Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]);
  return pages * 4_096;
}

/** Runs the workload named on the command line and prints its value. */
export async function contend(workloads: Partial<Record<Workload, (ms: number) => Promise<number>>>): Promise<void> {
  const [name = '', ms = '1000'] = process.argv.slice(2);
  const workload = WORKLOADS.find((known) => known === name);
  const work = workload === undefined ? undefined : workloads[workload];
  if (work === undefined) throw new Error(`no workload "${name}"`);
  process.stdout.write(`${await work(Number(ms))}\n`);
  process.exit(0);
}
