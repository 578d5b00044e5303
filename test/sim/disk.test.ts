// Owns the proof that simulated disks and devices' stores lose what a crash may lose, and nothing else.
// Invariant: no machine's time.
// Must not: run the product's actors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock } from '../../sim/clock.js';
import { Disk } from '../../sim/disk.js';
import { Process } from '../../sim/process.js';
import { stream } from '../../sim/random.js';
import { Shelf } from '../../sim/shelf.js';

const NEVER = { conflict: 0, unknown_applied: 0, unknown_dropped: 0, store_full: 0, store_unavailable: 0 };

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function scene(flush: [number, number]) {
  const clock = new Clock();
  const flushed: string[] = [];
  const faults: string[] = [];
  const disk = new Disk({ flush, read: [0, 0], faults: NEVER }, stream(1, 'disk'), {
    flushed: (writes) => flushed.push(...writes.map(({ key }) => Buffer.from(key).toString())),
    committed: () => undefined,
    fault: (fault) => faults.push(fault),
  });
  let number = 0;
  const process = (): Process =>
    new Process({ clock, seed: 1, name: `p${++number}`, number, skew: 0, turn: [0.1, 0.1] });
  return { clock, disk, flushed, faults, process };
}

const write = (key: string) => ({ checks: [], writes: [{ key: bytes(key), value: bytes('x') }] });

test('a crash loses the groups that are not flushed but for the oldest that are kept, and answers none', async () => {
  const { clock, disk, flushed, process } = scene([100, 100]);
  const store = await disk.open(process());
  const answers: string[] = [];
  for (const [at, key] of [
    [0, 'a'],
    [60, 'b'],
    [65, 'c'],
    [70, 'd'],
  ] as const) {
    await clock.run(at);
    void store.commit(write(key)).then(() => answers.push(key));
  }
  await clock.run(120);
  assert.deepEqual(answers, ['a']);
  assert.equal(disk.crash(0.34), 2);
  assert.deepEqual(flushed, ['a', 'b']);
  await clock.run(1_000);
  assert.deepEqual(answers, ['a']);
  const next = await disk.open(process());
  assert.ok((await next.get(bytes('b'))) !== undefined);
  assert.equal(await next.get(bytes('c')), undefined);
});

test('a full disk refuses, a broken one does not answer reads, a stalled one only waits', async () => {
  const { clock, disk, faults, process } = scene([1, 1]);
  const store = await disk.open(process());
  disk.fill(true);
  const full = store.commit(write('a'));
  await clock.run(10);
  assert.deepEqual(await full, { outcome: 'failed', code: 'store_full', reason: 'injected' });
  disk.fill(false);
  disk.break(true);
  await assert.rejects(store.get(bytes('a')), /store_unavailable/);
  disk.break(false);
  disk.stall(true);
  let answered = false;
  void store.commit(write('b')).then(() => {
    answered = true;
  });
  await clock.run(1_000);
  assert.equal(answered, false);
  disk.calm();
  await clock.run(1_001);
  assert.equal(answered, true);
  assert.deepEqual(faults, ['store_full', 'unavailable']);
});

test("a killed application's store keeps what was durable, and of later writes the oldest", async () => {
  const { clock, process } = scene([0, 0]);
  const shelf = new Shelf(stream(1, 'shelf'));
  const store = shelf.open(process());
  const loading = store.load();
  await clock.run(20);
  await loading;
  const send = (id: string) => ({ type: 'add' as const, send: { id, chat: '', user: '', body: bytes(id) } });
  void store.write([send('lazy')], false);
  let durable = false;
  void store.write([send('durable')], true).then(() => {
    durable = true;
  });
  await clock.run(40);
  assert.ok(durable);
  void store.write([send('kept')], true);
  void store.write([send('lost')], true);
  assert.equal(shelf.crash(0.5), 1);
  const again = shelf.open(process()).load();
  await clock.run(60);
  assert.deepEqual(
    (await again).outbox.map(({ id }) => id),
    ['lazy', 'durable', 'kept'],
  );
});

test('a disk that hangs, hangs for the next process too, until it goes on', async () => {
  const { clock, disk, flushed, process } = scene([0, 0]);
  disk.stall(true);
  const store = await disk.open(process());
  void store.commit(write('a'));
  await clock.run(500);
  assert.deepEqual(flushed, []);
  disk.stall(false);
  await clock.run(1_000);
  assert.deepEqual(flushed, ['a']);
});
