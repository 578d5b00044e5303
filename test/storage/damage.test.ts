// Owns the tests of stored rows of every kind, whole and damaged.
// Invariant: a whole row decodes to what was written, with a later version's fields behind it too; a damaged one is either
// refused as such or decodes to what could have been written; a cut one is refused wherever that shows.
// Must not: need a store.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { slips } from '../../sim/fuzz-frames.js';
import { damaged, hex, ROW_KINDS, type RowKind } from '../../sim/fuzz-rows.js';

/** Rows whose last field has no length: what is left of it is a shorter one. A page and a set lose whole items unnoticed. */
const OPEN_ENDED: Readonly<Record<string, (cut: number) => boolean>> = {
  'device row': () => true,
  'id page': (cut) => cut % 16 === 0,
  'dirty set': (cut) => cut % 22 === 0,
};

function prove<T>(kind: RowKind<T>): void {
  test(`${kind.name}: decodes to what was written, and nothing of it may be missing`, () => {
    fc.assert(
      fc.property(kind.value, (value) => {
        const row = kind.encode(value);
        assert.deepEqual(kind.decode(row), value);
        for (let length = 0; length < row.length; length++) {
          if (OPEN_ENDED[kind.name]?.(row.length - length) === true) continue;
          assert.ok(damaged(kind, row.subarray(0, length)), `cut to ${length} of ${row.length}: ${hex(row)}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  test(`${kind.name}: damaged in any way, it is refused or is a value`, () => {
    let refused = 0;
    const bytes = fc.oneof(
      { weight: 9, arbitrary: slips(kind.value.map((value) => kind.encode(value))) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
    );
    fc.assert(
      fc.property(bytes, (row) => {
        if (damaged(kind, row)) refused++;
      }),
      { numRuns: 3_000 },
    );
    assert.ok(refused > 100, `${refused} of 3,000 refused`);
  });
}

for (const kind of ROW_KINDS) prove(kind as RowKind<unknown>);
