// Owns the tests of what messages between actors look like on a link: every type there and back, and what newer builds may add.
// Invariant: a type of message without a sample here does not compile.
// Must not: know routes (router.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { idText } from '../../actors/message-id.js';
import type { ChatInfo, ChatMessage, ConnectionMessage, ConnectionRef, UserMessage } from '../../actors/messages.js';
import { chatCodec } from '../../cluster/chat-codec.js';
import { connectionCodec } from '../../cluster/connection-codec.js';
import { Infos } from '../../cluster/infos.js';
import { DEPTH, MessageCodec, type Refs, writeInfo } from '../../cluster/message-codec.js';
import { userCodec } from '../../cluster/user-codec.js';
import { chatKey } from '../../storage/keys.js';
import { Reader } from '../../transport/reader.js';
import { Writer } from '../../transport/writer.js';

type Samples<U extends { readonly type: string }> = {
  readonly [T in U['type']]: readonly Extract<U, { readonly type: unknown }>[] | null;
};

const ref = (incarnation: number): ConnectionRef => ({
  kind: 'connection',
  key: `c${incarnation}`,
  incarnation,
  alive: true,
  tell: () => 'ok',
});
const [own, other] = [ref(7), ref(70_000)];
const refs: Refs = {
  write: (writer, { incarnation }) => void writer.int(incarnation),
  read: (reader) => (reader.int() === 7 ? own : other),
  infos: new Infos(),
};

const id = new Uint8Array(16).fill(200);
const chat = new Uint8Array(16).fill(1);
const direct: ChatInfo = { chat, key: chatKey(chat), kind: 1, pair: ['ada', 'Bärbel ☂'], title: '' };
const group: ChatInfo = { chat, key: chatKey(chat), kind: 2, pair: null, title: 'x'.repeat(300) };
const asker = { user: 'ada', connection: own, r: 2 ** 40 };
const row = new Uint8Array(70_000).fill(3);
const none = new Uint8Array(0);

const send = { type: 'send', user: 'ada', connection: own, n: 65_535, id, idText: idText(id) } as const;
const entry = { from: 'ada', row, origin: null };
const delivery = { type: 'delivery', info: direct, seq: 2 ** 47, entries: [entry], joined: [] } as const;
const receipt = { type: 'receipt', info: group, user: 'ada', device: '', delivered: 9, read: 0 } as const;
const tally = { type: 'tally', info: group, delivered: 3, read: 2 } as const;
const typing = { type: 'typing', info: direct, user: 'ada', on: true } as const;
const profiled = { type: 'profiled', user: 'ada', version: 3 } as const;
const news = {
  delivery: [
    delivery,
    { ...delivery, info: group, entries: [{ ...entry, row: none, origin: other }], joined: ['ada', 'eve'] },
    { ...delivery, entries: [entry, { from: 'eve', row: none, origin: own }, { ...entry, origin: other }] },
    { ...delivery, again: true },
  ],
  receipt: [receipt, { ...receipt, device: 'phone' }],
  tally: [tally],
  typing: [typing, { ...typing, on: false }],
  profiled: [profiled],
} as const;

const CHAT: Samples<ChatMessage> = {
  send: [
    { ...send, after: null, body: none, pair: null },
    { ...send, after: idText(id), body: row, pair: ['ada', 'bob'] },
  ],
  cursor: [{ type: 'cursor', user: 'ada', device: 'phone', delivered: 2 ** 33, read: 0 }],
  blocked: [{ type: 'blocked', user: 'ada', on: true }],
  forget: [{ type: 'forget', user: 'ada', device: 'phone' }],
  typing: [{ type: 'typing', user: 'ada', connection: other, on: false }],
  watch: [{ type: 'watch', user: 'ada', connection: own, on: true }],
  receipts: [{ type: 'receipts', user: 'ada', connection: own }],
  info: [{ type: 'info', asker }],
  invite: [{ type: 'invite', asker }],
  sweep: null,
  recover: null,
  positions: [{ type: 'positions', asker, seq: 5 }],
  create: [{ type: 'create', asker, id, title: 'A group', users: ['bob', 'eve'] }],
  change: [
    { type: 'change', asker, id, op: 3, users: [], args: [] },
    { type: 'change', asker, id, op: 3, users: ['bob'], args: [1, 'two', null, true, id, [-5, ['deep']]] },
  ],
  join: [{ type: 'join', asker, id, secret: id }],
};

