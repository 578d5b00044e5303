// Owns the tests of the in-memory engine beyond the contract.
// Invariant: none waits for real time where the engine's own world can be driven.
// Must not: repeat the contract suite.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { World } from '../../actors/world.js';
import { type MemoryFault, openMemory } from '../../storage/memory.js';
import type { CommitResult, Store } from '../../storage/store.js';
import { storeContract } from './contract.js';
import { put, show, text } from './scene.js';
import { machine } from './world.js';

storeContract('memory', async () => ({ store: openMemory({ world: machine }) }));
storeContract('memory, slow disk', async () => ({
  store: openMemory({ world: machine, flushMs: () => Math.random() * 3 }),
}));

/** A world whose time stands until it is moved; turns run in order. */
function standing(): { world: World; pass: (ms: number) => Promise<void> } {
  let clock = 0;
  const turns: (() => void)[] = [];
  let timers: { at: number; task: () => void }[] = [];
  const turn = (): void => {
    for (const task of turns.splice(0)) task();
  };
  const pass = async (ms: number): Promise<void> => {
    clock += ms;
    for (let rest = 3; rest > 0; rest--) {
      turn();
      const due = timers.filter((timer) => timer.at <= clock);
      timers = timers.filter((timer) => timer.at > clock);
      for (const { task } of due) task();
      await null;
    }
  };
  const world: World = {
    ...machine,
    now: () => clock,
    defer: (task) => void turns.push(task),
    timer: (ms, task) => {
      const timer = { at: clock + ms, task };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
  };
  return { world, pass };
}

const write = (store: Store, key: string, value = 'v'): Promise<CommitResult> =>
  store.commit({ checks: [], writes: [put(key, value)] });

/** The answers that have come so far, in order. */
function answers(...results: Promise<CommitResult>[]): string[] {
  const came: string[] = [];
  results.forEach((result, i) => void result.then(({ outcome }) => came.push(`${i} ${outcome}`)));
  return came;
}

test('memory: an answer and the rows come with the flush, not with the commit', async () => {
  const { world, pass } = standing();
  const store = openMemory({ world, flushMs: 10 });
  const came = answers(write(store, 'a'));
  await pass(5);
  assert.deepEqual([came, store.unflushed, store.size], [[], 1, 0]);
  assert.equal(await store.get(text('a')), undefined);
  await pass(10);
  assert.deepEqual([came, store.unflushed, store.size], [['0 committed'], 0, 1]);
});

test('memory: checks see what is committed and not flushed yet', async () => {
  const { world, pass } = standing();
  const store = openMemory({ world, flushMs: 10 });
  const first = write(store, 'a', '1');
  await pass(1);
  const check = { key: text('a'), value: text('1') };
  const came = answers(first, store.commit({ checks: [check], writes: [put('a', '2')] }), write(store, 'b'));
  await pass(1);
  assert.equal(store.unflushed, 2);
  await pass(20);
  assert.deepEqual(came, ['0 committed', '1 committed', '2 committed']);
  assert.equal(show(await store.get(text('a'))), '2');
});

test('memory: a crash drops what was not flushed, but for the oldest that it is told to keep', async () => {
  for (const kept of [0, 1, 2]) {
    const { world, pass } = standing();
    const store = openMemory({ world, flushMs: 10 });
    const early = write(store, 'durable');
    await pass(1);
    await pass(10);
    assert.equal((await early).outcome, 'committed');
    const came = answers(write(store, 'first'));
    await pass(1);
    came.push(...answers(write(store, 'second')));
    await pass(1);
    const survivor = store.crash(kept);
    await pass(50);
    assert.deepEqual(came, [], 'the dead answer nobody');
    const { rows } = await survivor.range({ start: text('a'), end: text('z'), limit: 10 });
    assert.deepEqual(
      rows.map((row) => show(row.key)),
      ['durable', 'first', 'second'].slice(0, 1 + kept),
    );
    const again = write(survivor, 'again');
    await pass(1);
    await pass(10);
    assert.equal((await again).outcome, 'committed');
    assert.equal(store.size, 1, 'the survivor shares no state with the dead');
  }
});

test('memory: a disk that hangs answers nothing until it comes back, in order', async () => {
  const { world, pass } = standing();
  const store = openMemory({ world });
  const release = store.stall();
  const other = store.stall();
  const came = answers(write(store, 'a'), write(store, 'b'));
  await pass(1_000);
  release();
  release();
  await pass(1_000);
  assert.deepEqual(came, []);
  other();
  await pass(1);
  assert.deepEqual(came, ['0 committed', '1 committed']);
});

test('memory: faults are answered as they are and applied as they say', async () => {
  const { world, pass } = standing();
  const script: (MemoryFault | undefined)[] = [
    'conflict',
    'unknown_applied',
    'unknown_dropped',
    'store_full',
    'store_unavailable',
    undefined,
  ];
  const left = [...script];
  const store = openMemory({ world, fault: () => left.shift() });
  const results = script.map((_, i) => write(store, `k${i}`));
  await pass(1);
  const told = (await Promise.all(results)).map((result) =>
    result.outcome === 'failed' ? result.code : result.outcome,
  );
  assert.deepEqual(told, ['conflict', 'unknown', 'unknown', 'store_full', 'store_unavailable', 'committed']);
  const { rows } = await store.range({ start: text('k'), end: text('l'), limit: 10 });
  assert.deepEqual(
    rows.map((row) => show(row.key)),
    ['k1', 'k5'],
  );
});
