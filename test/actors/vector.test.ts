// Owns the checks of what a client says of its chats, packed: against a Map, at its limits, under ids made to collide.
// Invariant: drawn by a seed that a failure prints.
// Must not: measure.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Vector } from '../../actors/vector.js';
import type { SyncEntry } from '../../transport/frames.js';
import { SyncList } from '../../transport/sync-list.js';

const CHATS = 20_000;

/** Ids that differ in few bits, so that many of them are neighbours. */
function idOf(n: number): Uint8Array {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32((n % 4) * 4, n);
  return id;
}

function hex(id: Uint8Array): string {
  return Buffer.from(id).toString('hex');
}

test('a vector is what a Map would be: the later entry of a chat counts, what is not listed is not found', () => {
  for (const seed of [0, 1, -1, 0x7fffffff]) {
    const vector = new Vector(seed);
    const model = new Map<string, SyncEntry>();
    for (let part = 0; part < 40; part += 1) {
      const entries = Array.from({ length: part * 7 }, (_, at) => {
        const n = (part * 31 + at * 17) % 1_500;
        return { chat: idOf(n), seq: part * 1_000 + at, read: at, flags: n % 2 };
      });
      // Half of them as they are read from a frame, half as a list.
      vector.add(part % 2 === 0 ? SyncList.of(entries) : entries);
      for (const entry of entries) model.set(hex(entry.chat), entry);
      assert.equal(vector.size, model.size);
    }
    for (let n = 0; n < 2_000; n += 1) {
      const place = vector.find(idOf(n));
      assert.deepEqual(place < 0 ? undefined : vector.at(place), model.get(hex(idOf(n))), `chat ${n}, seed ${seed}`);
    }
  }
});

test('places stay while a vector grows to all the chats that there may be', () => {
  const vector = new Vector(12_345);
  const places = new Map<number, number>();
  for (let n = 0; n < CHATS; n += 1) {
    vector.add([{ chat: idOf(n), seq: 2 ** 53 - 1 - n, read: n, flags: 1 }]);
    if (n % 97 === 0) places.set(n, vector.find(idOf(n)));
  }
  assert.equal(vector.size, CHATS);
  for (const [n, place] of places) {
    assert.equal(vector.find(idOf(n)), place);
    assert.equal(vector.at(place).seq, 2 ** 53 - 1 - n);
  }
});

test('an id that is read from a vector is a copy', () => {
  const vector = new Vector(1);
  vector.add([{ chat: idOf(7), seq: 1, read: 0, flags: 0 }]);
  vector.at(0).chat.fill(255);
  assert.equal(vector.find(idOf(7)), 0);
});
