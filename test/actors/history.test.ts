// Owns the tests of a page of history that is read while its user leaves.
// Invariant: what changes between two reads is the test's.
// Must not: repeat visibility.test.ts, or what test/e2e shows of HISTORY.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readHistory } from '../../actors/history.js';
import { inboxKey, messageKey } from '../../storage/keys.js';
import { openMemory } from '../../storage/memory.js';
import { encodeInbox, type Span } from '../../storage/rows.js';
import type { Store } from '../../storage/store.js';
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

test('what came after the user left is not shown, though it was there when the log was read', async () => {
  const world = new ManualWorld();
  const memory = openMemory({ world });
  const write = async (...writes: { key: Uint8Array; value: Uint8Array }[]): Promise<void> => {
    const done = memory.commit({ checks: [], writes });
    for (let turn = 0; turn < 4; turn += 1) {
      await Promise.resolve();
      world.settle();
    }
    await done;
  };
  await write(inboxRow([{ from: 1, until: 0 }]), entry(1), entry(2));
  const store: Store = { ...memory, get: memory.get.bind(memory), range: memory.range.bind(memory) };
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
