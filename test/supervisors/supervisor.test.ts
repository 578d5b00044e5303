// Owns the proof of running trees: order of starts and stops, time-outs, escalation, and ends from above.
// Invariant: real runtime, direct host, time moved by hand; the last case runs on nact and the machine's clock.
// Must not: repeat what the rules alone decide (strategy.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRuntime } from '../../actors/runtime.js';
import { IMMEDIATE } from '../../supervisors/backoff.js';
import type { TreeEvent } from '../../supervisors/events.js';
import { nactHost } from '../../supervisors/nact-host.js';
import { startTree } from '../../supervisors/root.js';
import type { ChildSpec, TreeNode } from '../../supervisors/spec.js';
import { supervisor } from '../../supervisors/supervisor.js';
import { service } from '../../supervisors/worker.js';
import { Bench } from './bench.js';

test('children start in order, stop in reverse, through all levels, and the tree ends after the last', async () => {
  const bench = new Bench();
  const inner = supervisor('inner', {}, [bench.actor('b'), bench.actor('c')]);
  const tree = await bench.started(supervisor('node', {}, [bench.actor('a'), inner, bench.actor('d')]));
  assert.deepEqual(bench.take(), ['+a', '+b', '+c', '+d', '|']);
  const stopped = tree.stop();
  await bench.settle();
  await stopped;
  assert.deepEqual(bench.take(), ['-d shutdown', '-c shutdown', '-b shutdown', '-a shutdown']);
  assert.deepEqual(await tree.ended, { type: 'shutdown' });
  await tree.stop();
  bench.seats.close();
});

test('a crash is restarted after its pause, with a new incarnation that old refs do not reach', async () => {
  const bench = new Bench();
  const backoff = { min: 100, max: 100, jitter: 0, stable: 1_000 };
  const tree = await bench.started(supervisor('node', { backoff }, [bench.actor('a'), bench.actor('b')]));
  const old = bench.refs.get('a');
  bench.tell('a', 'crash');
  await bench.pass(99);
  const status = (node: TreeNode): unknown => node.children?.map((child) => [child.status, child.restarts]);
  assert.deepEqual(status(tree.describe()), [
    ['waiting', 1],
    ['up', 0],
  ]);
  await bench.pass(1);
  assert.deepEqual(bench.take(), ['+a', '+b', '|', '-a crash', '+a']);
  assert.equal(old?.tell('hello'), 'dead');
  assert.equal(bench.refs.get('a')?.tell('hello'), 'ok');
});

test('escalation goes up level by level: each uses up its own intensity, and the root ends last', async () => {
  const bench = new Bench();
  const once = { intensity: { restarts: 1, within: 5_000 }, backoff: IMMEDIATE };
  const bottom = supervisor('bottom', once, [bench.actor('a')]);
  const tree = await bench.started(supervisor('node', once, [supervisor('middle', once, [bottom])]));
  bench.take();
  let crashes = 0;
  let ended = false;
  void tree.ended.then(() => {
    ended = true;
  });
  while (!ended && crashes < 20) {
    bench.tell('a', 'crash');
    crashes++;
    await bench.settle();
  }
  // Two crashes exhaust the bottom; two such exits the middle; two of those the root.
  assert.equal(crashes, 8);
  assert.deepEqual(
    bench.events.flatMap((event) => (event.type === 'escalated' ? [event.path.split('/').length] : [])),
    [3, 3, 2, 3, 3, 2, 1],
  );
  assert.deepEqual(await tree.ended, { type: 'shutdown' });
  assert.deepEqual(bench.runtime.stats().cells, { probe: 0 });
  bench.seats.close();
});

test('a brutal child is not asked', async () => {
  const bench = new Bench();
  const tree = await bench.started(supervisor('node', {}, [bench.actor('a', { shutdown: 'brutal' })]));
  bench.take();
  const stopped = tree.stop();
  await bench.settle();
  await stopped;
  assert.deepEqual(bench.take(), ['-a killed']);
});

test('a start that was broken off before it began starts nothing for long', async () => {
  const bench = new Bench();
  const failed = assert.rejects(
    bench.start(supervisor('node', {}, [bench.actor('a')]), AbortSignal.abort()),
    /stopped/,
  );
  await bench.settle();
  await failed;
  assert.deepEqual(bench.runtime.stats().cells.probe ?? 0, 0);
  bench.seats.close();
});

test('a stop during a restart backoff ends at once and starts nothing any more', async () => {
  const bench = new Bench();
  const backoff = { min: 1_000, max: 1_000, jitter: 0, stable: 1_000 };
  const tree = await bench.started(supervisor('node', { backoff }, [bench.actor('a'), bench.actor('b')]));
  bench.tell('a', 'crash');
  await bench.settle();
  bench.take();
  const stopped = tree.stop();
  await bench.settle();
  await stopped;
  await bench.pass(10_000);
  assert.deepEqual(bench.take(), ['-b shutdown']);
  assert.equal(bench.world.pending, 0);
});

