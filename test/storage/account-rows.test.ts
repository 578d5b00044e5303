// Owns the tests of a user's own rows: what was encoded decodes, also by a build that knows fewer fields; keys sort as asked.
// Invariant: properties over all values that the limits allow.
// Must not: need a store.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pack, unpack } from 'msgpackr';
import {
  decodeAccount,
  decodeDevice,
  decodeMarks,
  decodeProfile,
  encodeAccount,
  encodeDevice,
  encodeMarks,
  encodeProfile,
} from '../../storage/account-rows.js';
import {
  accountId,
  blockKey,
  blockRange,
  deviceKey,
  deviceRange,
  directChat,
  markOrderKey,
  markOrderRange,
  marksKey,
  nameInKey,
  profileKey,
} from '../../storage/keys.js';

const number = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const text = fc.string({ unit: 'grapheme', maxLength: 20 });

/** Plain objects, as decoding gives. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true });
}

/** A row of a later version: one field more. */
function later(row: Uint8Array): Uint8Array {
  const [, ...fields] = unpack(row) as unknown[];
  return pack([2, ...fields, 'more']);
}

const kinds = {
  account: [
    record({
      revision: number,
      marks: number,
      pinned: number,
      blocks: number,
      audience: number,
      profile: number,
      floor: number,
    }),
    encodeAccount,
    decodeAccount,
  ],
  profile: [
    record({
      version: number,
      full: number,
      name: text,
      avatar: text,
      about: text,
      fields: fc.array(fc.tuple(text, text)),
    }),
    encodeProfile,
    decodeProfile,
  ],
  marks: [
    record({
      version: number,
      muted: number,
      pinned: number,
      archived: fc.boolean(),
      unread: fc.boolean(),
      cleared: number,
      hidden: fc.array(number),
    }),
    encodeMarks,
    decodeMarks,
  ],
} as const;

for (const [kind, [values, encode, decode]] of Object.entries(kinds)) {
  test(`a row of ${kind} decodes to what was encoded, and a later version’s fields behind it are passed over`, () => {
    const property = (value: unknown): void => {
      const row = (encode as (value: unknown) => Uint8Array)(value);
      assert.deepEqual(decode(row), value);
      assert.deepEqual(decode(later(row)), value);
    };
    fc.assert(fc.property(values as fc.Arbitrary<unknown>, property));
  });
}

test('a device row decodes to what was encoded, and one of before has only its first connection', () => {
  const device = record({
    first: number,
    last: number,
    barred: number,
    removed: fc.boolean(),
    lingers: fc.boolean(),
    name: text,
  });
  fc.assert(fc.property(device, (value) => assert.deepEqual(decodeDevice(encodeDevice(value)), value)));
  const old = encodeDevice({ first: 7, last: 8, barred: 9, removed: true, lingers: true, name: 'x' }).slice(0, 6);
  assert.deepEqual(decodeDevice(old), { first: 7, last: 7, barred: 0, removed: false, lingers: false, name: '' });
});

test('ranges hold a user’s own rows alone, and marks sort by version', () => {
  const inside = (key: Uint8Array, { start, end }: { start: Uint8Array; end: Uint8Array }): boolean =>
    Buffer.compare(start, key) <= 0 && Buffer.compare(key, end) < 0;
  assert.equal(inside(deviceKey('ada', 'phone'), deviceRange('ada')), true);
  assert.equal(inside(deviceKey('adam', 'phone'), deviceRange('ada')), false);
  assert.equal(inside(blockKey('ada', 'ö'), blockRange('ada')), true);
  assert.equal(inside(deviceKey('ada', 'ö'), blockRange('ada')), false);
  assert.equal(nameInKey(blockKey('ad', 'ö z')), 'ö z');
  for (const version of [1, 255, 256, 65_536, 2 ** 40]) {
    assert.equal(inside(markOrderKey('ada', version), markOrderRange('ada', version - 1)), true);
    assert.equal(inside(markOrderKey('ada', version), markOrderRange('ada', version)), false);
  }
  assert.notDeepEqual(marksKey('ada', directChat('ada', 'bob')), marksKey('bob', directChat('ada', 'bob')));
  assert.notDeepEqual(profileKey('ada'), profileKey('bob'));
  assert.equal(accountId('ada')[0], 0, 'no chat’s');
});
