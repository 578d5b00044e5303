// Owns the tests of a log whose shards come and go, and whose node has a lease.
// Invariant: manual clock, memory store; grants are written by the test.
// Must not: repeat what holds for every log (log.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Append } from '../../storage/append.js';
import { dirtyKey, grantKey } from '../../storage/cluster-keys.js';
import { encodeGrant } from '../../storage/cluster-rows.js';
import { messageKey } from '../../storage/keys.js';
import { Log } from '../../storage/log.js';
import { openMemory } from '../../storage/memory.js';
import { decodeDirty } from '../../storage/rows.js';
import { AT_ONCE, Untold } from '../../storage/untold.js';
import { ManualWorld } from '../actors/manual-world.js';

const SHARD = 3;
const CHAT = new Uint8Array(16).fill(1);

class Scene {
  readonly world = new ManualWorld();
  readonly store = openMemory({ world: this.world });
  readonly lost: number[] = [];
  readonly answers: string[] = [];
  lapsed = false;
  readonly log = new Log({
    store: this.store,
    world: this.world,
    lapsed: () => this.lapsed,
    onLost: (shard) => this.lost.push(shard),
  });

  /** Writes the grant, as whoever it names. */
  async grant(epoch: number, node = 'n1'): Promise<Uint8Array> {
    const grant = encodeGrant({ epoch, node });
    const written = this.store.commit({ checks: [], writes: [{ key: grantKey(SHARD), value: grant }] });
    await this.settle();
    assert.equal((await written).outcome, 'committed');
    return grant;
  }

  async take(epoch: number): Promise<void> {
    this.log.take(SHARD, await this.grant(epoch), new Untold(AT_ONCE, [], null));
  }

  append(seq: number): string {
    const write = { key: messageKey(CHAT, seq), value: new Uint8Array(10).fill(seq) };
    const telling = { done: true };
    const append: Append = {
      chat: CHAT,
      shard: SHARD,
      head: seq,
      writes: [write],
      bytes: 100,
      witness: write,
      telling,
      done: ({ outcome }) => void this.answers.push(`${seq} ${outcome}`),
    };
    return this.log.append(append);
  }

  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      await new Promise((resolve) => setImmediate(resolve));
      quiet = this.world.deferred > 0 ? 0 : quiet + 1;
      this.world.settle();
    }
  }
}

test('a shard that was not taken takes nothing; a sealed one answers what it took and then takes nothing', async () => {
  const scene = new Scene();
  assert.equal(scene.append(1), 'closed');
  await scene.take(1);
  const resume = scene.store.stall();
  assert.equal(scene.append(1), 'ok');
  await scene.settle();
  assert.equal(scene.append(2), 'ok');
  let sealed: boolean | null = null;
  void scene.log.seal(SHARD).then((kept) => {
    sealed = kept;
  });
  assert.equal(scene.append(3), 'closed');
  await scene.settle();
  assert.equal(sealed, null);
  resume();
  await scene.settle();
  assert.deepEqual([scene.answers, sealed], [['1 committed', '2 committed'], true]);
  assert.equal(scene.append(3), 'closed');
});

test('taken again under a new grant, the shard goes on; what its last time had in flight cannot land any more', async () => {
  const scene = new Scene();
  await scene.take(1);
  const resume = scene.store.stall();
  scene.append(1);
  await scene.settle();
  scene.append(2);
  scene.log.drop(SHARD);
  assert.equal(scene.append(3), 'closed');
  resume();
  await scene.settle();
  // The first was under way while the grant held.
  assert.deepEqual(scene.answers, ['1 committed', '2 lost']);
  await scene.take(2);
  assert.equal(scene.append(2), 'ok');
  await scene.settle();
  assert.deepEqual(scene.answers.slice(2), ['2 committed']);
  assert.deepEqual([scene.lost, scene.log.stats().queued], [[], 0]);
});

test('another node took the shard: that is told once, and a seal under way comes to its end', async () => {
  const scene = new Scene();
  await scene.take(1);
  await scene.grant(2, 'n2');
  scene.append(1);
  const sealed = scene.log.seal(SHARD);
  await scene.settle();
  assert.equal(await sealed, false);
  assert.deepEqual([scene.answers, scene.lost, scene.log.stats().stale], [['1 lost'], [SHARD], 1]);
});

test('without a lease nothing is taken and no answer passes, until it holds again', async () => {
  const scene = new Scene();
  await scene.take(1);
  scene.append(1);
  scene.lapsed = true;
  await scene.settle();
  assert.equal(scene.append(2), 'lapsed');
  assert.deepEqual(scene.answers, []);
  scene.log.release();
  await scene.settle();
  assert.deepEqual(scene.answers, [], 'a beat that was itself too long ago');
  scene.lapsed = false;
  scene.log.release();
  await scene.settle();
  assert.deepEqual(scene.answers, ['1 committed']);
});

test('evicted: whoever waits is refused, though it may be durable', async () => {
  const scene = new Scene();
  await scene.take(1);
  scene.append(1);
  scene.lapsed = true;
  await scene.settle();
  scene.log.close();
  await scene.settle();
  assert.deepEqual(scene.answers, ['1 lost']);
  assert.notEqual(await scene.store.get(messageKey(CHAT, 1)), undefined);
  await scene.log.drained();
});

test('the dirty set goes with each transaction, with what the last owner left', async () => {
  const scene = new Scene();
  const left = { chat: new Uint8Array(16).fill(9), head: 4, telling: { done: false } };
  scene.log.take(SHARD, await scene.grant(1), new Untold(AT_ONCE, [left], null));
  const dirty = async () => decodeDirty((await scene.store.get(dirtyKey(SHARD)))!).chats.map(({ head }) => head);
  scene.append(1);
  await scene.settle();
  assert.deepEqual(await dirty(), [1, 4]);
  left.telling.done = true;
  scene.append(2);
  await scene.settle();
  assert.deepEqual(await dirty(), [2]);
});
