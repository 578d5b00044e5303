// Owns the frames behind docs/wire-vectors.json, and writes that file: node dist/test/transport/vectors.js
// Invariant: every frame type has a vector with every field, and the forms at the edges have theirs.
// Must not: be trusted alone: vectors.test.ts decodes the file with another implementation of MessagePack.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { encodeClient, encodeServer } from '../../transport/codec.js';
import type { ClientFrame, ServerFrame } from '../../transport/frames.js';

/** Values as in the file: bytes are `{"bin": hex}`. */
export type Json = number | string | boolean | null | { readonly [name: string]: Json } | readonly Json[];

export interface Vector {
  readonly name: string;
  readonly direction: 'client' | 'server';
  /** Decodes to this; encodes to `hex` too unless `decodeOnly`. */
  readonly frame?: Json;
  readonly decodeOnly?: true;
  /** Instead of a frame: what a receiver makes of it. */
  readonly expect?: 'ignored' | 'bad_frame';
  readonly hex: string;
}

export const VECTORS_FILE = fileURLToPath(new URL('../../../docs/wire-vectors.json', import.meta.url));

const MAX = Number.MAX_SAFE_INTEGER;
const CHAT = bytes('c0ffee00112233445566778899aabbcc');
const CHAT2 = bytes('00000000000000000000000000000001');
const ID = bytes('0199aa55b0f27c3d8e4f5a6b7c8d9e0f');
const NOW = 1_760_000_000_000;
const HELLO_BODY = bytes('68656c6c6f');
const NONE = new Uint8Array(0);

function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

