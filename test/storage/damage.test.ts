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

test('text that is no UTF-8 is refused, and the character that stands for such text is not', () => {
  const inbox = ROW_KINDS.find(({ name }) => name === 'inbox row') as RowKind<unknown>;
  const device = ROW_KINDS.find(({ name }) => name === 'device row') as RowKind<unknown>;
  const at = { head: 1, at: 1, delivered: 1, read: 1, spans: [], devices: [{ device: 'XYZ', delivered: 1 }] };
  const flags = { kind: 1, large: false, hot: false, wrote: false };
  const rows: [RowKind<unknown>, unknown, string][] = [
    [inbox, { ...flags, ...at, name: 'tea' }, 'XYZ'],
    [inbox, { ...flags, ...at, name: 'tea' }, 'tea'],
    [device, { first: 1, last: 1, barred: 0, removed: false, lingers: false, name: 'tea' }, 'tea'],
  ];
  for (const [kind, value, text] of rows) {
    const row = Buffer.from(kind.encode(value));
    const place = row.indexOf(text);
    for (const [bytes, bad] of [
      [[0xef, 0xbf, 0xbd], false],
      [[0x74, 0xff, 0x61], true],
      [[0xed, 0xa0, 0x80], true],
      [[0x74, 0x65, 0xc3], true],
    ] as const) {
      row.set(bytes, place);
      assert.equal(damaged(kind, row), bad, `${kind.name}: ${hex(row)}`);
    }
  }
});

test('a row of fields that says it has fewer than it has is refused', () => {
  for (const { name, value, encode, decode } of ROW_KINDS) {
    if (!['entry', 'account row', 'profile row', 'marks row', 'chat row'].includes(name)) continue;
    const kind = { name, value, encode, decode } as RowKind<unknown>;
    fc.assert(
      fc.property(kind.value, fc.integer({ min: 1, max: 11 }), (row, fewer) => {
        const bytes = kind.encode(row);
        bytes[0] = 0x90 | Math.max(0, (bytes[0]! & 15) - fewer);
        assert.ok(damaged(kind, bytes), hex(bytes));
      }),
    );
  }
});
