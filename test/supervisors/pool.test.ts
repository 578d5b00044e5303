// Owns the proof of pools on the real runtime and nact: activation, passivation, and whose crash harms whom.
// Invariant: time moves by hand, so no case depends on the machine.
// Must not: fake cells.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Behaviour, Context } from '../../actors/behaviour.js';
import { createRuntime } from '../../actors/runtime.js';
import type { TreeEvent } from '../../supervisors/events.js';
import { nactHost } from '../../supervisors/nact-host.js';
import { createPool, type Pool, type PoolOptions } from '../../supervisors/pool.js';
import { startTree, type Tree } from '../../supervisors/root.js';
import type { Seats } from '../../supervisors/spec.js';
import { supervisor } from '../../supervisors/supervisor.js';
import { ManualWorld } from '../actors/manual-world.js';

type Message = { readonly id: string; readonly do: 'note' | 'crash' | 'passivate' | 'stop' | 'note-twice' };

interface Cell {
  readonly key: string;
  readonly seen: string[];
}

/** A pool in a tree of its own, in a world that moves when told. */
class Bench {
  readonly world = new ManualWorld();
  readonly runtime = createRuntime(this.world);
  readonly seats: Seats = nactHost();
  readonly events: TreeEvent[] = [];
  /** `key#incarnation id` of every handled message. */
  readonly handled: string[] = [];
  readonly ended: string[] = [];
  init: (key: string, context: Context<Message>) => void = () => undefined;
  readonly pool: Pool<Message>;
  tree!: Tree;

  constructor(options: Partial<PoolOptions<Cell, Message, string, unknown>> = {}) {
    const behaviour: Behaviour<Cell, Message, string> = {
      kind: 'cell',
      level: 'interactive',
      capacity: 8,
      init: (context, key) => {
        this.init(key, context);
        return { key, seen: [] };
      },
      receive: (state, message, context) => {
        if (message.do === 'crash') throw new Error(`poisoned by ${message.id}`);
        this.handled.push(`${state.key} ${message.id}`);
        if (message.do === 'passivate') context.passivate();
        if (message.do === 'stop') context.stop();
      },
      terminated: (state, reason) => {
        this.ended.push(`${state.key} ${reason.type}`);
        // Whoever tells its own key while it ends must neither loop nor reach the corpse.
        assert.equal(this.pool.tell(state.key, { id: 'echo', do: 'note' }), 'busy');
      },
    };
    this.pool = createPool('cells', { behaviour, args: (key) => key, describe: (message) => message.id, ...options });
  }

  static async started(options: Partial<PoolOptions<Cell, Message, string, unknown>> = {}): Promise<Bench> {
    const bench = new Bench(options);
    const host = { world: bench.world, actors: bench.runtime, seats: bench.seats };
    const spec = supervisor('node', {}, [bench.pool.child()]);
    const tree = startTree(host, spec, { emit: (event) => void bench.events.push(event) });
    await bench.settle();
    bench.tree = await tree;
    bench.events.length = 0;
    return bench;
  }

