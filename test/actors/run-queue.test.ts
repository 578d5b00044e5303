// Owns the tests of the run queue: order, shares of the levels, and the event loop's turn.
// Invariant: shares and bounds are counted on a manual clock; the one test on the machine's clock has a wide margin.
// Must not: compare with figures of a machine.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../actors/limits.js';
import { type Runnable, RunQueue, WEIGHTS } from '../../actors/run-queue.js';
import { createMachine } from '../../services/machine.js';
import { ManualWorld } from './manual-world.js';

/** Has `left` messages; each costs `ms` on the manual clock. */
class Job implements Runnable {
  nextReady: Runnable | null = null;
  previousReady: Runnable | null = null;
  lowered = false;
  done = 0;
  left: number;
  readonly level: number;
  readonly #work: () => void;

  constructor(level: number, left: number, work: () => void = () => {}) {
    this.level = level;
    this.left = left;
    this.#work = work;
  }

  slice(queue: RunQueue): boolean {
    while (this.left > 0) {
      this.left--;
      this.done++;
      this.#work();
      if (!queue.spend()) break;
    }
    return this.left > 0;
  }
}

const FOREVER = Number.MAX_SAFE_INTEGER;

test('each level gets its share of messages, whatever their number of cells', () => {
  fc.assert(
    fc.property(
      fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 200 })),
      (cells) => {
        const world = new ManualWorld();
        const queue = new RunQueue(world, LIMITS);
        const jobs = cells.map((count, level) => Array.from({ length: count }, () => new Job(level, FOREVER)));
        for (const job of jobs.flat()) queue.push(job);
        world.turn();
        const done = jobs.map((level) => level.reduce((sum, job) => sum + job.done, 0));
        const total = done.reduce((a, b) => a + b);
        const weights = WEIGHTS.reduce<number>((a, b) => a + b, 0);
        done.forEach((count, level) => {
          const share = (total * (WEIGHTS[level] ?? 0)) / weights;
          assert.ok(Math.abs(count - share) <= 13 * LIMITS.sliceMessages, `level ${level}: ${count} of ${total}`);
        });
        // Within a level nobody is more than a slice ahead, or the turn's end cut its lap short.
        for (const level of jobs) {
          const counts = level.map((job) => job.done);
          assert.ok(Math.max(...counts) - Math.min(...counts) <= LIMITS.sliceMessages);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('a bulk flood delays an interactive cell by at most one bulk share', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.nat(1_000), (flood, when) => {
      const world = new ManualWorld();
      const queue = new RunQueue(world, LIMITS);
      let bulk = 0;
      let pushedAt = -1;
      let ranAt = -1;
      const late = new Job(1, 1, () => {
        ranAt = bulk;
      });
      const work = (): void => {
        bulk++;
        if (bulk === when + 1) {
          pushedAt = bulk;
          queue.push(late);
        }
      };
      for (let i = 0; i < flood; i++) queue.push(new Job(2, FOREVER, work));
      world.turn();
      assert.ok(pushedAt > 0 && ranAt >= pushedAt);
      assert.ok(ranAt - pushedAt <= LIMITS.sliceMessages, `${ranAt - pushedAt} bulk messages later`);
    }),
    { numRuns: 50 },
  );
});

/**
 * However work comes and whatever level it is on, it starts within this many messages of others: all that was ahead of it
 * in its own level, a slice each, in as many rounds as that takes, and in each round the other levels' weights.
 */
function mostBefore(level: number, ahead: number): number {
  const slice = LIMITS.sliceMessages;
  const own = WEIGHTS[level]!;
  const others = WEIGHTS.reduce<number>((a, b) => a + b, 0) - own;
  return ahead * slice + (Math.ceil(ahead / own) + 1) * others * slice;
}

test('nothing starves: under any arrivals each cell starts within its bound, and all is done in the end', () => {
  const level = fc.nat(2);
  const arrival = fc.record({
    level,
    /** Messages handled by then. */
    when: fc.nat(6_000),
    work: fc.oneof(fc.nat(3), fc.nat(300)).map((n) => n + 1),
    cells: fc.integer({ min: 1, max: 30 }),
  });
  fc.assert(
    fc.property(fc.array(arrival, { minLength: 1, maxLength: 30 }), (arrivals) => {
      const world = new ManualWorld();
      const queue = new RunQueue(world, { ...LIMITS, turnMessages: 500 });
      let handled = 0;
      let posted = 0;
      const order: Job[][] = [[], [], []];
      const waiting = [...arrivals].sort((a, b) => a.when - b.when);
      const arrive = (): void => {
        for (let next = waiting[0]; next !== undefined && next.when <= handled; next = waiting[0]) {
          waiting.shift();
          for (let n = 0; n < next.cells; n++) push(next.level, next.work);
        }
      };
      const push = (on: number, work: number): void => {
        const ahead = queue.readyAt(on) + 1;
        const from = handled;
        const job: Job = new Job(on, work, () => {
          if (job.done === 1) {
            assert.ok(handled - from <= mostBefore(on, ahead), `${handled - from} of others before one of level ${on}`);
            assert.equal(order[on]!.shift(), job, 'first ready, first run');
          }
          handled++;
          arrive();
        });
        order[on]!.push(job);
        posted += work;
        queue.push(job);
      };
      while (waiting.length > 0 || queue.ready > 0) {
        if (queue.ready === 0) handled = Math.max(handled, waiting[0]?.when ?? 0);
        arrive();
        world.settle();
      }
      assert.equal(queue.handled, posted);
      assert.deepEqual(order, [[], [], []]);
    }),
    { numRuns: 200 },
  );
});

