// Owns the tests of the append path: batches, order, outcomes, the grant, and what an open outcome holds back.
// Invariant: manual clock, memory store with faults on demand.
// Must not: know chats; an append is rows.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import type { Append, AppendResult } from '../../storage/append.js';
import { dirtyKey, grantKey } from '../../storage/cluster-keys.js';
import { getNumber, messageKey } from '../../storage/keys.js';
import { Log } from '../../storage/log.js';
import { type MemoryFault, openMemory } from '../../storage/memory.js';
import { decodeDirty } from '../../storage/rows.js';
import { type Commit, STORE_LIMITS } from '../../storage/store.js';
import { ManualWorld } from '../actors/manual-world.js';

const CHATS = [1, 2, 3].map((at) => Uint8Array.from({ length: 16 }, () => at));

class Scene {
  readonly world = new ManualWorld();
  faults: (MemoryFault | undefined)[] = [];
  readonly commits: Commit[] = [];
  readonly lost: number[] = [];
  readonly store = openMemory({
    world: this.world,
    fault: (commit) => {
      this.commits.push(commit);
      return this.faults.shift();
    },
  });

  async open(node = 'n1'): Promise<Log> {
    const log = Log.open(this.store, this.world, node, (shard) => this.lost.push(shard));
    await this.settle();
    return log;
  }

  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      await new Promise((resolve) => setImmediate(resolve));
      quiet = this.world.deferred > 0 ? 0 : quiet + 1;
      this.world.settle();
    }
  }
}

function append(seq: number, done: (result: AppendResult) => void, chat = CHATS[0]!, size = 10, shard = 3): Append {
  const telling = { done: false };
  const write = { key: messageKey(chat, seq), value: new Uint8Array(size).fill(seq) };
  return { chat, shard, head: seq, writes: [write], bytes: write.key.length + size, witness: write, telling, done };
}

test('appends of one shard go in one transaction, answered in order when it is durable', async () => {
  const scene = new Scene();
  const log = await scene.open();
  scene.commits.length = 0;
  const answered: number[] = [];
  const resume = scene.store.stall();
  for (let seq = 1; seq <= 100; seq += 1) log.append(append(seq, () => answered.push(seq)));
  assert.equal(answered.length, 0);
  await scene.settle();
  assert.deepEqual([answered.length, scene.commits.length], [0, 1]);
  for (let seq = 101; seq <= 150; seq += 1) log.append(append(seq, () => answered.push(seq)));
  await scene.settle();
  assert.equal(scene.commits.length, 1, 'the next batch gathers meanwhile');
  resume();
  await scene.settle();
  assert.deepEqual(
    answered,
    Array.from({ length: 150 }, (_, at) => at + 1),
  );
  assert.equal(scene.commits.length, 2);
  const { chats: dirty } = decodeDirty((await scene.store.get(dirtyKey(3)))!);
  assert.deepEqual([dirty.length, dirty[0]!.head], [50, 101]);
  assert.deepEqual(log.stats(), { appends: 150, transactions: 2, queued: 0, unknown: 0, failed: 0, stale: 0 });
});

test('a batch stays within what a transaction and its dirty set may take', async () => {
  const scene = new Scene();
  const log = await scene.open();
  scene.commits.length = 0;
  const results: AppendResult[] = [];
  const done = (result: AppendResult): void => void results.push(result);
  // Many small ones, and some large ones.
  for (let seq = 1; seq <= 3 * LIMITS.batchAppends; seq += 1) log.append(append(seq, done, CHATS[0]!, 1));
  for (let seq = 1; seq <= 40; seq += 1) log.append(append(seq, done, CHATS[1]!, 90_000));
  await scene.settle();
  assert.ok(results.every(({ outcome }) => outcome === 'committed'));
  assert.equal(results.length, 3 * LIMITS.batchAppends + 40);
  for (const { writes } of scene.commits) {
    let bytes = 0;
    for (const { key, value } of writes) {
      bytes += key.length + value!.length;
      assert.ok(value!.length <= STORE_LIMITS.value);
    }
    assert.ok(bytes <= STORE_LIMITS.transaction);
  }
});

test('a full queue answers busy and keeps nothing', async () => {
  const scene = new Scene();
  const log = await scene.open();
  let answered = 0;
  const done = (): void => {
    answered += 1;
  };
  for (let seq = 1; seq <= LIMITS.shardQueue; seq += 1) assert.equal(log.append(append(seq, done)), 'ok');
  assert.equal(log.append(append(LIMITS.shardQueue + 1, done)), 'busy');
  assert.equal(log.append(append(1, done, CHATS[1]!, 10, 4)), 'ok', 'other shards have their own');
  await scene.settle();
  assert.equal(answered, LIMITS.shardQueue + 1);
});

