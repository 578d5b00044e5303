// Owns the tests of codec, reader, writer, slab, stored rows and the hot-path frame writer beyond the vectors.
// Invariant: each asserts a property that a wrong implementation breaks.
// Must not: assert timings.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../actors/limits.js';
import { decodeClient, decodeServer, decodeUnread, encodeClient, encodeServer } from '../../transport/codec.js';
import { FrameWriter } from '../../transport/frame-writer.js';
import type { ChatRef, Plain, UserRef } from '../../transport/frames.js';
import { Reader } from '../../transport/reader.js';
import { decodeRow, encodeEventRow, encodeMessageRow, encodeRow, rowParts, rowSender } from '../../transport/row.js';
import { Slab } from '../../transport/slab.js';
import { Writer } from '../../transport/writer.js';
import { makeVectors } from './vectors.js';

const id16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const uint = fc.maxSafeNat();
const name = fc.string({ unit: 'grapheme', maxLength: 80 });
const chat: fc.Arbitrary<ChatRef> = fc.oneof(id16, uint);
const user: fc.Arbitrary<UserRef> = fc.oneof(name, uint);
const { plain } = fc.letrec<{ plain: Plain }>((tie) => ({
  plain: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    fc.maxSafeInteger(),
    name,
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 70 }),
    fc.array(tie('plain'), { maxLength: 20 }),
  ),
}));

test('every value of the subset comes back equal', () => {
  fc.assert(
    fc.property(plain, (value) => {
      const reader = new Reader();
      reader.open(new Writer().plain(value).copy(), 10);
      assert.deepEqual(reader.plain(1), value);
      assert.ok(reader.close());
    }),
    { numRuns: 2_000 },
  );
});

test('integers take the shortest form on every border', () => {
  const sizes: readonly (readonly [number, number])[] = [
    [0, 1],
    [127, 1],
    [128, 2],
    [255, 2],
    [256, 3],
    [65_535, 3],
    [65_536, 5],
    [4_294_967_295, 5],
    [4_294_967_296, 9],
    [Number.MAX_SAFE_INTEGER, 9],
    [-1, 1],
    [-32, 1],
    [-33, 2],
    [-128, 2],
    [-129, 3],
    [-32_768, 3],
    [-32_769, 5],
    [-2_147_483_648, 5],
    [-2_147_483_649, 9],
    [-Number.MAX_SAFE_INTEGER, 9],
  ];
  for (const [value, size] of sizes) {
    const bytes = new Writer().int(value).copy();
    assert.equal(bytes.length, size, String(value));
    const reader = new Reader();
    reader.open(bytes, 1);
    assert.equal(reader.int(), value);
    assert.ok(reader.close());
  }
});

test('a number that is no exact integer is refused by the encoder', () => {
  for (const n of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    assert.throws(() => encodeClient({ type: 15, n }), /invariant broken/);
  }
  assert.deepEqual(decodeClient(encodeClient({ type: 15, n: 7 })), { type: 15, n: 7 }, 'the next frame is whole');
});

test('integers one beyond 2^53-1, in either sign, are bad frames; the last exact ones are not', () => {
  const decodeLag = (hex: string) =>
    decodeServer(Buffer.from(`97220101 01c410${'00'.repeat(16)}${hex}c400`.replace(' ', ''), 'hex'));
  assert.equal(decodeLag('d3ffe0000000000000').type, -1);
  assert.equal(decodeLag('cf0020000000000000').type, -1);
  assert.equal(decodeLag('cfffffffffffffffff').type, -1);
  const lowest = decodeLag('d3ffe0000000000001');
  assert.ok(lowest.type === 34 && lowest.lag === -Number.MAX_SAFE_INTEGER);
  const highest = decodeLag('d3001fffffffffffff');
  assert.ok(highest.type === 34 && highest.lag === Number.MAX_SAFE_INTEGER);
});

test('what was decoded survives the input, and no two decoded bodies share bytes', () => {
  const frames = Array.from({ length: 400 }, (_, i) => {
    const input = encodeClient({
      type: 2,
      chat: 1,
      id: new Uint8Array(16).fill(i),
      body: new Uint8Array(1 + i).fill(i),
    });
    const frame = decodeClient(input);
    input.fill(0xee);
    return frame;
  });
  for (const [i, frame] of frames.entries()) {
    assert.ok(frame.type === 2);
    assert.deepEqual(frame.id, new Uint8Array(16).fill(i));
    assert.deepEqual(frame.body, new Uint8Array(1 + i).fill(i));
  }
});

