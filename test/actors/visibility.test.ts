// Owns the tests of what a user may see: spans against a list of visible numbers.
// Invariant: the model is the plain list.
// Must not: read a store.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { leftAt, visibleBefore, visibleFrom } from '../../actors/visibility.js';
import type { Span } from '../../storage/rows.js';

/** The chat's end, as far as the model goes. */
const END = 200;

/** Stays in order, each at least one number long, the last one perhaps still open. */
const spans: fc.Arbitrary<Span[]> = fc
  .record({
    steps: fc.array(fc.record({ gap: fc.integer({ min: 1, max: 9 }), stay: fc.nat(9) }), { maxLength: 8 }),
    open: fc.boolean(),
  })
  .map(({ steps, open }) => {
    let at = 0;
    return steps.map(({ gap, stay }, index) => {
      const from = at + gap;
      at = from + stay;
      return { from, until: open && index === steps.length - 1 ? 0 : at };
    });
  });

const visible = (list: readonly Span[]): number[] =>
  Array.from({ length: END }, (_, at) => at + 1).filter((seq) =>
    list.some(({ from, until }) => seq >= from && (until === 0 || seq <= until)),
  );

test('going up and going down over the spans meets exactly the visible numbers', () => {
  fc.assert(
    fc.property(spans, fc.integer({ min: 1, max: END }), (list, start) => {
      const all = visible(list);
      const up: number[] = [];
      for (let seq = start; seq <= END; ) {
        const next = visibleFrom(list, seq);
        if (next === null) break;
        for (seq = next.from; seq <= Math.min(next.until, END); seq += 1) up.push(seq);
      }
      assert.deepEqual(
        up,
        all.filter((seq) => seq >= start),
      );
      const down: number[] = [];
      for (let below = start; ; ) {
        const next = visibleBefore(list, below);
        if (next === null) break;
        for (let seq = next.until; seq >= next.from; seq -= 1) down.push(seq);
        below = next.from;
      }
      assert.deepEqual(down, all.filter((seq) => seq < start).reverse());
    }),
    { numRuns: 500 },
  );
});

test('where a view ends', () => {
  assert.equal(leftAt([]), null);
  assert.equal(leftAt([{ from: 3, until: 0 }]), null);
  assert.equal(
    leftAt([
      { from: 1, until: 2 },
      { from: 5, until: 9 },
    ]),
    9,
  );
  assert.equal(
    leftAt([
      { from: 1, until: 2 },
      { from: 5, until: 0 },
    ]),
    null,
  );
});