test('a failed batch fails all of its appends, and the next one goes on', async () => {
  const scene = new Scene();
  const log = await scene.open();
  const results: string[] = [];
  const note = (result: AppendResult): void => void results.push('reason' in result ? result.reason : result.outcome);
  scene.faults = ['store_full'];
  log.append(append(1, note));
  log.append(append(2, note));
  await scene.settle();
  log.append(append(1, note));
  await scene.settle();
  assert.deepEqual(results, ['store_full', 'store_full', 'committed']);
});

test('unknown: settled by reading back, and tried again until it is known', async () => {
  const scene = new Scene();
  const log = await scene.open();
  const results: string[] = [];
  const note = (result: AppendResult): void => void results.push(result.outcome);
  scene.faults = ['unknown_applied'];
  log.append(append(1, note));
  await scene.settle();
  assert.deepEqual([results, log.stats().transactions], [['committed'], 1]);
  // The first may yet be applied, so that later ones are refused says nothing about it.
  scene.faults = ['unknown_dropped', 'store_unavailable', 'store_unavailable', 'unknown_dropped'];
  log.append(append(2, note));
  await scene.settle();
  assert.equal(results.length, 1);
  scene.world.advance(LIMITS.reloadMs);
  await scene.settle();
  assert.equal(results.length, 1);
  for (let i = 0; i < 3; i += 1) {
    scene.world.advance(LIMITS.reloadMs);
    await scene.settle();
  }
  assert.deepEqual(results, ['committed', 'committed']);
});

test('a log whose shard was taken writes nothing more there, and elsewhere goes on', async () => {
  const scene = new Scene();
  const first = await scene.open('n1');
  const second = await scene.open('n2');
  assert.equal(getNumber((await scene.store.get(grantKey(3)))!, 0), 2);
  const results: string[] = [];
  const note = (result: AppendResult): void => void results.push(result.outcome);
  first.append(append(1, note));
  await scene.settle();
  first.append(append(2, note));
  await scene.settle();
  assert.deepEqual([results, scene.lost], [['lost', 'lost'], [3]]);
  assert.equal(await scene.store.get(messageKey(CHATS[0]!, 1)), undefined);
  second.append(append(1, note));
  await scene.settle();
  assert.equal(results[2], 'committed');
});

test('settled: waits for what is queued and in flight of the chat, and for nothing else', async () => {
  const scene = new Scene();
  const log = await scene.open();
  assert.equal(log.settled(CHATS[0]!, 3), null);
  const course: string[] = [];
  const resume = scene.store.stall();
  log.append(append(1, () => course.push('one'), CHATS[0]!));
  await scene.settle();
  log.append(append(1, () => course.push('other'), CHATS[1]!));
  log.append(append(2, () => course.push('two'), CHATS[0]!));
  assert.equal(log.settled(CHATS[2]!, 3), null);
  for (const chat of [0, 1]) void log.settled(CHATS[chat]!, 3)?.then(() => course.push(`settled ${chat}`));
  await scene.settle();
  assert.deepEqual(course, []);
  resume();
  await scene.settle();
  assert.deepEqual(course.slice(0, 3), ['one', 'other', 'two']);
  assert.deepEqual(course.slice(3).sort(), ['settled 0', 'settled 1']);
  assert.equal(log.settled(CHATS[0]!, 3), null);
});

test('drained resolves when nothing is under way', async () => {
  const scene = new Scene();
  const log = await scene.open();
  await log.drained();
  const resume = scene.store.stall();
  let answered = false;
  log.append(
    append(1, () => {
      answered = true;
    }),
  );
  let drained = false;
  void log.drained().then(() => {
    assert.ok(answered);
    drained = true;
  });
  await scene.settle();
  assert.equal(drained, false);
  resume();
  await scene.settle();
  assert.equal(drained, true);
});

test('an open outcome that cannot be read back is not given up: it may yet be applied under those who go on', async () => {
  const scene = new Scene();
  const read = scene.store.get.bind(scene.store);
  let unreadable = false;
  scene.store.get = async (key) => {
    if (unreadable) throw new Error('unreadable');
    return read(key);
  };
  const log = await scene.open();
  const results: string[] = [];
  unreadable = true;
  scene.faults = ['unknown_dropped', 'store_unavailable', 'store_unavailable'];
  log.append(append(1, (result) => results.push(result.outcome)));
  for (let i = 0; i < 2; i += 1) {
    await scene.settle();
    scene.world.advance(LIMITS.reloadMs);
  }
  assert.deepEqual(results, []);
  assert.notEqual(log.settled(CHATS[0]!, 3), null);
  unreadable = false;
  for (let i = 0; i < 2; i += 1) {
    await scene.settle();
    scene.world.advance(LIMITS.reloadMs);
  }
  assert.deepEqual(results, ['committed']);
});