test("the SDK's bodies have memory of their own, so that a clone takes nothing else along", () => {
  const body = new Uint8Array(100).fill(1);
  const frame = decodeServer(encodeServer({ type: 34, chat: 1, from: 1, seq: 1, id: body.slice(0, 16), lag: 0, body }));
  assert.ok(frame.type === 34);
  assert.equal(frame.body.buffer.byteLength, 100);
});

test('a Buffer as input gives copies too', () => {
  const input = Buffer.from(
    encodeClient({ type: 2, chat: 1, id: new Uint8Array(16), body: new Uint8Array(60).fill(5) }),
  );
  const frame = decodeClient(input);
  input.fill(0);
  assert.ok(frame.type === 2);
  assert.deepEqual(frame.body, new Uint8Array(60).fill(5));
});

test('a body over the limit and over-long names decode, for their own answer', () => {
  const send = decodeClient(
    encodeClient({ type: 2, chat: 1, id: new Uint8Array(16), body: new Uint8Array(LIMITS.body + 1) }),
  );
  assert.ok(send.type === 2 && send.body.length === LIMITS.body + 1);
  const direct = decodeClient(encodeClient({ type: 7, r: 1, user: 'u'.repeat(LIMITS.userId + 1) }));
  assert.ok(direct.type === 7 && direct.user.length === LIMITS.userId + 1);
});

test('of too many users one too many is kept', () => {
  const users = Array.from({ length: 5_000 }, (_, i) => `user-${i}`);
  const frame = decodeClient(encodeClient({ type: 8, r: 1, id: new Uint8Array(16), title: 't', users }));
  assert.ok(frame.type === 8);
  assert.deepEqual(frame.users, users.slice(0, LIMITS.members + 1));
});

test('SYNC holds as many entries as documented and not one more', () => {
  const entries = Array.from({ length: LIMITS.syncEntries + 1 }, () => ({
    chat: new Uint8Array(16),
    seq: 1,
    read: 0,
    flags: 0,
  }));
  const full = decodeClient(encodeClient({ type: 6, entries: entries.slice(1), more: true, backfill: 0 }));
  assert.ok(full.type === 6 && full.entries.length === LIMITS.syncEntries);
  assert.equal(decodeClient(encodeClient({ type: 6, entries, more: true, backfill: 0 })).type, -1);
  const largest = entries.slice(1).map((entry) => ({ ...entry, seq: 2 ** 40, read: 2 ** 31, flags: 1 }));
  assert.ok(
    encodeClient({ type: 6, entries: largest, more: true, backfill: 0 }).length > LIMITS.frame,
    'the client must split',
  );
  const part = largest.slice(0, LIMITS.syncPart);
  assert.ok(encodeClient({ type: 6, entries: part, more: true, backfill: 0 }).length < LIMITS.frame);
});

test('a frame decodes alike after a bad one', () => {
  const good = encodeClient({ type: 3, chat: 5, seq: 9 });
  assert.equal(decodeClient(good.subarray(0, 2)).type, -1);
  assert.deepEqual(decodeClient(good), { type: 3, chat: 5, seq: 9 });
});

