// Owns the tests of a page of history, a list of chats and certificates that are read while their user leaves.
// Invariant: what changes between two reads is the test's.
// Must not: repeat visibility.test.ts, or what test/e2e shows of HISTORY.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCertificates } from '../../actors/certificate.js';
import { readHistory } from '../../actors/history.js';
import { type Listed, readList } from '../../actors/list.js';
import { Vector } from '../../actors/vector.js';
import { inboxKey, messageKey } from '../../storage/keys.js';
import { openMemory } from '../../storage/memory.js';
import { encodeInbox, type Span } from '../../storage/rows.js';
import type { Store } from '../../storage/store.js';
import type { Plain } from '../../transport/frames.js';
import { encodeMessageRow } from '../../transport/row.js';
import { ManualWorld } from './manual-world.js';

const GROUP = Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? 2 : 7));

function inboxRow(spans: Span[]) {
  const inbox = {
    kind: 2,
    large: false,
    hot: true,
    wrote: false,
    name: 'g',
    head: 1,
    at: 0,
    delivered: 0,
    read: 0,
    devices: [],
  };
  return { key: inboxKey('ada', GROUP), value: encodeInbox({ ...inbox, spans }) };
}

const entry = (seq: number) => ({
  key: messageKey(GROUP, seq),
  value: encodeMessageRow('bob', new Uint8Array(16), 0, new Uint8Array(1)),
});

type Write = (...writes: { key: Uint8Array; value: Uint8Array }[]) => Promise<void>;

/** Ada's group with two entries, in a store whose reads the test may change. */
async function scenery(): Promise<{ memory: Store; store: Store; write: Write }> {
  const world = new ManualWorld();
  const memory = openMemory({ world });
  const write: Write = async (...writes) => {
    const done = memory.commit({ checks: [], writes });
    for (let turn = 0; turn < 4; turn += 1) {
      await Promise.resolve();
      world.settle();
    }
    await done;
  };
  await write(inboxRow([{ from: 1, until: 0 }]), entry(1), entry(2));
  return { memory, write, store: { ...memory, get: memory.get.bind(memory), range: memory.range.bind(memory) } };
}

test('what came after the user left is not shown, though it was there when the log was read', async () => {
  const { memory, store, write } = await scenery();
  const first = await readHistory(store, 'ada', GROUP, 0, 100);
  assert.deepEqual('rows' in first && first.rows.map(({ seq }) => seq), [1, 2]);
  // Between the row and the log ada leaves with 3, and bob writes 4.
  store.range = async (query) => {
    await write(inboxRow([{ from: 1, until: 3 }]), entry(3), entry(4));
    return memory.range(query);
  };
  const second = await readHistory(store, 'ada', GROUP, 0, 100);
  assert.deepEqual('rows' in second && second.rows.map(({ seq }) => seq), [1, 2, 3]);
});

test('LIST does not tell of it either', async () => {
  const { memory, store, write } = await scenery();
  const newest = ({ results: [chats] }: Listed) =>
    (chats as Plain[][]).map(([, , , head, , , , unread]) => [head, unread]);
  assert.deepEqual(newest(await readList(store, 'ada', null, 100)), [[2, 2]]);
  let reads = 0;
  store.range = async (query) => {
    reads += 1;
    // Between her row and the log's newest.
    if (reads === 3) await write(inboxRow([{ from: 1, until: 3 }]), entry(3), entry(4));
    return memory.range(query);
  };
  assert.deepEqual(newest(await readList(store, 'ada', null, 100)), [[3, 3]]);
});

test('LIST reads a log once where the newest entry is all that is unread', async () => {
  const { memory, store, write } = await scenery();
  let looks = 0;
  store.range = (query) => {
    if (query.start[0] === messageKey(GROUP, 1)[0]) looks += 1;
    return memory.range(query);
  };
  const unread = async (from: number): Promise<unknown> => {
    looks = 0;
    await write(inboxRow([{ from, until: 0 }]));
    const { results } = await readList(store, 'ada', null, 100);
    return (results[0] as Plain[][])[0]![7];
  };
  assert.deepEqual([await unread(2), looks], [1, 1]);
  assert.deepEqual([await unread(1), looks], [2, 2]);
  assert.deepEqual([await unread(3), looks], [0, 1]);
});

test('nor does a certificate', async () => {
  const { memory, store, write } = await scenery();
  const ends = async (): Promise<unknown[]> => {
    const { certificates } = await readCertificates(store, 'ada', '1', new Vector(1), 0);
    return certificates.map(({ head, start }) => [head, start]);
  };
  assert.deepEqual(await ends(), [[2, 1]]);
  let reads = 0;
  store.range = async (query) => {
    reads += 1;
    if (reads === 3) await write(inboxRow([{ from: 1, until: 3 }]), entry(3), entry(4));
    return memory.range(query);
  };
  assert.deepEqual(await ends(), [[3, 1]]);
});
