// Owns the proof of how single children come and go: actors, and services that are slow, stuck, late or confused.
// Invariant: real runtime, direct host, time moved by hand.
// Must not: test the order among siblings (supervisor.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Behaviour } from '../../actors/behaviour.js';
import { IMMEDIATE } from '../../supervisors/backoff.js';
import { supervisor } from '../../supervisors/supervisor.js';
import { worker } from '../../supervisors/worker.js';
import { Bench, type Order } from './bench.js';

test('a start waits for a slow service, and everything behind it waits with it', async () => {
  const bench = new Bench();
  const store = bench.service('store');
  const tree = bench.start(supervisor('node', {}, [store.spec, bench.actor('a')]));
  await bench.settle();
  assert.deepEqual(bench.take(), ['start store']);
  store.made[0]?.ready();
  await bench.settle();
  assert.deepEqual(bench.take(), ['+a']);
  assert.equal((await tree).describe().children?.[0]?.status, 'up');
});

test('a constructor that throws: the start fails with its error, what had started is stopped, no zombie stays', async () => {
  const bench = new Bench();
  const spec = supervisor('node', {}, [
    bench.actor('a'),
    supervisor('inner', {}, [bench.actor('b'), bench.actor('c', {}, () => true), bench.actor('d')]),
  ]);
  const tree = bench.start(spec);
  const failed = assert.rejects(tree, /c cannot/);
  await bench.settle();
  await failed;
  assert.deepEqual(bench.take(), ['+a', '+b', '-b shutdown', '-a shutdown']);
  assert.deepEqual(bench.runtime.stats().cells, { probe: 0 });
  bench.seats.close();
});

test('transient children are restarted after crashes only; permanent ones always', async () => {
  const bench = new Bench();
  const spec = supervisor('node', { backoff: IMMEDIATE }, [
    bench.actor('t', { restart: 'transient' }),
    bench.actor('p'),
    bench.actor('x', { restart: 'temporary' }),
  ]);
  const tree = await bench.started(spec);
  for (const id of ['t', 'p', 'x']) bench.tell(id, id === 'x' ? 'crash' : 'stop');
  await bench.settle();
  assert.deepEqual(bench.take().slice(4), ['-t normal', '-p normal', '-x crash', '+p']);
  assert.deepEqual(
    tree.describe().children?.map((child) => child.status),
    ['down', 'up', 'gone'],
  );
});

test('a service that does not stop in time is killed, and the rest of the shutdown goes on', async () => {
  const bench = new Bench();
  const stuck = bench.service('stuck', { shutdown: 500 });
  const starting = bench.start(supervisor('node', {}, [bench.actor('a'), stuck.spec]));
  await bench.settle();
  stuck.made[0]?.ready();
  await bench.settle();
  const tree = await starting;
  bench.take();
  const stopped = tree.stop();
  await bench.pass(499);
  assert.deepEqual(bench.take(), ['stop stuck']);
  await bench.pass(1);
  await stopped;
  assert.deepEqual(bench.take(), ['kill stuck', '-a shutdown']);
  assert.ok(bench.kinds().includes('killed node/stuck'));
  bench.seats.close();
});

test('a start can be broken off in time; what comes up late is stopped, not left running', async () => {
  const bench = new Bench();
  const store = bench.service('store', { shutdown: 500 });
  const abort = new AbortController();
  const spec = supervisor('node', {}, [bench.actor('a'), supervisor('data', {}, [store.spec]), bench.actor('b')]);
  const failed = assert.rejects(bench.start(spec, abort.signal), /stopped while starting/);
  await bench.settle();
  abort.abort();
  await bench.pass(499);
  assert.deepEqual(bench.take(), ['+a', 'start store']);
  await bench.pass(1);
  await failed;
  assert.deepEqual(bench.take(), ['kill store', '-a shutdown']);
  bench.seats.close();
  store.made[0]?.ready();
  await bench.settle();
  assert.deepEqual(bench.take(), ['stop store']);
});

test('a service that reports its own failure is stopped, then restarted as a fresh one', async () => {
  const bench = new Bench();
  const listener = bench.service('listener', { shutdown: 500 });
  const starting = bench.start(supervisor('node', { backoff: IMMEDIATE }, [listener.spec]));
  await bench.settle();
  listener.made[0]?.ready();
  await bench.settle();
  await starting;
  listener.made[0]?.fail(new Error('lost its port'));
  await bench.settle();
  assert.deepEqual(bench.take(), ['start listener', 'stop listener']);
  // It hangs in its stop: after the time given it is written off.
  await bench.pass(500);
  assert.deepEqual(bench.take(), ['start listener']);
  assert.equal(listener.made.length, 2);
  listener.made[0]?.fail(new Error('from the dead'));
  listener.made[0]?.done();
  listener.made[1]?.ready();
  await bench.settle();
  assert.deepEqual(bench.take(), []);
  listener.made[1]?.fail(new Error('again'));
  listener.made[1]?.done();
  await bench.settle();
  assert.deepEqual(bench.take(), ['stop listener', 'start listener']);
  assert.equal(bench.world.pending, 0);
});

test('a child that is gone before anyone watches it is restarted all the same', async () => {
  const bench = new Bench();
  let starts = 0;
  const behaviour: Behaviour<null, Order> = {
    kind: 'hasty',
    level: 'interactive',
    capacity: 8,
    init: (context) => {
      if (++starts <= 2) context.stop({ type: 'crash', error: new Error('in a hurry') });
      return null;
    },
    receive: () => undefined,
  };
  const hasty = worker('hasty', behaviour, () => undefined);
  const tree = await bench.started(supervisor('node', { backoff: IMMEDIATE }, [hasty]));
  assert.equal(starts, 3);
  assert.deepEqual(
    tree.describe().children?.map((child) => [child.status, child.incarnation, child.restarts]),
    [['up', 3, 2]],
  );
});
