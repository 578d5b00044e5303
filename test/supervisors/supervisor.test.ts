// Owns the proof of running trees: order of starts and stops, time-outs, escalation, and what a late or stuck child does.
// Invariant: real runtime, direct host, time moved by hand; the last case runs on nact and the machine's clock.
// Must not: repeat what the rules alone decide (strategy.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Behaviour } from '../../actors/behaviour.js';
import type { Ref } from '../../actors/ref.js';
import { createRuntime } from '../../actors/runtime.js';
import { IMMEDIATE } from '../../supervisors/backoff.js';
import { directHost } from '../../supervisors/direct-host.js';
import type { TreeEvent } from '../../supervisors/events.js';
import { nactHost } from '../../supervisors/nact-host.js';
import { startTree, type Tree } from '../../supervisors/root.js';
import type { ChildOptions, ChildSpec, TreeNode } from '../../supervisors/spec.js';
import { supervisor } from '../../supervisors/supervisor.js';
import { service, worker } from '../../supervisors/worker.js';
import { ManualWorld } from '../actors/manual-world.js';

type Order = 'crash' | 'stop' | 'hello';

class Bench {
  readonly world = new ManualWorld();
  readonly runtime = createRuntime(this.world);
  readonly seats = directHost(this.world);
  readonly events: TreeEvent[] = [];
  readonly log: string[] = [];
  readonly refs = new Map<string, Ref<Order>>();

  /** An actor that logs its life. `fails` is asked at each start. */
  actor(id: string, options: ChildOptions = {}, fails: () => boolean = () => false): ChildSpec {
    const behaviour: Behaviour<string, Order, string> = {
      kind: 'probe',
      level: 'interactive',
      capacity: 8,
      init: (_context, name) => {
        if (fails()) throw new Error(`${name} cannot`);
        this.log.push(`+${name}`);
        return name;
      },
      receive: (_state, order, context) => {
        if (order === 'crash') throw new Error('told to');
        if (order === 'stop') context.stop();
      },
      terminated: (name, reason) => void this.log.push(`-${name} ${reason.type}`),
    };
    return worker(id, behaviour, () => id, { ...options, started: (ref) => this.refs.set(id, ref) });
  }

  /** A service whose start and stop end when told. */
  service(id: string, options: ChildOptions = {}): { spec: ChildSpec; made: Probe[] } {
    const made: Probe[] = [];
    const spec = service(
      id,
      () => {
        const probe = new Probe(id, this.log);
        made.push(probe);
        return probe;
      },
      options,
    );
    return { spec, made };
  }

  start(spec: ChildSpec, signal: AbortSignal = new AbortController().signal): Promise<Tree> {
    const host = { world: this.world, actors: this.runtime, seats: this.seats };
    const emit = (event: TreeEvent): void => {
      this.events.push(event);
      throw new Error('a log that fails');
    };
    return startTree(host, spec, { emit, signal });
  }

  async started(spec: ChildSpec): Promise<Tree> {
    const tree = this.start(spec);
    await this.settle();
    this.log.push('|');
    return tree;
  }

  tell(id: string, order: Order): void {
    this.refs.get(id)?.tell(order);
  }

  /** Services answer by promises: lets them through. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 6; quiet++) {
      this.world.settle();
      await turn();
    }
  }

  async pass(ms: number): Promise<void> {
    this.world.advance(ms);
    await this.settle();
  }

  take(): string[] {
    return this.log.splice(0);
  }

  kinds(): string[] {
    return this.events.map((event) => `${event.type} ${event.path}`);
  }
}

class Probe {
  ready: () => void = () => undefined;
  refuse: (error: Error) => void = () => undefined;
  done: () => void = () => undefined;
  fail: (error: unknown) => void = () => undefined;

  constructor(
    private readonly id: string,
    private readonly log: string[],
  ) {}

  start(failed: (error: unknown) => void): Promise<void> {
    this.log.push(`start ${this.id}`);
    this.fail = failed;
    return new Promise((resolve, reject) => {
      this.ready = resolve;
      this.refuse = reject;
    });
  }

  stop(): Promise<void> {
    this.log.push(`stop ${this.id}`);
    return new Promise((resolve) => {
      this.done = resolve;
    });
  }

  kill(): void {
    this.log.push(`kill ${this.id}`);
  }
}

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

test('a brutal child is not asked', async () => {
  const bench = new Bench();
  const tree = await bench.started(supervisor('node', {}, [bench.actor('a', { shutdown: 'brutal' })]));
  bench.take();
  const stopped = tree.stop();
  await bench.settle();
  await stopped;
  assert.deepEqual(bench.take(), ['-a killed']);
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
