// Owns the tests of the names that a link remembers.
// Invariant: what is read is compared with what is read where nothing is remembered.
// Must not: know messages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../actors/limits.js';
import { Texts } from '../../cluster/texts.js';
import { decodeText } from '../../transport/utf8.js';

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(` ${text} `));

function read(texts: Texts, bytes: Uint8Array): string | undefined {
  const text = texts.read(bytes, 1, bytes.length - 1);
  assert.equal(text, decodeText(bytes, 1, bytes.length - 1));
  return text;
}

test('any bytes are read as if nothing were remembered', () => {
  const texts = new Texts();
  const few = fc.uint8Array({ maxLength: 3, max: 0xc4 });
  const names = fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => bytesOf(text).subarray(1, -1));
  const cut = (bytes: Uint8Array): Uint8Array => Uint8Array.of(0x61, ...bytes, 0x62);
  fc.assert(
    fc.property(fc.oneof(few, names), (bytes) => {
      read(texts, cut(bytes));
      read(texts, cut(bytes));
    }),
    { numRuns: 5_000 },
  );
});

test('names of one place take turns', () => {
  const texts = new Texts();
  const places = new Map<number, string>();
  for (let n = 0; places.size < LIMITS.linkTexts / 2; n++) {
    const name = `user${n}`;
    let hash = name.length;
    for (const byte of Buffer.from(name)) hash = Math.imul(hash, 31) + byte;
    const place = (hash >>> 0) % LIMITS.linkTexts;
    const other = places.get(place);
    if (other !== undefined) {
      for (const one of [other, name, other, name]) assert.equal(read(texts, bytesOf(one)), one);
      return;
    }
    places.set(place, name);
  }
  assert.fail('no two names have one place');
});

test('what is no UTF-8, or is longer than a name, is never taken for one that was', () => {
  const texts = new Texts();
  assert.equal(read(texts, bytesOf('ada')), 'ada');
  assert.equal(read(texts, Uint8Array.of(0x20, 0x61, 0xe4, 0x61, 0x20)), undefined);
  assert.equal(read(texts, bytesOf('a\u00e4')), 'a\u00e4');
  for (const length of [39, 40, 41, 400]) assert.equal(read(texts, bytesOf('x'.repeat(length))), 'x'.repeat(length));
  assert.equal(read(texts, bytesOf('')), '');
});
