// Owns the fuzzing of the decoders, and the properties of the encoders.
// Invariant: any bytes give the frame, the unknown frame or the bad frame that the document says; nothing throws; memory
// stays flat.
// Must not: depend on how fast the machine is, or leave a failure without its seed (fast-check prints it).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../actors/limits.js';
import { GRAMMAR, type Side, tryFrame } from '../../sim/fuzz-codec.js';
import { frames, hostile, inAnyForm, type Words } from '../../sim/fuzz-frames.js';
import { type Value, write } from '../../sim/fuzz-value.js';
import { decodeClient, decodeServer, encodeClient, encodeServer } from '../../transport/codec.js';
import { FrameWriter } from '../../transport/frame-writer.js';
import { encodeMessageRow } from '../../transport/row.js';

const WORDS: Words = {
  chats: [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)],
  users: ['ada', 'bob', 'zoë'],
  tokens: ['a.b.c'],
  time: 1_760_000_000_000,
};
const SIDES: readonly Side[] = ['client', 'server'];

for (const side of SIDES) {
  test(`100,000 hostile frames of a ${side}: both readings of the document agree, and memory stays flat`, () => {
    const seen = { bad: 0, unknown: 0, known: new Set<number>() };
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    let count = 0;
    fc.assert(
      fc.property(hostile(GRAMMAR[side], WORDS), (bytes) => {
        const type = tryFrame(side, bytes);
        if (type === -1) seen.bad++;
        else if (type === 0) seen.unknown++;
        else seen.known.add(type);
        if (++count % 1_000 === 0) peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
      }),
      { numRuns: 100_000 },
    );
    // Every outcome must be met, or the mutations do not reach the fields.
    assert.ok(seen.bad > 30_000 && seen.bad < 80_000, `${seen.bad} bad`);
    assert.ok(seen.unknown > 1_000, `${seen.unknown} unknown`);
    assert.equal(seen.known.size, Object.keys(GRAMMAR[side]).length);
    assert.ok(peak < 64 * 1_048_576, `array buffers grew by ${peak} bytes`);
  });

  test(`a frame of a ${side} is one frame in all of MessagePack’s forms, and is written in the shortest`, () => {
    const decode = side === 'client' ? decodeClient : decodeServer;
    fc.assert(
      fc.property(inAnyForm(frames(GRAMMAR[side], WORDS)), ({ value, bytes }) => {
        const short = write(value);
        const frame = decode(short);
        assert.ok(frame.type > 0);
        assert.deepEqual(decode(bytes), frame);
        // What lacks optional fields is written with them, what is of another version without its fields.
        if (whole(side, value)) assert.deepEqual(encoded(side, frame), short);
      }),
      { numRuns: 10_000 },
    );
  });
}

/** All fields are there, down to those of its rows; of a SYNC entry's flags those that are kept. */
function whole(side: Side, frame: Value): boolean {
  if (frame.t !== 'array') return false;
  const [type, version] = frame.v;
  if (type?.t !== 'int') return false;
  if (side === 'client' && type.v === 1 && version?.t === 'int' && version.v !== 1) return false;
  const entries = side === 'client' && type.v === 6 && version?.t === 'array' ? version.v : [];
  return (
    entries.every((entry) => entry.t === 'array' && entry.v[3]?.t === 'int' && entry.v[3].v < 256) &&
    frame.v.length > (GRAMMAR[side][type.v] ?? []).length
  );
}

function encoded(side: Side, frame: unknown): Uint8Array {
  return side === 'client'
    ? encodeClient(frame as Parameters<typeof encodeClient>[0])
    : encodeServer(frame as Parameters<typeof encodeServer>[0]);
}

test('the hot path writes MESSAGE and PAGE as the codec does, for any row', () => {
  const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 16 });
  const seq = fc.oneof(fc.nat(200), fc.integer({ min: 0, max: 2 ** 48 }));
  const chat = fc.oneof(id, fc.nat(1_024));
  const from = fc.oneof(name, fc.nat(127));
  const lag = fc.integer({ min: -(2 ** 40), max: 2 ** 40 });
  const body = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(chat, name, from, seq, id, lag, body, (ref, user, as, at, message, late, bytes) => {
      const row = encodeMessageRow(user, message, late, bytes);
      const frame = { seq: at, id: message, lag: late, body: bytes };
      const delivery = new FrameWriter().delivery(ref, as, at, row).out.copy();
      assert.deepEqual(delivery, encodeServer({ type: 34, chat: ref, from: as, ...frame }));
      const page = new FrameWriter().page(7, [{ seq: at, row }], true).out.copy();
      assert.deepEqual(page, encodeServer({ type: 45, r: 7, rows: [{ type: 34, from: user, ...frame }], more: true }));
    }),
    { numRuns: 2_000 },
  );
});

test('headers that claim more than there is allocate nothing', () => {
  const claims = [
    'dd7fffffff',
    'dc7fff90',
    '94 0201 c6 7fffffff',
    '9307 01 db 7fffffff',
    '92 06 dd 7fffffff',
    '9208 dd7fffffff',
  ];
  for (const claim of claims) {
    const bytes = Buffer.from(claim.replaceAll(' ', ''), 'hex');
    const before = process.memoryUsage();
    for (let i = 0; i < 20_000; i++) assert.equal(decodeClient(bytes).type, -1);
    const after = process.memoryUsage();
    assert.ok(after.arrayBuffers - before.arrayBuffers < 16 * 1_048_576, claim);
  }
});

test('the largest frame of the most items decodes to a small multiple of itself', () => {
  // 131,065 empty strings as users of CREATE: each costs its sender one byte.
  const head = Buffer.from(`95080 1c410${'00'.repeat(16)}a174dd`.replace(' ', ''), 'hex');
  const bytes = Buffer.alloc(LIMITS.frame, 0xa0);
  head.copy(bytes);
  bytes.writeUInt32BE(LIMITS.frame - head.length - 4, head.length);
  const frame = decodeClient(bytes);
  assert.ok(frame.type === 8);
  assert.equal(frame.users.length, LIMITS.members + 1);
});

test('nesting as deep as a frame can hold neither overflows the stack nor passes', () => {
  for (const type of [0x11, 0x29, 0x25]) {
    const bytes = new Uint8Array(LIMITS.frame).fill(0x91);
    bytes[0] = 0x92;
    bytes[1] = type;
    assert.equal(decodeClient(bytes).type, -1);
    assert.equal(decodeServer(bytes).type, -1);
  }
});