const USER: Samples<UserMessage> = {
  ...news,
  register: [{ type: 'register', device: 'phone', issued: 1.7e12, connection: own, round: 2, since: 0, late: false }],
  request: [
    { type: 'request', asker, frame: { type: 20, r: 1 } },
    { type: 'request', asker, frame: { type: 21, r: 1, op: 1, device: 'phone', name: 'new' } },
    { type: 'request', asker, frame: { type: 23, r: 1, name: 'Ada', avatar: '', about: 'hi', fields: [['a', 'b']] } },
    { type: 'request', asker, frame: { type: 24, r: 1, audience: null } },
    { type: 'request', asker, frame: { type: 25, r: 1, user: 'bob', on: true } },
    { type: 'request', asker, frame: { type: 27, r: 1, chat, op: 1, value: 3, seqs: [4] } },
  ],
  blocked: [{ type: 'blocked', user: 'ada', on: false }],
  pass: [
    { type: 'pass', connection: other, news: receipt },
    { type: 'pass', connection: own, news: tally },
  ],
  resync: [{ type: 'resync' }],
  watched: [{ type: 'watched', connection: own, watcher: 'bob', chat: chatKey(chat), contact: true }],
  unwatched: [{ type: 'unwatched', connection: other, chat: chatKey(chat) }],
  parted: [{ type: 'parted', chat: group.key, user: 'bob' }],
  contact: [{ type: 'contact', chat: chatKey(chat) }],
};

const CONNECTION: Samples<ConnectionMessage> = {
  ...news,
  sent: [
    { type: 'sent', n: 1, seq: 2, members: 3, count: 1 },
    { type: 'sent', n: 65_534, seq: 2, members: 3, count: 64 },
  ],
  failed: [
    { type: 'failed', n: 1, code: 'busy', detail: 'later' },
    { type: 'failed', n: 1, code: 'rate_limited', detail: '', after: 20 },
  ],
  answer: [
    { type: 'answer', r: 1, results: [] },
    { type: 'answer', r: 1, results: [[['ada', 1, [2]]], id, null, false], members: 7 },
  ],
  refused: [{ type: 'refused', r: 9, code: 'not_allowed', detail: 'no' }],
  registered: [
    { type: 'registered', round: 1, registration: null },
    { type: 'registered', round: 1, registration: { code: 'device_removed', detail: 'gone' } },
  ],
  replaced: [{ type: 'replaced' }],
  removed: [{ type: 'removed' }],
  resync: [{ type: 'resync' }],
  marked: [
    {
      type: 'marked',
      chat,
      marks: { version: 4, muted: 1.8e12, pinned: 2, archived: true, unread: false, cleared: 7, hidden: [9, 12] },
    },
  ],
  blocked: [{ type: 'blocked', user: 'eve', on: true }],
  presence: [{ type: 'presence', user: 'eve', online: true, lastSeen: 1.7e12, precision: 2 }],
  count: [{ type: 'count', info: group, count: 512 }],
  unpassed: [{ type: 'unpassed', key: group.key, large: true }],
  unviewed: [{ type: 'unviewed', user: 'bob' }],
  rewatch: [{ type: 'rewatch', chat: group.key }],
  frame: null,
  raw: null,
  violation: null,
  drained: null,
  goaway: null,
};

function roundTrip<U extends { readonly type: string }>(name: string, codec: MessageCodec<U>, samples: Samples<U>) {
  test(`every message to a ${name} crosses as it is, or not at all`, () => {
    const tags = new Map<number, string>();
    for (const [type, some] of Object.entries(samples) as [string, readonly U[] | null][]) {
      assert.equal(codec.crosses({ type } as U), some !== null, type);
      for (const message of some ?? []) {
        const writer = new Writer();
        codec.write(message, writer, refs);
        const reader = new Reader();
        reader.open(writer.view(), DEPTH);
        const read = codec.read(reader, refs);
        assert.equal(reader.fault, '', type);
        assert.ok(reader.close(), type);
        assert.deepEqual(read, message);
        const tag = writer.view()[1]!;
        assert.ok((tags.get(tag) ?? type) === type, `${type} has a tag of its own`);
        tags.set(tag, type);
      }
    }
  });
}

