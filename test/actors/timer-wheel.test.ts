// Owns the tests of the timer wheel.
// Invariant: compared with a sorted list, over spans that use every level.
// Must not: wait for real time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Timer, TimerWheel } from '../../actors/timer-wheel.js';
import { ManualWorld } from './manual-world.js';

const TICK = 10;

class Probe extends Timer {
  firedAt: number[] = [];
  readonly due: number;
  readonly #world: ManualWorld;
  readonly #then: () => void;

  constructor(world: ManualWorld, due: number, then: () => void = () => {}) {
    super();
    this.#world = world;
    this.due = due;
    this.#then = then;
  }

  fire(): void {
    this.firedAt.push(this.#world.time);
    this.#then();
  }
}

/** Delays that lie on, just before and just after the borders of levels. */
const delay = fc.oneof(
  fc.nat(300),
  fc.nat(100_000),
  fc.nat(60_000_000),
  fc.constantFrom(2_550, 2_560, 2_570, 655_350, 655_360, 655_370, 167_772_150, 167_772_160, 167_772_170, 4_294_967_296),
);

test('fires what a sorted list would, never early, at most a tick late', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ type: fc.constant('insert' as const), delay }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('remove' as const), which: fc.nat() }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('advance' as const), delay }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const world = new ManualWorld();
      const wheel = new TimerWheel(world, TICK);
      const pending = new Set<Probe>();
      const check = (): void => {
        for (const probe of [...pending].sort((a, b) => a.due - b.due)) {
          if (probe.firedAt.length > 0) {
            assert.equal(probe.firedAt.length, 1);
            const late = (probe.firedAt[0] ?? 0) - probe.due;
            assert.ok(late >= 0 && late <= 2 * TICK, `${late} ms late`);
            pending.delete(probe);
          } else assert.ok(probe.due + 2 * TICK > world.time, `due ${probe.due}, not fired at ${world.time}`);
        }
        assert.equal(wheel.size, pending.size);
      };
      for (const s of steps) {
        if (s.type === 'insert') {
          const probe = new Probe(world, world.time + s.delay);
          wheel.insert(probe, probe.due);
          pending.add(probe);
        } else if (s.type === 'advance') {
          world.advance(s.delay);
        } else {
          const probe = [...pending][s.which % Math.max(1, pending.size)];
          if (probe === undefined) continue;
          wheel.remove(probe);
          pending.delete(probe);
          world.advance(1);
          assert.equal(probe.firedAt.length, 0);
        }
        check();
      }
      world.advance(5_000_000_000);
      check();
      assert.equal(pending.size, 0);
    }),
    { numRuns: 300 },
  );
});

test('arms the world only for the next slot in use, and not at all when empty', () => {
  const world = new ManualWorld();
  const wheel = new TimerWheel(world, TICK);
  for (let i = 0; i < 1_000; i++) wheel.insert(new Probe(world, world.time + 1_000), world.time + 1_000);
  assert.equal(world.armed, 1);
  assert.equal(world.pending, 1);
  const late = new Probe(world, 0);
  wheel.insert(late, world.time + 2_000);
  assert.equal(world.armed, 1, 'a later one needs no new arming');
  wheel.remove(late);
  world.advance(1_100);
  assert.equal(wheel.size, 0);
  assert.equal(world.pending, 0);
});

test('after a long idle time the first timer is not late', () => {
  const world = new ManualWorld();
  const wheel = new TimerWheel(world, TICK);
  world.time += 86_400_000 * 400;
  const probe = new Probe(world, world.time + 50);
  wheel.insert(probe, probe.due);
  world.advance(100);
  assert.equal(probe.firedAt.length, 1);
  assert.ok((probe.firedAt[0] ?? 0) >= probe.due);
});

test('a timer may set and remove others while it fires', () => {
  const world = new ManualWorld();
  const wheel = new TimerWheel(world, TICK);
  const due = world.time + 100;
  const victim = new Probe(world, due);
  const chained: Probe = new Probe(world, due + 100);
  const first = new Probe(world, due, () => {
    wheel.remove(victim);
    wheel.insert(chained, due + 100);
  });
  wheel.insert(first, due);
  wheel.insert(victim, due);
  world.advance(1_000);
  assert.deepEqual([first.firedAt.length, victim.firedAt.length, chained.firedAt.length], [1, 0, 1]);
  assert.throws(() => {
    wheel.insert(chained, due);
    wheel.insert(chained, due);
  }, /invariant/);
});