  /** Lets both the world and nact (which runs on the machine's own loop) come to rest. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 8; quiet++) {
      this.world.settle();
      await turn();
    }
  }

  async pass(ms: number): Promise<void> {
    this.world.advance(ms);
    await this.settle();
  }

  tell(key: string, what: Message['do'] = 'note', id = 'm'): string {
    return this.pool.tell(key, { id, do: what });
  }

  async crash(key: string, id = 'bad'): Promise<void> {
    assert.equal(this.tell(key, 'crash', id), 'ok');
    await this.settle();
  }

  async end(): Promise<void> {
    const stopped = this.tree.stop();
    for (let waits = 0; waits < 50; waits++) await this.settle();
    await stopped;
    this.seats.close();
    assert.equal(this.runtime.stats().faults, 0);
  }
}

test('a tell activates on demand and at once; passivation leaves nothing and loses nothing', async () => {
  const bench = await Bench.started();
  assert.equal(bench.pool.lookup('a'), undefined);
  assert.equal(bench.tell('a', 'passivate', '1'), 'ok');
  assert.equal(bench.tell('a', 'note', '2'), 'ok');
  const first = bench.pool.lookup('a');
  await bench.settle();
  assert.deepEqual(bench.handled, ['a 1', 'a 2']);
  assert.equal(bench.pool.lookup('a'), first);
  bench.tell('a', 'passivate', '3');
  await bench.settle();
  assert.equal(bench.pool.size, 0);
  assert.equal(bench.tell('a', 'note', '4'), 'ok');
  assert.notEqual(bench.pool.lookup('a'), first);
  assert.equal(first?.tell({ id: 'stale', do: 'note' }), 'dead');
  await bench.settle();
  assert.deepEqual(bench.handled, ['a 1', 'a 2', 'a 3', 'a 4']);
  assert.deepEqual(bench.events, []);
  await bench.end();
});

test('a poison key is backed off, then quarantined, by name of the poison; its neighbours go on', async () => {
  const rules = {
    intensity: { restarts: 3, within: 10_000 },
    backoff: { min: 100, max: 1_000, jitter: 0, stable: 20_000 },
  };
  const bench = await Bench.started({ crashes: { ...rules, quarantine: 60_000 }, partitions: 1 });
  bench.tell('good');
  for (const pause of [100, 200, 400]) {
    await bench.crash('bad', `poison-${pause}`);
    assert.equal(bench.tell('bad'), 'busy');
    await bench.pass(pause - 1);
    assert.equal(bench.tell('bad'), 'busy');
    assert.equal(bench.tell('good'), 'ok');
    await bench.pass(1);
  }
  await bench.crash('bad', 'poison-last');
  assert.equal(bench.tell('bad'), 'dead');
  assert.equal(bench.pool.lookup('bad'), undefined);
  assert.equal(bench.tell('good'), 'ok');
  const quarantined = bench.events.at(-1);
  assert.equal(quarantined?.type, 'quarantined');
  assert.deepEqual(
    quarantined?.type === 'quarantined' && [
      quarantined.path,
      quarantined.key,
      quarantined.count,
      quarantined.ms,
      quarantined.message,
    ],
    ['node/cells/0', 'bad', 4, 60_000, 'poison-last'],
  );
  assert.equal(bench.pool.inspect('bad').crashes?.error, 'Error: poisoned by poison-last');
  await bench.pass(59_999);
  assert.equal(bench.tell('bad'), 'dead');
  await bench.pass(1);
  assert.equal(bench.tell('bad'), 'ok');
  assert.equal(bench.pool.inspect('bad').crashes, undefined);
  await bench.end();
});

test('release lifts a quarantine at once and gives a whole budget', async () => {
  const bench = await Bench.started({ crashes: { intensity: { restarts: 0, within: 1_000 }, quarantine: 60_000 } });
  await bench.crash('bad');
  assert.equal(bench.tell('bad'), 'dead');
  assert.equal(bench.pool.release('bad'), true);
  assert.equal(bench.pool.release('bad'), false);
  assert.equal(bench.tell('bad'), 'ok');
  assert.deepEqual(
    bench.events.map((event) => event.type),
    ['quarantined', 'released'],
  );
  await bench.end();
});

test('the budget is per key: many keys that crash once each quarantine nobody and restart nothing', async () => {
  const crashes = { intensity: { restarts: 2, within: 60_000 }, storm: { share: 0.5, least: 100, within: 60_000 } };
  const bench = await Bench.started({ crashes });
  for (let key = 0; key < 60; key++) await bench.crash(`k${key}`);
  assert.deepEqual([...new Set(bench.events.map((event) => event.type))], ['crashed']);
  await bench.pass(10_000);
  for (let key = 0; key < 60; key++) assert.equal(bench.tell(`k${key}`), 'ok');
  await bench.end();
});

test('an init that throws leaves no zombie, and the key pays like for a crash', async () => {
  const bench = await Bench.started({ crashes: { backoff: { min: 100, max: 100, jitter: 0, stable: 1_000 } } });
  bench.init = () => {
    throw new Error('no disk');
  };
  assert.equal(bench.tell('a', 'note', 'first'), 'busy');
  assert.equal(bench.pool.size, 0);
  assert.equal(bench.pool.lookup('a'), undefined);
  assert.deepEqual(bench.runtime.stats().cells.cell, 0);
  const event = bench.events[0];
  assert.equal(event?.type === 'crashed' && event.message, 'first');
  bench.init = () => undefined;
  assert.equal(bench.tell('a'), 'busy');
  await bench.pass(100);
  assert.equal(bench.tell('a'), 'ok');
  await bench.end();
});

test('an init that tells its own key, or ends at once, neither loops nor leaves an entry', async () => {
  const bench = await Bench.started();
  const answers: string[] = [];
  bench.init = (key, context) => {
    answers.push(bench.tell(key), bench.tell(`${key}-other`.slice(0, 7)));
    if (key === 'a') context.stop();
  };
  assert.equal(bench.tell('a'), 'busy');
  await bench.settle();
  assert.equal(bench.pool.lookup('a'), undefined);
  assert.ok(answers.includes('busy'));
  bench.init = () => undefined;
  assert.equal(bench.tell('a'), 'ok');
  await bench.end();
});

test('a stop with messages queued, a full mailbox and a full pool answer, and never throw', async () => {
  const bench = await Bench.started({ limit: 2 });
  const answers = Array.from({ length: 10 }, () => bench.tell('a'));
  assert.deepEqual(answers, [...Array(8).fill('ok'), 'busy', 'busy']);
  bench.tell('b');
  assert.equal(bench.tell('c'), 'busy');
  await bench.settle();
  bench.tell('b', 'stop');
  bench.tell('b', 'note', 'lost');
  await bench.settle();
  assert.equal(bench.tell('c'), 'ok');
  await bench.end();
});

test('a storm of different keys restarts their partition alone; its cells come back on demand', async () => {
  const crashes = { storm: { share: 0.3, least: 4, within: 5_000 } };
  const bench = await Bench.started({ partitions: 2, crashes });
  const of = (partition: string): string[] =>
    Array.from({ length: 40 }, (_, index) => `k${index}`).filter((key) =>
      bench.pool.inspect(key).path.includes(`/${partition}/`),
    );
  const [sick, well] = [of('0').slice(0, 10), of('1').slice(0, 10)];
  for (const key of [...sick, ...well]) bench.tell(key);
  await bench.settle();
  const refs = well.map((key) => bench.pool.lookup(key));
  for (const key of sick.slice(0, 4)) bench.tell(key, 'crash');
  await bench.settle();
  const types = bench.events.map((event) => event.type);
  assert.deepEqual(types.slice(-3), ['storm', 'exited', 'restarting']);
  assert.equal(bench.tell(sick[9]!), 'busy');
  for (const key of sick) assert.equal(bench.pool.lookup(key), undefined);
  for (const key of well) assert.equal(bench.tell(key), 'ok');
  assert.deepEqual(
    well.map((key) => bench.pool.lookup(key)),
    refs,
  );
  await bench.pass(1_000);
  assert.equal(bench.events.at(-1)?.type, 'started');
  for (const key of sick) assert.equal(bench.tell(key), 'ok');
  const pool = bench.tree.describe().children?.[0];
  assert.deepEqual(
    pool?.children?.map((node) => [node.status, node.restarts, node.detail?.cells]),
    [
      ['up', 1, 10],
      ['up', 0, 10],
    ],
  );
  // What led to the restart is paid for: the next crash alone makes no storm.
  await bench.crash(sick[0]!);
  assert.equal(bench.events.at(-1)?.type, 'crashed');
  await bench.end();
});

test('partitions that storm again and again take the pool down, and its parent hears', async () => {
  const crashes = { storm: { share: 0, least: 1, within: 5_000 }, backoff: { min: 0, max: 0, jitter: 0, stable: 1 } };
  const bench = await Bench.started({ partitions: 1, crashes });
  for (let round = 0; round < 4; round++) {
    await bench.crash('a');
    await bench.pass(1_000);
  }
  const escalated = bench.events.filter((event) => event.type === 'escalated').map((event) => event.path);
  assert.deepEqual(escalated, ['node/cells']);
  await bench.pass(1_000);
  assert.equal(bench.tell('a'), 'ok');
  await bench.end();
});

test('before the tree starts and after it stopped tells answer dead; the stop ends every cell, in portions', async () => {
  const cold = new Bench();
  assert.equal(cold.tell('a'), 'dead');
  const bench = await Bench.started({ partitions: 1 });
  for (let key = 0; key < 2_500; key++) bench.tell(`k${key}`);
  await bench.settle();
  const alive = (): number => [...bench.pool.entries()].filter(([, ref]) => ref.alive).length;
  const portions: number[] = [];
  const stopped = bench.tree.stop();
  for (let before = alive(); before > 0; before = alive()) {
    await turn();
    if (before > alive()) portions.push(before - alive());
    assert.ok(!bench.events.some((event) => event.type === 'exited'), 'a partition outlives its cells');
  }
  assert.deepEqual(portions, [1_000, 1_000, 500]);
  await bench.settle();
  await stopped;
  await bench.end();
  assert.equal(bench.pool.size, 0);
  assert.equal(bench.ended.length, 2_500);
  assert.ok(bench.ended.every((end) => end.endsWith('shutdown')));
  assert.equal(bench.tell('a'), 'dead');
  cold.seats.close();
});

test('an operator restarts one key or one partition by path', async () => {
  const bench = await Bench.started({ partitions: 2 });
  bench.tell('a');
  const { path } = bench.pool.inspect('a');
  assert.equal(bench.tree.restart('node/cells/a'), true);
  assert.equal(bench.tree.restart('node/cells/nobody'), false);
  await bench.settle();
  assert.equal(bench.pool.lookup('a'), undefined);
  assert.equal(bench.tell('a'), 'ok');
  assert.equal(bench.tree.restart(path.slice(0, path.lastIndexOf('/'))), true);
  await bench.settle();
  assert.equal(bench.pool.lookup('a'), undefined);
  assert.equal(bench.tell('a'), 'ok');
  assert.ok(!bench.events.some((event) => event.type === 'restarting'));
  await bench.end();
});

test('a killed pool ends its cells, and holds that against no key', async () => {
  const bench = await Bench.started({ partitions: 2 });
  for (let key = 0; key < 20; key++) bench.tell(`k${key}`);
  const killed = bench.tree.kill();
  await bench.settle();
  await killed;
  assert.equal(bench.ended.filter((end) => end.endsWith('killed')).length, 20);
  assert.ok(!bench.events.some((event) => event.type === 'crashed'));
  assert.equal(bench.pool.size, 0);
  bench.seats.close();
});

test('a describe that throws hides no crash', async () => {
  const bench = await Bench.started({
    describe: () => {
      throw new Error('no id');
    },
  });
  await bench.crash('a');
  const event = bench.events[0];
  assert.deepEqual(event?.type === 'crashed' && [event.key, event.message], ['a', 'could not be described']);
  assert.match(bench.pool.inspect('a').crashes?.error ?? '', /poisoned/);
  await bench.end();
});
