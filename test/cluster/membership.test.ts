// Owns the proof of what a beat says of itself, over stores that do not answer; and of whose silence counts from when.
// Invariant: hand-made answers; no clock but the test's.
// Must not: run whole clusters (cluster.test.ts, trouble.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { World } from '../../actors/world.js';
import { Membership } from '../../cluster/membership.js';
import { Observer } from '../../cluster/observer.js';
import { SPEECH } from '../../cluster/versions.js';
import { nodeKey } from '../../storage/cluster-keys.js';
import { decodeNode, encodeNode, NODE_STATE } from '../../storage/cluster-rows.js';
import { openMemory } from '../../storage/memory.js';
import type { Store } from '../../storage/store.js';
import { macOf } from './link-scene.js';

const WORLD: World = {
  now: () => 0,
  wall: () => 0,
  random: () => 0,
  randomBytes: (length) => new Uint8Array(length).fill(7),
  defer: (task) => void setImmediate(task),
  timer: () => assert.fail('nothing waits'),
};

test('a beat that was written by an earlier call renews nothing: another one is written', async () => {
  const memory = openMemory({ world: WORLD });
  let deaf = false;
  const store: Store = {
    engine: 'memory',
    durability: 'memory',
    get: (key) => (deaf ? Promise.reject(new Error('no answer')) : memory.get(key)),
    range: (query) => memory.range(query),
    commit: async (commit) => {
      const result = await memory.commit(commit);
      return deaf ? { outcome: 'unknown', reason: 'no answer' } : result;
    },
    watch: (key, changed) => memory.watch(key, changed),
    close: () => memory.close(),
  };
  const membership = new Membership(store, WORLD, macOf('secret'), {
    node: 'a',
    address: '',
    url: '',
    speech: SPEECH,
  });
  const stored = async (): Promise<number> => decodeNode((await memory.get(nodeKey('a')))!).beat;
  await membership.join();
  assert.equal(await membership.beat(), 'held');
  assert.equal(await stored(), 1);
  deaf = true;
  await assert.rejects(membership.beat());
  assert.equal(await stored(), 2);
  deaf = false;
  assert.equal(await membership.beat(), 'held');
  assert.equal(await stored(), 3, 'written by this call');
});

test('silence counts from when a row was seen as it is, also by a round that counts for nothing', () => {
  const observer = new Observer();
  const row = (beat: number) => ({
    key: nodeKey('b'),
    value: encodeNode({
      p99: null,
      ...{ incarnation: 1, beat, state: NODE_STATE.up, nonce: 5 },
      ...{ address: '', url: '', links: SPEECH.links, rows: 1 },
    }),
  });
  observer.see([row(1)], 0, 0, true);
  observer.see([row(1)], 300, 300, true);
  assert.equal(observer.silence('b'), 300);
  // A hint makes it look between two beats.
  observer.see([row(2)], 500, 500, false);
  assert.equal(observer.silence('b'), 0);
  observer.see([row(2)], 600, 600, true);
  assert.equal(observer.silence('b'), 100);
  observer.see([row(2)], 900, 900, true);
  assert.equal(observer.silence('b'), 400);
});
