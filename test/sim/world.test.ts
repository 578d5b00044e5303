// Owns the proof that the simulated world is one: its clock, its chance, how processes die and stand still.
// Invariant: no machine's time; every promise is settled by the clock.
// Must not: run the product.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock, WORLD } from '../../sim/clock.js';
import { Process } from '../../sim/process.js';
import { stream } from '../../sim/random.js';

function processOf(clock: Clock, name = 'p', number = 1): Process {
  return new Process({ clock, seed: 1, name, number, skew: 0, turn: [0.1, 0.5] });
}

test('events run by time, then by order; promises settle in between; empty time costs nothing', async () => {
  const clock = new Clock();
  const course: string[] = [];
  const deep = async (): Promise<void> => {
    for (let n = 0; n < 20; n += 1) await null;
    course.push('settled');
  };
  clock.schedule(5, WORLD, () => course.push('b'));
  clock.schedule(1, WORLD, () => {
    course.push('a');
    void deep();
  });
  clock.schedule(5, WORLD, () => course.push('c'));
  clock.schedule(10 ** 12, WORLD, () => course.push('late'));
  const cancelled = clock.schedule(3, WORLD, () => course.push('never'));
  cancelled.task = null;
  await clock.run(10 ** 12);
  assert.deepEqual(course, ['a', 'settled', 'b', 'c', 'late']);
  assert.equal(clock.events, 4);
  assert.equal(clock.now, 10 ** 12);
});

test('what an event throws is told with its owner, and the others run', async () => {
  const clock = new Clock();
  const thrown: unknown[] = [];
  clock.thrown = (error, owner) => thrown.push([String(error), owner.number]);
  clock.schedule(1, WORLD, () => {
    throw new Error('broken');
  });
  let ran = false;
  clock.schedule(2, WORLD, () => {
    ran = true;
  });
  await clock.run(10);
  assert.deepEqual(thrown, [['Error: broken', 0]]);
  assert.ok(ran);
});

test('streams of one seed and name are the same, of others independent of what else was drawn', () => {
  const first = stream(7, 'a');
  stream(7, 'b')();
  const again = stream(7, 'a');
  const drawn = Array.from({ length: 100 }, () => first());
  assert.deepEqual(
    Array.from({ length: 100 }, () => again()),
    drawn,
  );
  assert.notDeepEqual(Array.from({ length: 100 }, stream(8, 'a')), drawn);
  const mean = drawn.reduce((sum, each) => sum + each, 0) / 100;
  assert.ok(mean > 0.35 && mean < 0.65, `${mean}`);
});

test('a process defers in order, a turn later; timers are never early', async () => {
  const clock = new Clock();
  const process = processOf(clock);
  const course: string[] = [];
  process.timer(2, () => course.push(`timer ${clock.now >= 2}`));
  process.defer(() => {
    course.push('first');
    process.defer(() => course.push('third'));
  });
  process.defer(() => course.push('second'));
  await clock.run(10);
  assert.deepEqual(course, ['first', 'second', 'third', 'timer true']);
  assert.equal(process.timers, 0);
});

test('of a dead process nothing runs any more', async () => {
  const clock = new Clock();
  const process = processOf(clock);
  let ran = 0;
  process.timer(5, () => ran++);
  process.defer(() => ran++);
  process.arrive(3, () => ran++);
  clock.schedule(0.01, WORLD, () => process.end());
  await clock.run(100);
  assert.equal(ran, 0);
});

test('a frozen process goes on with its timers, then with what came; the world did not wait for it', async () => {
  const clock = new Clock();
  const process = processOf(clock);
  const course: [string, number][] = [];
  const note = (what: string) => () => void course.push([what, clock.now]);
  process.arrive(10, note('frame'));
  process.timer(20, note('timer'));
  const cancel = process.timer(30, note('cancelled'));
  clock.schedule(5, WORLD, () => process.freeze());
  clock.schedule(50, WORLD, () => {
    note('world')();
    cancel();
  });
  clock.schedule(100, WORLD, () => process.thaw());
  await clock.run(200);
  assert.deepEqual(course, [
    ['world', 50],
    ['timer', 100],
    ['frame', 100],
  ]);
});

test('a lit process dies between two of its events', async () => {
  const clock = new Clock();
  const process = processOf(clock);
  const course: string[] = [];
  for (let n = 1; n <= 5; n += 1) process.arrive(n, () => course.push(`event ${n}`));
  process.light(2, () => process.end());
  await clock.run(10);
  assert.deepEqual(course, ['event 1', 'event 2']);
});
