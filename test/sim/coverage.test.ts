// Owns the proof that coverage counts what took effect, and names what never did.
// Invariant: made records only.
// Must not: run histories.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Coverage, faultsIn } from '../../sim/coverage.js';
import { FAULTS } from '../../sim/record.js';

test('faults are counted by kind, over histories; what never happened is named', () => {
  const coverage = new Coverage();
  assert.deepEqual(coverage.missing, [...FAULTS]);
  const crash = { kind: 'fault', fault: 'node_crash', whom: 'n1', detail: '' } as const;
  coverage.add(
    faultsIn([
      { at: 1, ...crash },
      { at: 2, ...crash },
      { at: 3, kind: 'calm' },
    ]),
  );
  coverage.add(faultsIn([{ at: 1, kind: 'fault', fault: 'link_cut', whom: 'ada.1', detail: '' }]));
  assert.equal(coverage.histories, 2);
  assert.equal(coverage.counts.node_crash, 2);
  assert.equal(coverage.counts.link_cut, 1);
  assert.equal(coverage.counts.disk_full, 0);
  assert.deepEqual(
    coverage.missing,
    FAULTS.filter((fault) => fault !== 'node_crash' && fault !== 'link_cut'),
  );
});