const client: readonly (readonly [string, ClientFrame])[] = [
  ['HELLO', { type: 1, version: 1, token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln', credit: 1_000, agent: 'example/1.0' }],
  ['HELLO of another version', { type: 1, version: 2, token: '', credit: 0, agent: '' }],
  ['SEND by alias', { type: 2, chat: 1, id: ID, body: HELLO_BODY }],
  ['SEND by id', { type: 2, chat: CHAT, id: ID, body: HELLO_BODY }],
  ['SEND with an empty body', { type: 2, chat: 127, id: ID, body: NONE }],
  ['SEND of 256 bytes', { type: 2, chat: 1_023, id: ID, body: new Uint8Array(256).fill(0xa5) }],
  ['ACK by alias', { type: 3, chat: 1, seq: 42 }],
  ['ACK by id, largest seq', { type: 3, chat: CHAT, seq: MAX }],
  ['READ', { type: 4, chat: 1, seq: 70_000 }],
  ['CREDIT', { type: 5, n: 65_535 }],
  ['SYNC without chats', { type: 6, entries: [], more: false, backfill: 0 }],
  [
    'SYNC of two chats',
    {
      type: 6,
      entries: [
        { chat: CHAT, seq: 128, read: 120, flags: 1 },
        { chat: CHAT2, seq: 0, read: 0, flags: 0 },
      ],
      more: true,
      backfill: 50,
    },
  ],
  ['DIRECT', { type: 7, r: 1, user: 'bob' }],
  ['DIRECT with a name beyond ASCII', { type: 7, r: 255, user: 'zoë-雪-🧵' }],
  ['CREATE', { type: 8, r: 2, id: ID, title: 'Weavers', users: ['bob', 'carol'] }],
  ['CHANGE add', { type: 9, r: 3, chat: 2, id: ID, op: 2, users: ['dave'], args: [] }],
  ['CHANGE leave', { type: 9, r: 4, chat: CHAT, id: ID, op: 4, users: [], args: [] }],
  ['HISTORY', { type: 10, r: 256, chat: 1, before: 65_536, limit: 100 }],
  ['LIST from the start', { type: 11, r: 5, after: null, limit: 500 }],
  ['LIST after a chat', { type: 11, r: 6, after: CHAT, limit: 1 }],
  ['INFO', { type: 12, r: 7, chat: 1 }],
  ['TYPING on', { type: 13, chat: 1, on: true }],
  ['TYPING off', { type: 13, chat: 1, on: false }],
  ['WATCH', { type: 14, chat: CHAT, on: true }],
  ['PING', { type: 15, n: 4_294_967_296 }],
  ['TOKEN', { type: 16, r: 8, token: 'a'.repeat(300) }],
  ['CHANGE role', { type: 9, r: 9, chat: 2, id: ID, op: 6, users: ['bob', 'carol'], args: [2] }],
  ['CHANGE title', { type: 9, r: 9, chat: 2, id: ID, op: 7, users: [], args: ['Spinners'] }],
  ['CHANGE delete', { type: 9, r: 9, chat: 2, id: ID, op: 14, users: [], args: [70_000] }],
  ['INVITE', { type: 17, r: 10, chat: 2 }],
  ['JOIN', { type: 18, r: 11, id: ID, invite: new Uint8Array(32).fill(7) }],
  ['RECEIPTS', { type: 19, r: 12, chat: 1, seq: 43 }],
  ['DEVICES', { type: 20, r: 13 }],
  ['DEVICE rename', { type: 21, r: 14, device: 'phone', op: 1, name: 'the old phone' }],
  ['DEVICE remove', { type: 21, r: 15, device: 'phone', op: 2, name: '' }],
  ['PROFILE', { type: 22, r: 16, user: 'bob', version: 3 }],
  [
    'DESCRIBE',
    {
      type: 23,
      r: 17,
      name: 'Alice',
      avatar: 'https://example.org/a.png',
      about: 'weaving',
      fields: [['city', 'Basel']],
    },
  ],
  ['PRIVACY set', { type: 24, r: 18, audience: 1 }],
  ['PRIVACY asked for', { type: 24, r: 19, audience: null }],
  ['BLOCK', { type: 25, r: 20, user: 'mallory', on: true }],
  ['BLOCKS', { type: 26, r: 21 }],
  ['MARK muted', { type: 27, r: 22, chat: 1, op: 1, value: 1_760_000_000_000, seqs: [] }],
  ['MARK hidden', { type: 27, r: 23, chat: CHAT, op: 6, value: 0, seqs: [3, 70_000] }],
  ['MARKS', { type: 28, r: 24, since: 17, limit: 500 }],
];

const server: readonly (readonly [string, ServerFrame])[] = [
  [
    'WELCOME',
    {
      type: 32,
      user: 'alice',
      device: 'phone',
      durability: 1,
      window: 64,
      maxBody: 65_536,
      time: 1_760_000_000_000,
      heartbeat: 30_000,
      expires: 1_760_003_600_000,
    },
  ],
  ['SENT', { type: 33, n: 1, seq: 43, durability: 1 }],
  ['SENT, largest', { type: 33, n: 65_535, seq: MAX, durability: 2 }],
  ['MESSAGE by aliases', { type: 34, chat: 1, from: 2, seq: 43, id: ID, lag: 17, body: HELLO_BODY }],
  ['MESSAGE by ids, lag -1', { type: 34, chat: CHAT, from: 'alice', seq: 1, id: ID, lag: -1, body: NONE }],
  ['MESSAGE, lag -33', { type: 34, chat: 1, from: 2, seq: 65_535, id: ID, lag: -33, body: NONE }],
  ['MESSAGE, lag -129', { type: 34, chat: 1, from: 2, seq: 65_536, id: ID, lag: -129, body: NONE }],
  ['MESSAGE, lag -32769', { type: 34, chat: 1, from: 2, seq: 4_294_967_295, id: ID, lag: -32_769, body: NONE }],
  ['MESSAGE, lowest lag', { type: 34, chat: 1, from: 2, seq: MAX, id: ID, lag: -MAX, body: NONE }],
  [
    'EVENT created',
    { type: 35, chat: 1, from: 'alice', seq: 1, id: ID, lag: 3, op: 1, args: ['Weavers', ['alice', 'bob', 'carol']] },
  ],
  ['EVENT left', { type: 35, chat: 1, from: 2, seq: 9, id: ID, lag: 0, op: 4, args: [] }],
  ['RECEIPT', { type: 36, chat: 1, user: 2, delivered: 43, read: 40 }],
  [
    'CERT',
    {
      type: 37,
      entries: [
        { chat: CHAT, head: 43, start: 41 },
        { chat: CHAT2, head: 7, start: 1, kind: 1, name: 'bob' },
      ],
    },
  ],
  ['SYNCED', { type: 38, chats: 2 }],
  ['CHAT direct', { type: 39, alias: 1, chat: CHAT, kind: 1, name: 'bob' }],
  ['CHAT group', { type: 39, alias: 128, chat: CHAT2, kind: 2, name: 'Weavers' }],
  ['USER', { type: 40, alias: 2, user: 'bob' }],
  ['OK without results', { type: 41, r: 9, results: [] }],
  ['OK of DIRECT', { type: 41, r: 1, results: [CHAT] }],
  [
    'OK of LIST',
    {
      type: 41,
      r: 5,
      results: [[[CHAT, 2, 'Weavers', 43, 43, 40, NOW, 3, NOW, 2, 0, 1, 'https://example.org/w.png']], 0],
    },
  ],
  ['OK of JOIN', { type: 41, r: 11, results: [CHAT, 12, 2] }],
  [
    'OK of RECEIPTS',
    {
      type: 41,
      r: 12,
      results: [
        2,
        1,
        [
          ['bob', 2],
          ['carol', 1],
          ['dave', 0],
        ],
        [['phone', 43]],
      ],
    },
  ],
  ['OK of DEVICES', { type: 41, r: 13, results: [[['phone', 'the old phone', NOW, NOW + 9, 1]]] }],
  ['OK of PROFILE', { type: 41, r: 16, results: [4, 'Bob', '', 'weaving', [['city', 'Basel']]] }],
  ['OK of PROFILE, unchanged', { type: 41, r: 16, results: [3] }],
  ['OK of MARKS', { type: 41, r: 24, results: [[[CHAT, 18, NOW, 2, 0, 1, 40, [41, 43]]], 0] }],
  [
    'OK of INFO',
    {
      type: 41,
      r: 7,
      results: [
        2,
        'Weavers',
        43,
        [
          ['alice', 3, 43, 43],
          ['bob', 1, 43, 40],
        ],
        'https://example.org/w.png',
        0,
        86_400,
        2,
        ['erin'],
      ],
    },
  ],
  ['OK with every kind of value', { type: 41, r: 10, results: [null, true, false, -1, '', NONE, [[]]] }],
  ['ERROR', { type: 42, r: 3, code: 'not_allowed', retry: false, after: 0, detail: 'only admins add members' }],
  ['ERROR about the connection', { type: 42, r: 0, code: 'bad_frame', retry: false, after: 0, detail: '' }],
  ['TYPING', { type: 43, chat: 1, user: 2, on: true }],
  ['PRESENCE', { type: 44, user: 2, online: false, lastSeen: 1_760_000_000_000, precision: 0 }],
  ['PRESENCE, unknown', { type: 44, user: 2, online: false, lastSeen: 0, precision: 4 }],
  ['PRESENCE, coarse', { type: 44, user: 'bob', online: true, lastSeen: 0, precision: 1 }],
  [
    'PAGE',
    {
      type: 45,
      r: 256,
      rows: [
        { type: 35, from: 'alice', seq: 1, id: ID, lag: 3, op: 1, args: ['Weavers', ['alice', 'bob', 'carol']] },
        { type: 34, from: 'bob', seq: 2, id: ID, lag: -250, body: HELLO_BODY },
      ],
      more: true,
    },
  ],
  ['RESYNC', { type: 46 }],
  ['GOAWAY', { type: 47, after: 5_000, reason: 'upgrade', target: '' }],
  ['GOAWAY with a target', { type: 47, after: 0, reason: 'drain', target: 'wss://node-2.chat.example/v1' }],
  ['PONG', { type: 48, n: 0 }],
  ['FAILED', { type: 49, n: 2, code: 'busy', retry: true, after: 200, detail: 'the chat is overloaded' }],
  ['EVENT erased', { type: 35, chat: 1, from: 2, seq: 42, id: ID, lag: 17, op: 15, args: [] }],
  ['EVENT deleted', { type: 35, chat: 1, from: 2, seq: 43, id: ID, lag: 17, op: 14, args: [42] }],
  ['EVENT expired', { type: 35, chat: 1, from: 2, seq: 46, id: ID, lag: 0, op: 16, args: [3, 45] }],
  ['EVENT role', { type: 35, chat: 1, from: 2, seq: 44, id: ID, lag: 17, op: 6, args: [['bob', 'carol'], 2] }],
  ['TALLY', { type: 50, chat: 1, delivered: 43, read: 40 }],
  ['COUNT', { type: 51, chat: 1, count: 812 }],
  ['PROFILED', { type: 52, user: 2, version: 4 }],
  [
    'MARKED',
    {
      type: 53,
      chat: CHAT,
      version: 18,
      muted: 1_760_000_000_000,
      pinned: 2,
      archived: false,
      unread: true,
      cleared: 40,
      hidden: [41, 43],
    },
  ],
  ['BLOCKED', { type: 54, user: 'mallory', on: true }],
];

type Rest = Omit<Vector, 'name' | 'direction'>;
const ACK_42 = { type: 3, chat: 1, seq: 42 } as const;
const bad: Rest['expect'] = 'bad_frame';
const ignored: Rest['expect'] = 'ignored';
const id = Buffer.from(ID).toString('hex');

/** Bytes that an encoder does not make but a decoder meets. */
const byHand: readonly (readonly [string, 'client' | 'server', Rest])[] = [
  [
    'HELLO without agent',
    'client',
    { frame: { type: 1, version: 1, token: 't', credit: 9, agent: '' }, decodeOnly: true, hex: '940101a17409' },
  ],
  [
    'HELLO of version 2 with other fields',
    'client',
    { frame: { type: 1, version: 2, token: '', credit: 0, agent: '' }, decodeOnly: true, hex: '930102c0' },
  ],
  [
    'SYNC without backfill, entries without read and flags',
    'client',
    {
      frame: {
        type: 6,
        entries: [{ chat: { bin: '00'.repeat(16) }, seq: 5, read: 0, flags: 0 }],
        more: false,
        backfill: 0,
      },
      decodeOnly: true,
      hex: `93069192c410${'00'.repeat(16)}0500`,
    },
  ],
  ['ACK with two unknown fields', 'client', { frame: ACK_42, decodeOnly: true, hex: '9503012a91c0c3' }],
  ['ACK, array of the longest form', 'client', { frame: ACK_42, decodeOnly: true, hex: 'dd0000000303012a' }],
  [
    'ACK, integers of longer forms',
    'client',
    { frame: ACK_42, decodeOnly: true, hex: '93cc03ce00000001cf000000000000002a' },
  ],
  ['ACK, signed formats', 'client', { frame: ACK_42, decodeOnly: true, hex: '93d003d10001d3000000000000002a' }],
  [
    'SEND, bytes of the longest form',
    'client',
    {
      frame: { type: 2, chat: 1, id: { bin: id }, body: { bin: 'ff' } },
      decodeOnly: true,
      hex: `940201c50010${id}c600000001ff`,
    },
  ],
  [
    'DIRECT, text of the longest form',
    'client',
    { frame: { type: 7, r: 1, user: 'bob' }, decodeOnly: true, hex: '930701db00000003626f62' },
  ],
  [
    'GOAWAY without target',
    'server',
    { frame: { type: 47, after: 1, reason: 'r', target: '' }, decodeOnly: true, hex: '932f01a172' },
  ],
  [
    'CERT with an unknown field in an entry',
    'server',
    {
      frame: { type: 37, entries: [{ chat: { bin: '00'.repeat(16) }, head: 1, start: 2, kind: 2, name: 'n' }] },
      decodeOnly: true,
      hex: `92259196c410${'00'.repeat(16)}010202a16e07`,
    },
  ],
  [
    'PAGE with a row of unknown type',
    'server',
    { frame: { type: 45, r: 1, rows: [], more: false }, decodeOnly: true, hex: '942d01919324a1610100' },
  ],
  ['type unknown to a server', 'client', { expect: ignored, hex: '921fa0' }],
  ['type unknown to a server, arrays nested 4 deep', 'client', { expect: ignored, hex: '921f919190' }],
  ['type unknown to a client', 'server', { expect: ignored, hex: '91cd0400' }],
  ['no bytes', 'client', { expect: bad, hex: '' }],
  ['empty array', 'client', { expect: bad, hex: '90' }],
  ['empty array, and an unknown type behind it', 'client', { expect: bad, hex: '901f' }],
  ['PAGE with a row of nothing, and an unknown type behind it', 'server', { expect: bad, hex: '942d01919063' }],
  ['not an array', 'client', { expect: bad, hex: '01' }],
  ['map', 'client', { expect: bad, hex: '810102' }],
  ['type is text', 'client', { expect: bad, hex: '91a141' }],
  ['negative type', 'client', { expect: bad, hex: '91ff' }],
  ['array32 that claims 4294967295 elements', 'client', { expect: bad, hex: 'ddffffffff' }],
  ['bytes that claim 4 GiB', 'client', { expect: bad, hex: `940201c410${id}c6ffffffff` }],
  ['ACK without seq', 'client', { expect: bad, hex: '920301' }],
  ['ACK cut short', 'client', { expect: bad, hex: '930301ce0000' }],
  ['ACK and a byte more', 'client', { expect: bad, hex: '9303012a00' }],
  ['ACK with a negative seq', 'client', { expect: bad, hex: '930301ff' }],
  ['ACK with a seq of 2^53', 'client', { expect: bad, hex: '930301cf0020000000000000' }],
  ['ACK with a float', 'client', { expect: bad, hex: '930301cb4045000000000000' }],
  ['ACK with a chat of 15 bytes', 'client', { expect: bad, hex: `9303c40f${'00'.repeat(15)}01` }],
  ['SEND with an id of 17 bytes', 'client', { expect: bad, hex: `940201c411${'00'.repeat(17)}c400` }],
  ['SEND with text for a body', 'client', { expect: bad, hex: `940201c410${id}a0` }],
  ['TYPING with a flag of 2', 'client', { expect: bad, hex: '930d0102' }],
  ['TYPING with a boolean for a flag', 'client', { expect: bad, hex: '930d01c3' }],
  ['INFO with request number 0', 'client', { expect: bad, hex: '930c0001' }],
  ['DIRECT with a lone continuation byte', 'client', { expect: bad, hex: '930701a180' }],
  ['DIRECT with an overlong form of "/"', 'client', { expect: bad, hex: '930701a2c0af' }],
  ['DIRECT with a surrogate', 'client', { expect: bad, hex: '930701a3eda080' }],
  ['unknown field of an extension type', 'client', { expect: bad, hex: '9403012ad40100' }],
  ['unknown field that is a float', 'client', { expect: bad, hex: '9403012aca00000000' }],
  ['the byte c1', 'client', { expect: bad, hex: '9403012ac1' }],
  ['arrays nested 5 deep', 'client', { expect: bad, hex: '921f91919190' }],
];

function toJson(value: unknown): Json {
  if (value instanceof Uint8Array) return { bin: Buffer.from(value).toString('hex') };
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, toJson(field)]));
  }
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  return null;
}

/** The same value with bytes as bytes. */
export function fromJson(value: Json): unknown {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]![0] === 'bin') return bytes(String(entries[0]![1]));
  return Object.fromEntries(entries.map(([name, field]) => [name, fromJson(field)]));
}

export function makeVectors(): Vector[] {
  const hex = (encoded: Uint8Array): string => Buffer.from(encoded).toString('hex');
  return [
    ...client.map(
      ([name, frame]): Vector => ({ name, direction: 'client', frame: toJson(frame), hex: hex(encodeClient(frame)) }),
    ),
    ...server.map(
      ([name, frame]): Vector => ({ name, direction: 'server', frame: toJson(frame), hex: hex(encodeServer(frame)) }),
    ),
    ...byHand.map(([name, direction, rest]): Vector => ({ name, direction, ...rest })),
  ];
}

export function fileText(vectors: readonly Vector[]): string {
  return `[\n${vectors.map((vector) => `  ${JSON.stringify(vector)}`).join(',\n')}\n]\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(VECTORS_FILE, fileText(makeVectors()));