roundTrip('chat', chatCodec, CHAT);
roundTrip('user', userCodec, USER);
roundTrip('connection', connectionCodec, CONNECTION);

test('fields and types of a newer build are passed over, missing ones are a fault, a code that is not known is one to retry', () => {
  const writer = new Writer();
  writer
    .array(7)
    .int(10)
    .int(1)
    .int(2)
    .int(3)
    .int(4)
    .str('new')
    .plains([[1, [2]], null]);
  writer
    .array(3)
    .int(99)
    .plains([['x']])
    .nil();
  writer.array(3).int(11).int(4).array(4).str('newer_code').str('why').nil().str('more');
  const reader = new Reader();
  reader.open(writer.view(), DEPTH);
  assert.deepEqual(connectionCodec.read(reader, refs), { type: 'sent', n: 1, seq: 2, members: 3, count: 4 });
  assert.equal(connectionCodec.read(reader, refs), null);
  const failed = connectionCodec.read(reader, refs);
  assert.deepEqual(failed, { type: 'failed', n: 4, code: 'unavailable', detail: 'why' });
  assert.ok(reader.close());
  writer.reset().array(3).int(10).int(1).int(2);
  reader.open(writer.view(), DEPTH);
  assert.equal(connectionCodec.read(reader, refs), null);
  assert.notEqual(reader.fault, '');
});

test('what the first build tells has one entry, and stands for one SEND; what cannot be is a fault', () => {
  const reader = new Reader();
  const writer = new Writer().array(8).int(1);
  writeInfo(direct, writer);
  writer.str('ada').int(7).bin(row).nil().array(0).flag(false);
  reader.open(writer.view(), DEPTH);
  assert.deepEqual(userCodec.read(reader, refs), { ...delivery, seq: 7 });
  writer.reset().array(4).int(10).int(1).int(2).int(3);
  reader.open(writer.view(), DEPTH);
  assert.deepEqual(connectionCodec.read(reader, refs), { type: 'sent', n: 1, seq: 2, members: 3, count: 1 });
  for (const count of [0, LIMITS.window + 1]) {
    writer.reset();
    connectionCodec.write({ type: 'sent', n: 1, seq: 2, members: 3, count }, writer, refs);
    reader.open(writer.view(), DEPTH);
    assert.equal(connectionCodec.read(reader, refs), null);
    assert.match(reader.fault, /SEND/);
  }
  for (const [seq, length] of [
    [1, LIMITS.runEntries + 1],
    [Number.MAX_SAFE_INTEGER, 2],
  ] as const) {
    writer.reset();
    userCodec.write({ ...delivery, seq, entries: Array.from({ length }, () => entry) }, writer, refs);
    reader.open(writer.view(), DEPTH);
    assert.equal(userCodec.read(reader, refs), null);
    assert.match(reader.fault, /entries/);
  }
});

test('a field that came later is absent in what an earlier build wrote', () => {
  type Said = { readonly type: 'said'; readonly word: string; readonly loud: boolean };
  const said = (fields: number): MessageCodec<Said> =>
    new MessageCodec<Said>({
      said: {
        tag: 1,
        fields,
        least: 1,
        write: ({ word, loud }, w) => void (fields > 1 ? w.str(word).flag(loud) : w.str(word)),
        read: (r, _, count) => ({ type: 'said', word: r.str(), loud: fields > 1 && count > 1 && r.flag() }),
      },
    });
  const crossing = (from: MessageCodec<Said>, to: MessageCodec<Said>): Said | null => {
    const writer = new Writer();
    from.write({ type: 'said', word: 'x', loud: true }, writer, refs);
    const reader = new Reader();
    reader.open(writer.view(), DEPTH);
    const read = to.read(reader, refs);
    assert.ok(reader.close());
    return read;
  };
  const [before, after] = [said(1), said(2)];
  assert.equal(crossing(before, after)?.loud, false);
  assert.equal(crossing(after, before)?.loud, false);
  assert.equal(crossing(after, after)?.loud, true);
});