test('system work does not starve bulk work, over turns cut short by time', () => {
  const world = new ManualWorld();
  const queue = new RunQueue(world, LIMITS);
  const tick = (): void => {
    world.time += 0.01;
  };
  const system = new Job(0, FOREVER, tick);
  const bulk = new Job(2, FOREVER, tick);
  queue.push(system);
  queue.push(bulk);
  for (let turns = 0; turns < 200; turns++) world.turn();
  assert.ok(bulk.done * 8 * 1.5 > system.done, `${bulk.done} beside ${system.done}`);
  assert.ok(bulk.done * 8 < system.done * 1.5, `${bulk.done} beside ${system.done}`);
});

test('slow handlers are cut by time: the slice, the level and the turn', () => {
  const world = new ManualWorld();
  const queue = new RunQueue(world, LIMITS);
  const slow = (): void => {
    world.time += 0.2 + 0.2 * world.random();
  };
  const interactive = new Job(1, FOREVER, slow);
  const bulk = Array.from({ length: 4 }, () => new Job(2, FOREVER, slow));
  queue.push(interactive);
  for (const job of bulk) queue.push(job);
  world.turn();
  let longest = 0;
  for (let turns = 0; turns < 500; turns++) {
    const began = world.time;
    world.turn();
    longest = Math.max(longest, world.time - began);
  }
  assert.ok(longest < LIMITS.turnMs + 1, `a turn took ${longest} ms`);
  const done = bulk.map((job) => job.done);
  const all = done.reduce((a, b) => a + b);
  assert.ok(interactive.done > 2.5 * all, `${interactive.done} interactive beside ${all} bulk`);
  assert.ok(interactive.done < 6 * all, `${interactive.done} interactive beside ${all} bulk`);
  assert.ok(Math.max(...done) < 1.5 * Math.min(...done), `bulk cells share alike: ${done}`);
});

test('bulk work alone leaves the loop to the sockets sooner', () => {
  const turnOf = (levels: readonly number[]): number => {
    const world = new ManualWorld();
    const queue = new RunQueue(world, LIMITS);
    const tick = (): void => {
      world.time += 0.05;
    };
    for (const level of levels) queue.push(new Job(level, FOREVER, tick));
    for (let turns = 0; turns < 20; turns++) world.turn();
    const began = world.time;
    world.turn();
    return world.time - began;
  };
  assert.ok(turnOf([2, 2]) < LIMITS.bulkTurnMs + 0.5);
  assert.ok(turnOf([1, 2]) > LIMITS.turnMs - 0.5);
});

test('a handler that turns slow at once is noticed within a stride', () => {
  const world = new ManualWorld();
  const queue = new RunQueue(world, LIMITS);
  let ms = 0;
  let slowSeen = 0;
  const job = new Job(1, FOREVER, () => {
    world.time += ms;
    if (ms > 0) slowSeen++;
  });
  queue.push(job);
  world.turn();
  ms = 5;
  world.turn();
  assert.ok(slowSeen <= LIMITS.clockStride, `${slowSeen} slow handlers in one turn`);
  slowSeen = 0;
  world.turn();
  assert.equal(slowSeen, 1);
});

test('quick messages do not cost a look at the clock each', () => {
  const world = new ManualWorld();
  const queue = new RunQueue(world, LIMITS);
  for (let i = 0; i < 10_000; i++) queue.push(new Job(1, 1));
  world.reads = 0;
  world.turn();
  assert.equal(queue.handled, 10_000);
  assert.ok(world.reads < 10_000 / LIMITS.clockStride + 50, `${world.reads} looks`);
});

test('a turn ends though the clock stands still, as in simulation', () => {
  const world = new ManualWorld();
  const queue = new RunQueue(world, { ...LIMITS, turnMessages: 1_000 });
  const job = new Job(0, FOREVER);
  queue.push(job);
  world.turn();
  assert.ok(job.done >= 1_000 && job.done < 1_000 + LIMITS.sliceMessages);
  assert.equal(world.deferred, 1);
});

test('goes on after a slice that throws', () => {
  const world = new ManualWorld();
  const queue = new RunQueue(world, LIMITS);
  const after = new Job(1, 1);
  queue.push(
    new Job(1, 1, () => {
      throw new Error('a bug in the cell');
    }),
  );
  queue.push(after);
  assert.throws(() => world.turn(), /a bug/);
  world.settle();
  assert.equal(after.done, 1);
});

test('under a flood the event loop gets its turn: timers and setImmediate wait no longer than some turns', async () => {
  const queue = new RunQueue(createMachine(), LIMITS);
  let over = false;
  const spin = (): void => {
    const until = performance.now() + 0.02;
    while (performance.now() < until);
  };
  const jobs = Array.from({ length: 50 }, (_, i) => new Job(i % 3, FOREVER, spin));
  for (const job of jobs) queue.push(job);
  const waits: number[] = [];
  await new Promise<void>((resolve) => {
    const look = (): void => {
      const asked = performance.now();
      setImmediate(() => {
        waits.push(performance.now() - asked);
        over = waits.length === 40;
        if (over) resolve();
        else setTimeout(look, 1);
      });
    };
    look();
  });
  for (const job of jobs) job.left = 1;
  // The median: a shared machine may stop this very process for a while.
  const middle = waits.sort((a, b) => a - b)[20] ?? 0;
  assert.ok(middle < 5 * LIMITS.turnMs, `${middle} ms for one setImmediate`);
});