test('delivery from a stored row is byte for byte the encoded frame, for messages and events', () => {
  const writer = new FrameWriter();
  fc.assert(
    fc.property(
      chat,
      user,
      uint,
      id16,
      fc.maxSafeInteger(),
      fc.uint8Array({ maxLength: 300 }),
      plain,
      (chat, from, seq, id, lag, body, arg) => {
        const message = encodeMessageRow('sender', id, lag, body);
        assert.equal(rowSender(message), 'sender');
        assert.deepEqual(
          writer.fresh().delivery(chat, from, seq, message).out.copy(),
          encodeServer({ type: 34, chat, from, seq, id, lag, body }),
        );
        const event = encodeEventRow('sender', id, lag, 3, [arg]);
        assert.deepEqual(
          writer.fresh().delivery(chat, from, seq, event).out.copy(),
          encodeServer({ type: 35, chat, from, seq, id, lag, op: 3, args: [arg] }),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test('a row that a later version wrote, with more fields, is delivered whole and decoded as far as known', () => {
  const id = new Uint8Array(16).fill(3);
  const body = new Uint8Array([1, 2]);
  const row = new Writer().array(7).int(34).str('bob').bin(id).int(5).bin(body).str('new').plains([1]).copy();
  assert.deepEqual(decodeRow(row), { type: 34, from: 'bob', id, lag: 5, body });
  const frame = new FrameWriter().delivery(1, 2, 3, row).out.view();
  assert.equal(frame[0], 0x99, 'the header counts the new fields');
  assert.deepEqual(decodeServer(frame), { type: 34, chat: 1, from: 2, seq: 3, id, lag: 5, body });
});

test('rows come back equal, and PAGE from rows is the encoded PAGE', () => {
  const id = new Uint8Array(16).fill(9);
  const stored = [
    { type: 34, from: 'zoë', id, lag: -40, body: new Uint8Array(500).fill(1) },
    { type: 35, from: 'a'.repeat(64), id, lag: 0, op: 1, args: ['title', ['x', 'y']] },
  ] as const;
  for (const row of stored) assert.deepEqual(decodeRow(encodeRow(row)), row);
  const rows = stored.map((row, i) => ({ seq: i + 70_000, row: encodeRow(row) }));
  assert.deepEqual(
    new FrameWriter().page(7, rows, true).out.copy(),
    encodeServer({ type: 45, r: 7, rows: stored.map((row, i) => ({ ...row, seq: i + 70_000 })), more: true }),
  );
});

test('FrameWriter writes any frame as encodeServer does', () => {
  const writer = new FrameWriter();
  for (const { direction, hex, decodeOnly } of makeVectors()) {
    const frame = decodeServer(new Uint8Array(Buffer.from(hex, 'hex')));
    if (direction === 'client' || decodeOnly || frame.type === 0 || frame.type === -1) continue;
    assert.equal(Buffer.from(writer.fresh().frame(frame).out.view()).toString('hex'), hex);
  }
});

test('a damaged stored row is thrown as such, not taken for a value', () => {
  const row = encodeMessageRow('bob', new Uint8Array(16), 0, new Uint8Array(5));
  assert.throws(() => decodeRow(row.subarray(0, row.length - 1)), /row_damaged/);
  for (const bytes of [[0x95, 36], [0x93, 34, 1], [0x95, 34, 0xa3, 97], [], [0xdc, 0, 5]]) {
    assert.throws(() => rowParts(new Uint8Array(bytes)), /row_damaged/);
    assert.throws(() => rowSender(new Uint8Array(bytes)), /row_damaged/);
    assert.throws(() => new FrameWriter().delivery(1, 1, 1, new Uint8Array(bytes)), /row_damaged/);
  }
});

test('the writer gives a huge buffer back', () => {
  const writer = new Writer();
  writer.reset().bin(new Uint8Array(LIMITS.scratch * 2));
  assert.ok(writer.view().buffer.byteLength > LIMITS.scratch);
  writer.reset().int(1);
  assert.ok(writer.view().buffer.byteLength <= LIMITS.scratch);
});

test('a slab hands no byte out twice and is left when full', () => {
  const slab = new Slab();
  const seen = new Map<ArrayBufferLike, number>();
  for (let i = 0; i < 1_000; i++) {
    const length = (i * 37) % 2_500;
    const bytes = slab.take(length);
    assert.equal(bytes.length, length);
    assert.ok(bytes.every((byte) => byte === 0));
    bytes.fill(0xff);
    if (bytes.buffer.byteLength !== LIMITS.slab) continue;
    assert.ok(bytes.byteOffset >= (seen.get(bytes.buffer) ?? 0));
    seen.set(bytes.buffer, bytes.byteOffset + length);
  }
  assert.ok(seen.size > 10);
});

test('a SEND without its body is judged as with it; nothing else is taken for one', () => {
  fc.assert(
    fc.property(chat, id16, fc.uint8Array({ maxLength: 300 }), fc.nat(), fc.nat(255), (where, id, body, at, value) => {
      const bytes = encodeClient({ type: 2, chat: where, id, body });
      assert.deepEqual(decodeUnread(bytes), { type: 2, chat: where, id, body: new Uint8Array(0) });
      const damaged = bytes.slice();
      damaged[at % damaged.length] = value;
      for (const some of [damaged, bytes.subarray(0, at % bytes.length)]) {
        const [whole, unread] = [decodeClient(some), decodeUnread(some)];
        assert.equal(unread !== null, whole.type === 2);
        if (whole.type === 2) assert.deepEqual(unread, { ...whole, body: new Uint8Array(0) });
      }
    }),
  );
  const longest = { type: 2, chat: 1, id: new Uint8Array(16), body: new Uint8Array(LIMITS.body) } as const;
  assert.notEqual(decodeUnread(encodeClient(longest)), null);
  assert.equal(decodeUnread(encodeClient({ ...longest, body: new Uint8Array(LIMITS.body + 1) })), null);
  assert.equal(decodeUnread(encodeClient({ type: 15, n: 1 })), null);
});
