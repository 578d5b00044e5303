// Owns the bytes of the rows by which nodes share a store: grants, node rows, the view, the charter.
// Invariant: each starts with what it always started with and only gains trailing bytes; no two lives of a node ever write the same
// node row (its nonce is random), and no two processes ever hold the same grant (its epoch rises with each).
// Must not: read or write a store, or know what a lease is.
//
//   grant   epoch·6, node id
//   view    version·1, number·6
//   charter version·1, nonce·16, proof·32
//
//   node    0     1             7      13      14      20
//          +-----+-------------+------+-------+-------+-----------+---------+-------+-------+-------+---
//          | ver | incarnation·6| beat·6| state | nonce·6| len·2 link| len·2 url| high·2| rows·2 | p99·4 | low·2 | …
//          +-----+-------------+------+-------+-------+-----------+---------+-------+-------+-------+-------+---

import { assert, assertRow } from '../actors/errors.js';
import type { Versions } from './format.js';
import { getNumber, NUMBER_BYTES, putNumber } from './keys.js';
import { textIn } from './row-reader.js';

const VERSION = 1;

export interface Grant {
  readonly epoch: number;
  readonly node: string;
}

export function encodeGrant({ epoch, node }: Grant): Uint8Array {
  const name = Buffer.from(node, 'utf8');
  const row = new Uint8Array(NUMBER_BYTES + name.length);
  putNumber(row, 0, epoch);
  row.set(name, NUMBER_BYTES);
  return row;
}

export function decodeGrant(row: Uint8Array): Grant {
  return { epoch: getNumber(row, 0), node: textIn(bufferOf(row), NUMBER_BYTES, row.length) };
}

export function encodeView(number: number): Uint8Array {
  const row = new Uint8Array(1 + NUMBER_BYTES);
  row[0] = VERSION;
  putNumber(row, 1, number);
  return row;
}

/** `undefined`: no node ever joined. */
export function decodeView(row: Uint8Array | undefined): number {
  if (row === undefined) return 0;
  assertRow(row.length > 0 && row[0]! >= VERSION, 'no view of a known version');
  return getNumber(row, 1);
}

const CHARTER_NONCE = 16;
const CHARTER_BYTES = 1 + CHARTER_NONCE + 32;

/** HMAC-SHA256 of the nonce under the cluster's secret (cluster/charter.ts). */
export interface CharterRow {
  readonly nonce: Uint8Array;
  readonly proof: Uint8Array;
}

export function encodeCharter({ nonce, proof }: CharterRow): Uint8Array {
  const row = Uint8Array.of(VERSION, ...nonce, ...proof);
  assert(row.length === CHARTER_BYTES, 'charter row size');
  return row;
}

export function decodeCharter(row: Uint8Array): CharterRow {
  assertRow(row.length >= CHARTER_BYTES && row[0]! >= VERSION, 'no charter of a known version');
  return { nonce: row.subarray(1, 1 + CHARTER_NONCE), proof: row.subarray(1 + CHARTER_NONCE, CHARTER_BYTES) };
}

/** `drained`: it has no shards and no clients any more. */
export const NODE_STATE = { up: 1, draining: 2, drained: 3 } as const;

export interface NodeRow {
  /** Number of the view that it joined with: no other life of any node has it. */
  readonly incarnation: number;
  readonly beat: number;
  /** NODE_STATE; others may follow, and count as draining. */
  readonly state: number;
  /** Tells two processes apart that join under one name at the same moment. */
  readonly nonce: number;
  /** Where other nodes reach it. */
  readonly address: string;
  /** Where clients reach it; '' the same place for all. */
  readonly url: string;
  /** Versions of the link protocol that it speaks. */
  readonly links: Versions;
  /** Highest version of stored rows that it knows. */
  readonly rows: number;
  /** ms that the slowest hundredth of its clients' sends took of late; null: there were none to speak of, or it does not say. */
  readonly p99: number | null;
}

/** Of the p99 in a row: a hundredth of a ms. */
const P99_UNIT = 100;
const NO_P99 = 0xffff_ffff;
/** The lowest version that builds speak which do not say it. */
const FIRST_LINKS = 1;

export function encodeNode(node: NodeRow): Uint8Array {
  const texts = [node.address, node.url].map((text) => Buffer.from(text, 'utf8'));
  const row = Buffer.alloc(20 + texts.reduce((sum, text) => sum + 2 + text.length, 0) + 10);
  row[0] = VERSION;
  putNumber(row, 1, node.incarnation);
  putNumber(row, 7, node.beat);
  row[13] = node.state;
  putNumber(row, 14, node.nonce);
  let at = 20;
  for (const text of texts) {
    at = row.writeUInt16BE(text.length, at);
    at += text.copy(row, at);
  }
  at = row.writeUInt16BE(node.rows, row.writeUInt16BE(node.links.high, at));
  const p99 = node.p99 === null ? NO_P99 : Math.min(NO_P99 - 1, Math.round(node.p99 * P99_UNIT));
  at = row.writeUInt16BE(node.links.low, row.writeUInt32BE(p99, at));
  assert(at === row.length, 'node row size');
  return row;
}

export function decodeNode(bytes: Uint8Array): NodeRow {
  const row = bufferOf(bytes);
  assertRow(row.length >= 20 && row[0]! >= VERSION, 'no node row of a known version');
  let at = 20;
  const text = (): string => {
    const start = at + 2;
    assertRow(start <= row.length, 'node row cut short');
    at = start + row.readUInt16BE(start - 2);
    return textIn(row, start, at);
  };
  const [address, url] = [text(), text()];
  assertRow(at + 4 <= row.length, 'node row cut short');
  const p99 = at + 8 <= row.length ? row.readUInt32BE(at + 4) : NO_P99;
  const low = at + 10 <= row.length ? row.readUInt16BE(at + 8) : FIRST_LINKS;
  return {
    incarnation: getNumber(row, 1),
    beat: getNumber(row, 7),
    state: row[13]!,
    nonce: getNumber(row, 14),
    address,
    url,
    links: { low, high: row.readUInt16BE(at) },
    rows: row.readUInt16BE(at + 2),
    p99: p99 === NO_P99 ? null : p99 / P99_UNIT,
  };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
