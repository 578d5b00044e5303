// Owns the options of a history: which kinds of fault and which bounds it has at all.
// Invariant: swarm testing: most histories lack most kinds, so that what is on meets what it would otherwise be masked by; and
// every kind alone is rare enough to leave time to recover.
// Must not: draw steps.

import type { CommitFault, Options, Span } from './plan.js';
import type { Random } from './random.js';

const LATENCIES: readonly Span[] = [
  [0, 0],
  [0.2, 2],
  [5, 40],
  [20, 400],
];
const FLUSHES: readonly Span[] = [
  [0, 0],
  [0.5, 3],
  [2, 30],
  [50, 500],
];
const READS: readonly Span[] = [
  [0, 0],
  [0, 0],
  [0.1, 2],
  [5, 60],
];

const NO_FAULTS: Readonly<Record<CommitFault, number>> = {
  conflict: 0,
  unknown_applied: 0,
  unknown_dropped: 0,
  store_full: 0,
  store_unavailable: 0,
};

export function drawOptions(random: Random): Options {
  const retention = random.chance(0.7) ? 'forever' : random.chance(0.6) ? 'until-delivered' : 'age';
  return {
    retention,
    retentionMs: random.pick([1_500, 4_000, 20_000]),
    fanOutThreshold: random.pick([100, 100, 100, 2, 3]),
    quotas: random.chance(0.15),
    latency: random.pick(LATENCIES),
    flush: random.pick(FLUSHES),
    diskRead: random.pick(READS),
    commitFaults: drawCommitFaults(random),
    buggify: random.chance(0.5)
      ? { active: 0, fires: 0 }
      : { active: random.pick([0.15, 0.4, 0.8]), fires: random.pick([0.02, 0.1, 0.3]) },
    credit: random.pick([512, 512, 64, 8, 4]),
    pipeline: random.pick([16, 16, 4, 1]),
    backfill: random.chance(0.1) ? random.between(1, 5) : 0,
    handling: random.pick<Span>([
      [1, 20],
      [50, 400],
      [200, 3_000],
    ]),
    slowHandler: random.pick([0, 0, 0.2, 1]),
    readAtOnce: random.pick([0, 0.3, 1]),
  };
}

/** A conflict that lasts costs a node its shard, so it is rare; the others are met and outlived. */
function drawCommitFaults(random: Random): Readonly<Record<CommitFault, number>> {
  if (random.chance(0.6)) return NO_FAULTS;
  const some = (rate: number): number => (random.chance(0.4) ? rate * random() : 0);
  return {
    ...NO_FAULTS,
    unknown_applied: some(0.1),
    unknown_dropped: some(0.1),
    store_full: some(0.05),
    store_unavailable: some(0.1),
  };
}
