// Owns how exactly a user's watchers are told, by how many they are; and telling one that it may not see the user.
// Invariant: back to more exact only well below a bound, so that one who comes and goes does not have all of them told each time.
// Must not: know who watches whom.

import { PRECISION } from '../transport/frames.js';
import { LIMITS } from './limits.js';
import type { Watcher } from './watches.js';

export function precisionFor(watchers: number, before: number): number {
  const { exact, coarse, count } = PRECISION;
  const slack = 3 / 4;
  if (watchers > LIMITS.coarseWatchers) return count;
  if (before === count && watchers > LIMITS.coarseWatchers * slack) return count;
  if (watchers > LIMITS.exactWatchers) return coarse;
  return before !== exact && watchers > LIMITS.exactWatchers * slack ? coarse : exact;
}

/** Once. */
export function tellHidden(watcher: Watcher, user: string): void {
  if (watcher.told === PRECISION.hidden) return;
  watcher.told = PRECISION.hidden;
  watcher.connection.tell({ type: 'presence', user, online: false, lastSeen: 0, precision: PRECISION.hidden });
}
