// Owns making a failing history small: steps are left out, options made plain, as long as the same rule still fails.
// Invariant: ends within its time; what it returns failed by the rule that the original failed by.
// Must not: print, or change a step.
//
// Delta debugging (Zeller and Hildebrandt, 2002) over the steps: halves, quarters, … are left out, then single steps. Steps have
// luck of their own, so that one left out leaves the others as they were.

import type { Options, Plan, Step } from './plan.js';
import { attempt, type Outcome } from './trial.js';

export interface Shrinking {
  /** ms of real time that it may take. */
  readonly ms: number;
  readonly now: () => number;
  readonly tried?: (steps: number, tries: number) => void;
}

export async function shrink(outcome: Outcome, { ms, now, tried }: Shrinking): Promise<Outcome> {
  const rules = new Set(outcome.violations.map(({ rule }) => rule));
  const until = now() + ms;
  let best = outcome;
  let tries = 0;
  /** Takes the plan if it still fails by a rule that the original failed by. */
  const take = async (plan: Plan): Promise<boolean> => {
    if (now() >= until) return false;
    tries += 1;
    const next = await attempt(plan);
    tried?.(best.plan.steps.length, tries);
    if (!next.violations.some(({ rule }) => rules.has(rule))) return false;
    best = next;
    return true;
  };

  for (const options of plainer(best.plan.options))
    await take({ ...best.plan, options: { ...best.plan.options, ...options } });
  for (let size = Math.ceil(best.plan.steps.length / 2); size >= 1 && now() < until; ) {
    let removed = false;
    for (let from = 0; from < best.plan.steps.length && now() < until; ) {
      const steps = best.plan.steps.filter((_, place) => place < from || place >= from + size);
      if (await take({ ...best.plan, steps })) removed = true;
      else from += size;
    }
    if (size === 1 && !removed) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  await take({ ...best.plan, calmAt: lastOf(best.plan.steps) + 1 });
  return best;
}

/** Options that make a history simpler, one at a time. */
function plainer(options: Options): Partial<Options>[] {
  const none = { conflict: 0, unknown_applied: 0, unknown_dropped: 0, store_full: 0, store_unavailable: 0 };
  return [
    { buggify: { active: 0, fires: 0 } },
    { commitFaults: none },
    ...Object.keys(none).map((fault) => ({ commitFaults: { ...options.commitFaults, [fault]: 0 } })),
    { slowHandler: 0 },
    { retention: 'forever' },
    { quotas: false },
    { backfill: 0 },
    { credit: 512, pipeline: 16 },
    { diskRead: [0, 0] },
    { flush: [1, 1] },
    { latency: [1, 1] },
    { fanOutThreshold: 100 },
  ];
}

function lastOf(steps: readonly Step[]): number {
  return steps.at(-1)?.at ?? 0;
}
