// Owns the tests of short texts, which are written and read without the platform's encoder.
// Invariant: that encoder says what is right.
// Must not: test frames.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reader } from '../../transport/reader.js';
import { decodeText, isText } from '../../transport/utf8.js';
import { Writer } from '../../transport/writer.js';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function expected(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

test('two bytes of any value, alone and before another, are text exactly where UTF-8 says so', () => {
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      const bytes = Uint8Array.of(first, second, 0x61);
      const short = bytes.subarray(0, 2);
      assert.equal(decodeText(bytes, 0, 2), expected(short), `${first} ${second}`);
      assert.equal(isText(bytes, 0, 2), expected(short) !== undefined, `${first} ${second}`);
      if (first >= 0xc0 || second % 16 === 0) assert.equal(decodeText(bytes, 0, 3), expected(bytes));
    }
  }
});

test('every character is written as the encoder does, and read back', () => {
  const writer = new Writer();
  const reader = new Reader();
  const samples = [
    '',
    'x'.repeat(40),
    'é'.repeat(15),
    'é'.repeat(16),
    'é'.repeat(40),
    'é'.repeat(41),
    '☂é',
    '\ud83d\ude00',
  ];
  for (let unit = 0; unit < 0x900; unit++) samples.push(`a${String.fromCharCode(unit)}z`);
  for (const text of samples) {
    writer.reset().str(text);
    const utf8 = new TextEncoder().encode(text);
    assert.deepEqual(writer.copy().slice(-utf8.length || writer.length), utf8.length === 0 ? new Uint8Array(0) : utf8);
    reader.open(writer.view(), 1);
    assert.equal(reader.str(), text);
    assert.ok(reader.close());
  }
});
