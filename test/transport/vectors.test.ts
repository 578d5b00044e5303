// Owns the proof that docs/wire-vectors.json says what the codec does, and that another decoder reads it alike.
// Invariant: the file covers every frame type and is exactly what vectors.ts writes.
// Must not: derive the expected field order from the codec.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Unpackr } from 'msgpackr';
import { decodeClient, decodeServer, encodeClient, encodeServer } from '../../transport/codec.js';
import { T } from '../../transport/frames.js';
import { fileText, fromJson, type Json, makeVectors, VECTORS_FILE, type Vector } from './vectors.js';

const text = readFileSync(VECTORS_FILE, 'utf8');
const vectors = JSON.parse(text) as readonly Vector[];

const decode = (vector: Vector) => {
  const bytes = new Uint8Array(Buffer.from(vector.hex, 'hex'));
  return vector.direction === 'client' ? decodeClient(bytes) : decodeServer(bytes);
};

test('the file is what the frames in vectors.ts encode to', () => {
  assert.equal(text, fileText(makeVectors()));
});

test('every frame type has a vector that is encoded and decoded', () => {
  const covered = new Set(vectors.filter((v) => v.decodeOnly === undefined).map((v) => decode(v).type));
  for (const [name, type] of Object.entries(T)) assert.ok(covered.has(type), name);
});

for (const vector of vectors) {
  test(`${vector.direction}: ${vector.name}`, () => {
    const frame = decode(vector);
    if (vector.expect === 'bad_frame') {
      assert.equal(frame.type, -1);
      return;
    }
    if (vector.expect === 'ignored') {
      assert.equal(frame.type, 0);
      return;
    }
    assert.ok(vector.frame !== undefined);
    // SYNC's entries are packed when read.
    const read = frame.type === T.SYNC ? { ...frame, entries: [...frame.entries] } : frame;
    assert.deepEqual(read, fromJson(vector.frame));
    if (vector.decodeOnly) return;
    assert.ok(frame.type > 0);
    const encoded = isOfClient(frame) ? encodeClient(frame) : encodeServer(frame as Parameters<typeof encodeServer>[0]);
    assert.equal(Buffer.from(encoded).toString('hex'), vector.hex);
  });
}

function isOfClient(frame: ReturnType<typeof decode>): frame is Parameters<typeof encodeClient>[0] {
  return frame.type > 0 && frame.type < 32;
}

/** Fields in wire order, written down from docs/wire.md. */
const ORDER: Readonly<Record<number, string>> = {
  1: 'version token credit agent',
  2: 'chat id body',
  3: 'chat seq',
  4: 'chat seq',
  5: 'n',
  6: 'entries more backfill',
  7: 'r user',
  8: 'r id title users',
  9: 'r chat id op users args',
  10: 'r chat before limit',
  11: 'r after limit',
  12: 'r chat',
  13: 'chat on',
  14: 'chat on',
  15: 'n',
  16: 'r token',
  17: 'r chat',
  18: 'r id invite',
  19: 'r chat seq',
  20: 'r',
  21: 'r device op name',
  22: 'r user version',
  23: 'r name avatar about fields',
  24: 'r audience',
  25: 'r user on',
  26: 'r',
  27: 'r chat op value seqs',
  28: 'r since limit',
  32: 'user device durability window maxBody time heartbeat expires',
  33: 'n seq durability',
  34: 'chat from seq id lag body',
  35: 'chat from seq id lag op args',
  36: 'chat user delivered read',
  37: 'entries',
  38: 'chats',
  39: 'alias chat kind name',
  40: 'alias user',
  41: 'r ...results',
  42: 'r code retry after detail',
  43: 'chat user on',
  44: 'user online lastSeen precision',
  45: 'r rows more',
  46: '',
  47: 'after reason target',
  48: 'n',
  49: 'n code retry after detail',
  50: 'chat delivered read',
  51: 'chat count',
  52: 'user version',
  53: 'chat version muted pinned archived unread cleared hidden',
  54: 'user on',
};
const NESTED: Readonly<Record<string, string>> = { entries: 'chat seq read flags', certs: 'chat head start kind name' };
const ROWS: Readonly<Record<number, string>> = { 34: 'from seq id lag body', 35: 'from seq id lag op args' };
const FLAGS = new Set(['more', 'on', 'retry', 'online', 'archived', 'unread']);

type Named = { readonly type?: Json; readonly [name: string]: Json | undefined };

/** A vector's frame as the array of plain values that stands on the wire. */
function onTheWire(frame: Named): unknown[] {
  const type = Number(frame.type);
  const fields: unknown[] = [type];
  for (const name of ORDER[type]!.split(' ').filter((part) => part !== '')) {
    const value = frame[name.replace('...', '')]!;
    if (name.startsWith('...')) fields.push(...(fromJson(value) as unknown[]));
    else if (FLAGS.has(name)) fields.push(value ? 1 : 0);
    else if (name === 'entries') {
      const order = NESTED[type === T.CERT ? 'certs' : 'entries']!;
      fields.push((value as readonly Named[]).map((entry) => inOrder(entry, order)));
    } else if (name === 'rows') {
      fields.push((value as readonly Named[]).map((row) => [row.type, ...inOrder(row, ROWS[Number(row.type)]!)]));
    } else fields.push(fromJson(value));
  }
  return fields;
}

function inOrder(entry: Named, order: string): unknown[] {
  const names = order.split(' ').filter((name) => entry[name] !== undefined);
  return names.map((name) => fromJson(entry[name]!));
}

/** Buffers as plain byte arrays, bigints as numbers: only values are compared. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === 'bigint' ? Number(value) : value;
}

test('msgpackr reads from every encoded vector the fields in the documented order', () => {
  const unpackr = new Unpackr({ useRecords: false });
  let compared = 0;
  for (const vector of vectors) {
    if (vector.frame === undefined || vector.decodeOnly) continue;
    const theirs = plain(unpackr.unpack(Buffer.from(vector.hex, 'hex')));
    assert.deepEqual(theirs, onTheWire(vector.frame as Named), vector.name);
    compared++;
  }
  assert.ok(compared >= 34);
});
