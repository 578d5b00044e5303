// Owns what versions nodes speak with each other, and which of them two agree on.
// Invariant: VERSIONS grows at its high end with what earlier builds would misread, and at its low end when the code for them goes.
// Must not: know frames or rows.

import { FORMATS, type Versions } from '../storage/format.js';

/** Of a build: the link protocol that it speaks, and the stored rows that it reads and writes. */
export interface Speech {
  readonly links: Versions;
  readonly rows: Versions;
}

export const SPEECH: Speech = { links: { low: 1, high: 2 }, rows: FORMATS };

/** The highest that both speak; 0: none. */
export function agree(ours: Versions, theirs: Versions): number {
  const version = Math.min(ours.high, theirs.high);
  return version >= Math.max(ours.low, theirs.low) ? version : 0;
}
