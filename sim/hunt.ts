// Owns the hunt for one defect: histories from seed to seed until the checker finds something.
// Invariant: the plans and the checker are those of `npm run simulate`; nothing of a defect is known to them.
// Must not: know whether the product is edited.

import { check } from './checker.js';
import { runHistory } from './history.js';
import type { Plan } from './plan.js';

export interface Prey {
  readonly seed: number;
  readonly rule: string;
  readonly detail: string;
}

/** Null: `count` histories of `draw` from `first` on showed nothing. `heard`: how many have been run. */
export async function hunt(
  draw: (seed: number) => Plan,
  first: number,
  count: number,
  heard: (histories: number) => void,
): Promise<Prey | null> {
  for (let at = 0; at < count; at += 1) {
    const seed = first + at;
    const { record } = await runHistory(draw(seed));
    const [violation] = check(record);
    heard(at + 1);
    if (violation !== undefined) return { seed, rule: violation.rule, detail: violation.detail };
  }
  return null;
}
