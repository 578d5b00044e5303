// Owns the fuzzing of tokens.
// Invariant: a verdict for every token; who is let in holds what the secret signed.
// Must not: wait: a token's end is compared with the clock, not lived through.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openVerifier, tokens, tryToken } from '../../sim/fuzz-token.js';

test('4,000 tokens: nobody is let in who should not be, and no verdict is an exception', async () => {
  const verifier = openVerifier();
  let good = 0;
  await fc.assert(
    fc.asyncProperty(tokens(Math.floor(Date.now() / 1_000)), async (token) => {
      if (await tryToken(verifier, token)) good++;
    }),
    { numRuns: 4_000 },
  );
  assert.ok(good > 100 && good < 3_000, `${good} let in`);
});
