// Owns what the parts of the contract suite share: one open store, and a prefix of its own for each test.
// Invariant: two scenes of one store never meet.
// Must not: know an engine.

import type { Commit, CommitResult, RangePage, Row, Store, Write } from '../../storage/store.js';

export const text = (value: string): Uint8Array => Buffer.from(value, 'latin1');
export const show = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString('latin1');
export const put = (key: string, value: string): Write => ({ key: text(key), value: text(value) });
export const shown = (rows: readonly Row[]): string[] => rows.map((row) => `${show(row.key)}=${show(row.value)}`);

export interface Stage {
  readonly store: () => Store;
  /** A prefix that no other test uses. */
  readonly scene: () => string;
  readonly commit: (writes: Write[], checks?: Commit['checks']) => Promise<CommitResult>;
  /** Every row below a prefix. */
  readonly all: (prefix: string) => Promise<RangePage>;
}

export function stage(store: () => Store): Stage {
  let scenes = 0;
  return {
    store,
    scene: () => `t${++scenes}/`,
    commit: (writes, checks = []) => store().commit({ checks, writes }),
    all: (prefix) => store().range({ start: text(prefix), end: text(`${prefix}\xff`), limit: 10_000 }),
  };
}
