// Owns the tests of stored rows other than messages: what was encoded decodes, also by a build that knows fewer fields.
// Invariant: properties over all values that the limits allow.
// Must not: need a store.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { getNumber, isName, NUMBER_BYTES, putNumber } from '../../storage/keys.js';
import { decodeChat, decodeDirty, decodeInbox, encodeChat, encodeDirty, encodeInbox } from '../../storage/rows.js';

const seq = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });

/** Plain objects, as decoding gives. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true });
}

const inbox = record({
  kind: fc.constantFrom(1, 2),
  large: fc.boolean(),
  hot: fc.boolean(),
  wrote: fc.boolean(),
  head: seq,
  at: seq,
  delivered: seq,
  read: seq,
  spans: fc.array(record({ from: seq, until: seq }), { maxLength: 8 }),
  devices: fc.array(record({ device: name, delivered: seq }), { maxLength: 16 }),
  name,
});

test('an inbox row decodes to what was encoded, and a later version’s fields behind it are passed over', () => {
  fc.assert(
    fc.property(inbox, fc.uint8Array({ maxLength: 20 }), (value, more) => {
      const row = encodeInbox(value);
      assert.deepEqual(decodeInbox(row), value);
      const later = Buffer.concat([row, more]);
      later[0] = 2;
      assert.deepEqual(decodeInbox(later), value);
    }),
  );
});

test('a chat row and a dirty set decode to what was encoded', () => {
  const member = record({ user: name, role: fc.integer({ min: 0, max: 3 }) });
  const chat = record({
    kind: fc.constantFrom(1, 2),
    created: seq,
    title: fc.string(),
    large: fc.boolean(),
    members: fc.array(member, { maxLength: 50 }),
    avatar: fc.string(),
    announce: fc.boolean(),
    expiry: fc.nat(),
    invite: fc.constantFrom(0, 1, 2),
    secret: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    waiting: fc.array(name, { maxLength: 20 }),
  });
  fc.assert(fc.property(chat, (value) => assert.deepEqual(decodeChat(encodeChat(value)), value)));
  const chats = fc.array(record({ chat: fc.uint8Array({ minLength: 16, maxLength: 16 }), head: seq }));
  const dirty = record({ chats, more: fc.boolean() });
  fc.assert(fc.property(dirty, (value) => assert.deepEqual(decodeDirty(encodeDirty(value)), value)));
});

test('numbers keep their order as bytes, and a cut row is a damaged one', () => {
  fc.assert(
    fc.property(seq, seq, (a, b) => {
      const [x, y] = [a, b].map((value) => {
        const bytes = new Uint8Array(NUMBER_BYTES);
        putNumber(bytes, 0, value);
        assert.equal(getNumber(bytes, 0), value);
        return bytes;
      });
      assert.equal(Math.sign(Buffer.compare(x!, y!)), Math.sign(a - b));
    }),
  );
  assert.throws(() => getNumber(new Uint8Array(5), 0), { code: 'row_damaged' });
  assert.throws(() => decodeInbox(new Uint8Array(10)), { code: 'row_damaged' });
});

test('names: 1 to the limit of UTF-8 bytes, no control characters, no halves of characters', () => {
  for (const good of ['a', 'a'.repeat(64), 'zoë', 'ada@example.org', '☃'.repeat(21)]) assert.ok(isName(good, 64), good);
  for (const bad of ['', 'a'.repeat(65), '☃'.repeat(22), 'a\0', 'a\nb', 'é\u0085', '\ud800', 'a\x7f']) {
    assert.ok(!isName(bad, 64), JSON.stringify(bad));
  }
});
