// Owns the quick part of the mutation proof: some defects die within a few histories, the product as it is does not.
// Invariant: the same processes, loader and checker as `npm run simulate -- --mutants`, which hunts all of them.
// Must not: take long: only defects that the first seeds show.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MUTANTS } from '../../sim/mutants.js';
import { control, prove } from '../../sim/mutation.js';

const QUICK: Readonly<Record<string, string>> = {
  'ack before flush': 'durable_first',
  'fan-out before commit': 'durable_first',
  'sync off by one': 'shown_all',
  'own devices forgotten': 'shown_all',
  'receipts go back': 'receipts_rise',
};

for (const [name, rule] of Object.entries(QUICK)) {
  test(`the checker catches: ${name}`, async () => {
    const mutant = MUTANTS.find((each) => each.name === name)!;
    const { prey, seeds } = await prove(mutant, 1, () => undefined);
    assert.equal(prey?.rule, rule, `${seeds} seeds: ${prey?.detail}`);
  });
}

test('and nothing in the product as it is, nor anything that is not there', async () => {
  const { prey, seeds } = await prove(control(20, false), 1, () => undefined);
  assert.deepEqual([prey, seeds], [null, 20]);
  const unknown = { ...control(1, false), name: 'no such mutant' };
  await assert.rejects(
    prove(unknown, 1, () => undefined),
    /no mutant of this name/,
  );
});
