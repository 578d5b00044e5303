// Owns the fuzzing of the decoders: mutated frames and raw bytes.
// Invariant: any bytes give a frame, an unknown frame or a bad frame; nothing throws; memory stays flat.
// Must not: depend on how fast the machine is, or leave a failure without its seed (fast-check prints it).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../actors/limits.js';
import { decodeClient, decodeServer, encodeClient, encodeServer } from '../../transport/codec.js';
import { makeVectors } from './vectors.js';

const vectors = makeVectors().filter((vector) => vector.hex !== '');
const seeds = vectors.map((vector) => new Uint8Array(Buffer.from(vector.hex, 'hex')));
/** Bytes with a meaning in MessagePack, and the ends of ranges: mutations that go deeper than random ones. */
const HEADS = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x91, 0x9f, 0xa0, 0xbf, ...Array.from({ length: 64 }, (_, i) => 0xc0 + i)];

type Edit = {
  readonly kind: 'set' | 'insert' | 'delete' | 'cut' | 'splice';
  readonly at: number;
  readonly byte: number;
};

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('set', 'insert', 'delete', 'cut', 'splice'),
  at: fc.nat(),
  byte: fc.oneof(fc.constantFrom(...HEADS), fc.nat(255)),
});

function mutate(frame: Uint8Array, edits: readonly Edit[]): Uint8Array {
  let bytes = [...frame];
  for (const { kind, at, byte } of edits) {
    const place = at % (bytes.length + 1);
    if (kind === 'set') bytes[Math.min(place, Math.max(0, bytes.length - 1))] = byte;
    else if (kind === 'insert') bytes.splice(place, 0, byte);
    else if (kind === 'delete') bytes.splice(place, 1);
    else if (kind === 'cut') bytes = bytes.slice(0, place);
    else bytes.splice(place, 0, ...seeds[byte % seeds.length]!.subarray(0, 64));
  }
  return Uint8Array.from(bytes);
}

/** Decodes, and holds what came out against the promises. True: a known frame. */
function check(bytes: Uint8Array): boolean {
  const fromClient = decodeClient(bytes);
  if (fromClient.type > 0) {
    assert.ok(fromClient.type !== 0 && fromClient.type !== -1);
    // What was accepted is a value of the protocol: it encodes, and decodes to itself.
    assert.deepEqual(decodeClient(encodeClient(fromClient)), fromClient);
    return true;
  }
  const fromServer = decodeServer(bytes);
  if (fromServer.type > 0) {
    assert.ok(fromServer.type !== 0 && fromServer.type !== -1);
    assert.deepEqual(decodeServer(encodeServer(fromServer)), fromServer);
    return true;
  }
  if (fromClient.type === -1) assert.ok(fromClient.reason.length > 0);
  return false;
}

test('mutated frames', () => {
  let known = 0;
  let total = 0;
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 6 }), (seed, edits) => {
      total++;
      if (check(mutate(seed, edits))) known++;
    }),
    { numRuns: 40_000 },
  );
  // Both outcomes must be met often, or the mutations do not reach the fields.
  assert.ok(known > total / 50 && known < total, `${known} of ${total} still decode`);
});

test('raw bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      check(bytes);
    }),
    { numRuns: 20_000 },
  );
});

test('200,000 hostile frames leave memory flat and none throws', () => {
  const rng = xorshift(0x5eed);
  const scratch = new Uint8Array(256);
  let peak = 0;
  const before = process.memoryUsage();
  for (let i = 0; i < 200_000; i++) {
    const seed = seeds[rng() % seeds.length]!;
    const length = Math.min(seed.length, scratch.length);
    scratch.set(seed.subarray(0, length));
    for (let n = rng() % 4; n >= 0; n--) scratch[rng() % length] = HEADS[rng() % HEADS.length]!;
    const type = decodeClient(scratch.subarray(0, length - (rng() % 3 === 0 ? rng() % length : 0))).type;
    assert.ok(type >= -1 && type <= 28);
    if (i % 1_000 === 0) peak = Math.max(peak, process.memoryUsage().arrayBuffers - before.arrayBuffers);
  }
  assert.ok(peak < 64 * 1_048_576, `array buffers grew by ${peak} bytes`);
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

function xorshift(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}