test('a crash of one child while another one stops is no reason to restart it', async () => {
  const bench = new Bench();
  const slow = bench.service('slow', { shutdown: 1_000 });
  const starting = bench.start(supervisor('node', {}, [bench.actor('a'), slow.spec]));
  await bench.settle();
  slow.made[0]?.ready();
  await bench.settle();
  const tree = await starting;
  bench.take();
  const stopped = tree.stop();
  await bench.settle();
  bench.tell('a', 'crash');
  await bench.settle();
  slow.made[0]?.done();
  await bench.settle();
  await stopped;
  assert.deepEqual(bench.take(), ['stop slow', '-a crash']);
});

test('a killed supervisor takes everything below with it, with no orphan, stuck services included', async () => {
  const bench = new Bench();
  const stuck = bench.service('stuck', { shutdown: 'infinity' });
  const inner = supervisor('inner', { shutdown: 200 }, [bench.actor('b'), stuck.spec]);
  const starting = bench.start(supervisor('node', {}, [bench.actor('a'), inner]));
  await bench.settle();
  stuck.made[0]?.ready();
  await bench.settle();
  const tree = await starting;
  bench.take();
  const stopped = tree.stop();
  await bench.pass(200);
  await stopped;
  assert.deepEqual(bench.take(), ['stop stuck', 'kill stuck', '-b killed', '-a shutdown']);
  assert.deepEqual(bench.runtime.stats().cells, { probe: 0 });
  bench.seats.close();
});

test('a bug in the supervision itself ends that branch, and the level above restarts it', async () => {
  const bench = new Bench();
  let broken = false;
  const confused: ChildSpec = {
    id: 'confused',
    kind: 'actor',
    restart: 'permanent',
    shutdown: 100,
    launch: (_scope, report) => {
      report.started();
      report.started();
      report.failed(new Error('and failed?'));
      return {
        stop: () => {
          if (broken) throw new Error('no stop');
          report.ended({ type: 'shutdown' });
          report.ended({ type: 'normal' });
        },
        kill: () => {
          if (broken) throw new Error('no kill');
          report.ended({ type: 'killed' });
        },
        inspect: () => ({}),
      };
    },
  };
  const inner = supervisor('inner', { strategy: 'one_for_all', backoff: IMMEDIATE }, [bench.actor('a'), confused]);
  const tree = await bench.started(supervisor('node', { backoff: IMMEDIATE }, [inner]));
  bench.take();
  broken = true;
  bench.tell('a', 'crash');
  await bench.settle();
  broken = false;
  const exited = bench.events.filter((event) => event.type === 'exited' && event.path === 'node/inner');
  assert.equal(exited[0]?.type === 'exited' && exited[0].reason.type, 'crash');
  assert.deepEqual(bench.take(), ['-a crash', '+a']);
  const stopped = tree.stop();
  await bench.settle();
  await stopped;
  const ends = bench.events.filter((event) => event.type === 'exited' && event.path === 'node/inner/confused');
  assert.equal(ends.length, 1);
  bench.seats.close();
});

test('describe shows the whole tree with paths; kill ends it without waiting', async () => {
  const bench = new Bench();
  const store = service('store', () => ({
    start: () => undefined,
    stop: () => new Promise(() => undefined),
    inspect: () => ({ rows: 7 }),
  }));
  const tree = await bench.started(supervisor('node', {}, [store, supervisor('chats', {}, [bench.actor('a')])]));
  const root = tree.describe();
  assert.deepEqual([root.kind, root.path, root.status, root.queued], ['supervisor', 'node', 'up', 0]);
  assert.deepEqual(root.children?.[0]?.detail, { rows: 7 });
  assert.equal(root.children?.[1]?.children?.[0]?.path, 'node/chats/a');
  assert.equal(tree.restart('node/chats/nobody'), false);
  assert.equal(tree.restart('elsewhere/chats'), false);
  assert.equal(tree.restart('node/chats/a/b'), false);
  const killed = tree.kill();
  await bench.settle();
  await killed;
  assert.deepEqual(await tree.ended, { type: 'killed' });
  bench.seats.close();
});

test('on nact and the machine’s clock: a deep tree starts, survives a crash, and stops in order', async () => {
  const bench = new Bench();
  const clock = {
    now: () => performance.now(),
    wall: () => Date.now(),
    random: () => 0.5,
    randomBytes: (length: number) => new Uint8Array(length),
    defer: (task: () => void) => void setImmediate(task),
    timer: (ms: number, task: () => void) => {
      const handle = setTimeout(task, ms);
      return () => clearTimeout(handle);
    },
  };
  const seats = nactHost();
  const runtime = createRuntime(clock);
  const levels = supervisor('a-level', {}, [
    supervisor('b-level', {}, [supervisor('c-level', {}, [bench.actor('x')])]),
  ]);
  let emit: (event: TreeEvent) => void = () => undefined;
  const restarted = new Promise<void>((resolve) => {
    emit = (event) => {
      if (event.type === 'started' && event.incarnation === 2) resolve();
    };
  });
  const host = { world: clock, actors: runtime, seats };
  const tree = await startTree(host, supervisor('node', {}, [levels, bench.actor('y')]), { emit });
  bench.tell('x', 'crash');
  await restarted;
  await tree.stop();
  assert.deepEqual(bench.take(), ['+x', '+y', '-x crash', '+x', '-y shutdown', '-x shutdown']);
  seats.close();
});
