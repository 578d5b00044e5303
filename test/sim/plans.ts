// Owns small plans for tests: two users, no faults but those that a test asks for.
// Invariant: plain data.
// Must not: draw.

import type { Plan, Step } from '../../sim/plan.js';

export const PLAN: Plan = {
  seed: 1,
  options: {
    retention: 'forever',
    retentionMs: 0,
    fanOutThreshold: 100,
    quotas: false,
    latency: [1, 20],
    flush: [1, 10],
    diskRead: [0, 0],
    commitFaults: { conflict: 0, unknown_applied: 0, unknown_dropped: 0, store_full: 0, store_unavailable: 0 },
    buggify: { active: 0, fires: 0 },
    credit: 512,
    pipeline: 16,
    backfill: 0,
    handling: [1, 20],
    slowHandler: 0.1,
    readAtOnce: 0.5,
  },
  users: [
    { user: 'ada', devices: ['ada.1', 'ada.2'] },
    { user: 'bob', devices: ['bob.1'] },
  ],
  steps: [],
  calmAt: 2_000,
  restWithin: 60_000,
};

export function planOf(steps: readonly Step[], options: Partial<Plan['options']> = {}): Plan {
  return { ...PLAN, options: { ...PLAN.options, ...options }, steps };
}

/** All these devices do it at once, at the beginning. */
export function deed(what: 'start', ...devices: readonly string[]): Step[] {
  return devices.map((device, n) => ({ at: n, do: what, device }));
}
