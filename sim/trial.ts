// Owns one trial: a plan is run, its record judged.
// Invariant: a plan has one outcome.
// Must not: repeat, shrink or print.

import { check } from './checker.js';
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

export async function attempt(plan: Plan): Promise<Outcome> {
  const { record, trace, events, notes } = await runHistory(plan);
  return { plan, violations: check(record), record, trace, events, notes };
}
