// Owns one trial: a plan is run, its record judged.
// Invariant: a plan has one outcome; one that runs again and leaves another trace has failed, whatever the rules say.
// Must not: repeat further, shrink or print.

import { check } from './checker.js';
import { type FaultCounts, faultsIn } from './coverage.js';
import { runHistory } from './history.js';
import type { Plan } from './plan.js';
import type { Fact } from './record.js';
import type { Violation } from './rule.js';

export interface Outcome {
  readonly plan: Plan;
  readonly violations: readonly Violation[];
  readonly record: readonly Fact[];
  /** The fingerprint of everything that happened. */
  readonly trace: string;
  /** Events of the world's clock. */
  readonly events: number;
  readonly notes: readonly string[];
}

/** What a campaign has to know of a seed's history: plain data, from whatever process. */
export interface Verdict {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly trace: string;
  readonly events: number;
  readonly faults: FaultCounts;
  /** It ran twice. */
  readonly twice: boolean;
}

/** Runs the history of a seed, or twice. */
export type Judge = (seed: number, twice: boolean) => Promise<Verdict>;

export async function attempt(plan: Plan): Promise<Outcome> {
  const { record, trace, events, notes } = await runHistory(plan);
  return { plan, violations: check(record), record, trace, events, notes };
}

/** In this process. */
export function judgeHere(draw: (seed: number) => Plan): Judge {
  return async (seed, twice) => {
    const { violations, trace, events, record } = await attempt(draw(seed));
    const verdict = { seed, violations, trace, events, faults: faultsIn(record), twice };
    if (!twice) return verdict;
    const again = await attempt(draw(seed));
    return { ...verdict, violations: [...unlike(trace, again.trace), ...violations] };
  };
}

export function unlike(trace: string, again: string): Violation[] {
  if (trace === again) return [];
  return [{ rule: 'deterministic', detail: `the trace is ${trace}, and ${again} when it runs again`, at: null }];
}
