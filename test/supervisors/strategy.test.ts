// Owns the proof of the supervision rules: against a model of OTP, and as invariants under any interleaving.
// Invariant: every case is a plain run of the pure function; no world, no host.
// Must not: look into a sequence's internals.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ExitReason } from '../../actors/behaviour.js';
import { type Backoff, delay, escalates, IMMEDIATE } from '../../supervisors/backoff.js';
import { type Intensity, record } from '../../supervisors/intensity.js';
import { check, type Rules, type Strategy } from '../../supervisors/spec.js';
import { initial, step } from '../../supervisors/strategy.js';
import type { Action, Event, SupervisorState } from '../../supervisors/supervisor-state.js';
import { OtpSupervisor } from './otp-model.js';

const CRASH: ExitReason = { type: 'crash', error: new Error('crash') };
const NORMAL: ExitReason = { type: 'normal' };

/** The children and the clock around the rules: obeys actions, remembers what is alive. */
class Stage {
  state: SupervisorState;
  now = 1_000;
  readonly log: string[] = [];
  readonly alive = new Map<number, number>();
  readonly timers = new Map<number, number>();
  readonly inbox: Event[] = [];
  exit: string | undefined;
  attempts = 0;

  constructor(
    readonly rules: Rules,
    readonly starts: (attempt: number) => boolean = () => true,
    /** Whether children end when asked to. */
    readonly obedient = true,
  ) {
    this.state = initial(rules);
  }

  send(event: Event): void {
    const before = JSON.stringify(this.state);
    const { state, actions } = step(this.rules, this.state, event, this.now, () => 0.5);
    assert.equal(JSON.stringify(this.state), before, 'a step leaves the old state alone');
    this.state = state;
    for (const action of actions) this.obey(action);
  }

  /** Delivers what children and timers of length 0 reported, until all is quiet. */
  settle(): this {
    for (let event = this.inbox.shift(); event !== undefined; event = this.inbox.shift()) this.send(event);
    return this;
  }

  run(event: Event): this {
    this.send(event);
    return this.settle();
  }

  die(child: number, reason: ExitReason): void {
    const incarnation = this.alive.get(child);
    if (incarnation === undefined) return;
    this.alive.delete(child);
    this.inbox.push({ type: 'exited', child, incarnation, reason });
  }

  crash(child: number, reason: ExitReason = CRASH): this {
    this.die(child, reason);
    return this.settle();
  }

  pass(ms: number): this {
    const until = this.now + ms;
    for (;;) {
      const due = [...this.timers].filter(([, at]) => at <= until).sort((a, b) => a[1] - b[1] || a[0] - b[0])[0];
      if (due === undefined) break;
      this.now = Math.max(this.now, due[1]);
      this.timers.delete(due[0]);
      this.run({ type: 'timer', timer: due[0] });
    }
    this.now = until;
    return this;
  }

  take(): string[] {
    return this.log.splice(0);
  }

  private obey(action: Action): void {
    switch (action.type) {
      case 'start': {
        assert.ok(!this.alive.has(action.child), 'a child is started only when it is not there');
        const ok = this.starts(this.attempts++);
        this.log.push(`start ${action.child} ${ok ? 'ok' : 'failed'}`);
        if (ok) this.alive.set(action.child, action.incarnation);
        const { child, incarnation } = action;
        this.inbox.push(
          ok ? { type: 'started', child, incarnation } : { type: 'failed', child, incarnation, error: 'no start' },
        );
        return;
      }
      case 'stop':
        if (this.alive.has(action.child)) this.log.push(`stop ${action.child}`);
        if (this.obedient) this.die(action.child, { type: 'shutdown' });
        return;
      case 'kill':
        if (this.alive.has(action.child)) this.log.push(`kill ${action.child}`);
        this.die(action.child, { type: 'killed' });
        return;
      case 'timer':
        this.timers.set(action.timer, this.now + action.ms);
        return;
      case 'cancel':
        assert.ok(this.timers.delete(action.timer), 'only a pending timer is cancelled');
        return;
      case 'ready':
        this.log.push('ready');
        return;
      case 'exit':
        assert.equal(this.exit, undefined, 'a supervisor exits once');
        assert.equal(this.alive.size, 0, 'a supervisor outlives its children');
        this.exit = action.error === undefined ? action.reason.type : 'failed';
        this.log.push(`exit ${this.exit}`);
    }
  }
}

function rules(
  strategy: Strategy,
  children: number | readonly Rules['children'][number][],
  more: Partial<Rules> = {},
): Rules {
  const list =
    typeof children === 'number'
      ? Array.from({ length: children }, (_, id) => ({ id: `c${id}`, restart: 'permanent', shutdown: 1_000 }) as const)
      : children;
  return { strategy, intensity: { restarts: 3, within: 5_000 }, backoff: IMMEDIATE, children: list, ...more };
}

const strategies = fc.constantFrom('one_for_one', 'one_for_all', 'rest_for_one') as fc.Arbitrary<Strategy>;
const types = fc.constantFrom('permanent', 'transient', 'temporary') as fc.Arbitrary<'permanent'>;

test('without backoff, every run is what OTP would do', () => {
  const commands = fc.array(
    fc.record({
      dying: fc.array(fc.nat(4), { maxLength: 3 }),
      normal: fc.boolean(),
      wait: fc.constantFrom(0, 1, 400, 1_000, 1_001, 3_000),
    }),
    { maxLength: 12 },
  );
  const failures = fc.array(fc.nat(30), { maxLength: 6 });
  fc.assert(
    fc.property(
      strategies,
      fc.array(types, { minLength: 1, maxLength: 5 }),
      fc.nat(3),
      commands,
      failures,
      fc.boolean(),
      (strategy, kinds, restarts, course, failing, early) => {
        const starts = (attempt: number): boolean => !failing.includes(early ? attempt : attempt - kinds.length);
        const children = kinds.map((restart, id) => ({ id: `c${id}`, restart, shutdown: 1_000 }) as const);
        const intensity = { restarts, within: 1_000 };
        const stage = new Stage({ strategy, intensity, backoff: IMMEDIATE, children }, starts);
        const model = new OtpSupervisor({ strategy, restarts, within: 1_000, types: kinds }, starts);
        stage.run({ type: 'start' });
        model.init();
        for (const { dying, normal, wait } of course) {
          stage.now += wait;
          for (const child of dying) stage.die(child, normal ? NORMAL : CRASH);
          stage.settle();
          model.die(dying, normal, stage.now);
          assert.deepEqual(stage.log, model.log);
          assert.deepEqual([...stage.alive.keys()].sort(), model.up());
        }
        stage.run({ type: 'stop' });
        model.shutdown();
        assert.deepEqual(stage.log, model.log);
      },
    ),
    { numRuns: 3_000 },
  );
});

test('with backoff, time-outs, disobedience and any interleaving, nothing is started twice, lost or left behind', () => {
  const shutdowns = fc.constantFrom<number | 'brutal'>(50, 1_000, 'brutal');
  const child = fc.record({ restart: types, shutdown: shutdowns });
  const move = fc.oneof(
    fc.record({ type: fc.constant('die' as const), child: fc.nat(4), normal: fc.boolean() }),
    fc.record({ type: fc.constant('deliver' as const) }),
    fc.record({ type: fc.constant('pass' as const), ms: fc.nat(700) }),
    fc.record({ type: fc.constant('operator' as const), child: fc.nat(5) }),
  );
  fc.assert(
    fc.property(
      strategies,
      fc.array(child, { minLength: 1, maxLength: 5 }),
      fc.array(move, { maxLength: 40 }),
      fc.array(fc.nat(40), { maxLength: 8 }),
      fc.boolean(),
      fc.constantFrom<'stop' | 'kill'>('stop', 'kill'),
      (strategy, kinds, moves, failing, obedient, end) => {
        const children = kinds.map((kind, id) => ({ id: `c${id}`, ...kind }));
        const backoff = { min: 10, max: 400, jitter: 0.5, stable: 1_000 };
        const all = { strategy, intensity: { restarts: 4, within: 2_000 }, backoff, children };
        const stage = new Stage(all, (attempt) => !failing.includes(attempt - kinds.length), obedient);
        stage.send({ type: 'start' });
        for (const one of moves) {
          if (one.type === 'die') stage.die(one.child, one.normal ? NORMAL : CRASH);
          else if (one.type === 'pass') stage.pass(one.ms);
          else if (one.type === 'operator') stage.send({ type: 'restart', child: one.child });
          else if (stage.inbox.length > 0) stage.send(stage.inbox.shift()!);
          assert.ok(stage.state.window.length <= 5, 'the window is bounded');
        }
        // Left in peace, it comes to a rest in which nobody who should be up is forgotten.
        stage.settle().pass(60_000);
        if (stage.exit === undefined) {
          kinds.forEach(({ restart }, index) => {
            const up = stage.alive.has(index);
            if (restart === 'permanent') assert.ok(up, `permanent child ${index} came back`);
          });
          assert.equal(stage.timers.size, 0);
        }
        stage.run({ type: end });
        stage.pass(10_000);
        assert.notEqual(stage.exit, undefined, 'a stop always comes to an end');
        assert.equal(stage.timers.size, 0, 'no timer outlives the supervisor');
        stage.run({ type: 'start' }).run({ type: 'restart', child: 0 });
        assert.equal(stage.alive.size, 0, 'an exited supervisor starts nothing');
      },
    ),
    { numRuns: 2_000 },
  );
});

test('rest_for_one: the later ones stop in reverse, and start again in order', () => {
  const stage = new Stage(rules('rest_for_one', 4)).run({ type: 'start' });
  stage.take();
  stage.crash(1);
  assert.deepEqual(stage.take(), ['stop 3', 'stop 2', 'start 1 ok', 'start 2 ok', 'start 3 ok']);
});

test('rest_for_one with backoff: those who depend on the failed one wait with it, and an earlier crash takes over', () => {
  const backoff: Backoff = { min: 100, max: 100, jitter: 0, stable: 1_000 };
  const stage = new Stage(rules('rest_for_one', 4, { backoff })).run({ type: 'start' });
  stage.take();
  stage.crash(2);
  assert.deepEqual(stage.take(), ['stop 3']);
  stage.pass(50).crash(0);
  assert.deepEqual(stage.take(), ['stop 1']);
  stage.pass(99);
  assert.deepEqual(stage.take(), []);
  stage.pass(1);
  assert.deepEqual(stage.take(), ['start 0 ok', 'start 1 ok', 'start 2 ok', 'start 3 ok']);
  assert.equal(stage.timers.size, 0);
});

test('one_for_one: a child that waits for its restart holds up nobody else', () => {
  const backoff: Backoff = { min: 1_000, max: 1_000, jitter: 0, stable: 1_000 };
  const stage = new Stage(rules('one_for_one', 2, { backoff })).run({ type: 'start' });
  stage.crash(0).pass(500).crash(1).pass(500);
  assert.deepEqual([...stage.alive.keys()], [0]);
  stage.pass(500);
  assert.deepEqual([...stage.alive.keys()], [0, 1]);
});

test('a first start that fails stops what had started, in reverse', () => {
  const stage = new Stage(rules('one_for_one', 3), (attempt) => attempt !== 2).run({ type: 'start' });
  assert.deepEqual(stage.take(), ['start 0 ok', 'start 1 ok', 'start 2 failed', 'stop 1', 'stop 0', 'exit failed']);
});

test('a restart that fails to start counts as one more, until the intensity ends it', () => {
  const stage = new Stage(rules('one_for_one', 2), (attempt) => attempt < 2).run({ type: 'start' });
  stage.take();
  stage.crash(1);
  assert.deepEqual(stage.take(), ['start 1 failed', 'start 1 failed', 'start 1 failed', 'stop 0', 'exit shutdown']);
});

test('a child that ends while the others are still being started is restarted when the start is through', () => {
  const stage = new Stage(rules('one_for_one', 2));
  stage.send({ type: 'start' });
  stage.send(stage.inbox.shift()!);
  stage.die(0, CRASH);
  stage.settle();
  assert.deepEqual(stage.take(), ['start 0 ok', 'start 1 ok', 'ready', 'start 0 ok']);
});

test('a stop that is not obeyed ends in a kill after its time; brutal does not ask', () => {
  const children = [
    { id: 'slow', restart: 'permanent', shutdown: 300 },
    { id: 'brutal', restart: 'permanent', shutdown: 'brutal' },
    { id: 'patient', restart: 'permanent', shutdown: 'infinity' },
  ] as const;
  const stage = new Stage(rules('one_for_one', children), () => true, false).run({ type: 'start' });
  stage.take();
  stage.run({ type: 'stop' }).pass(1_000_000);
  assert.deepEqual(stage.take(), ['stop 2']);
  stage.crash(2, { type: 'shutdown' });
  assert.deepEqual(stage.take(), ['kill 1', 'stop 0']);
  stage.pass(299);
  assert.deepEqual(stage.take(), []);
  stage.pass(1);
  assert.deepEqual(stage.take(), ['kill 0', 'exit shutdown']);
});

test('a crash during shutdown is not answered by a restart, before its turn or in it', () => {
  const stage = new Stage(rules('one_for_one', 3), () => true, false).run({ type: 'start' });
  stage.take();
  stage.run({ type: 'stop' });
  stage.crash(0).crash(2).crash(1);
  assert.deepEqual(stage.take(), ['stop 2', 'stop 1', 'exit shutdown']);
});

test('a stop during a backoff cancels it', () => {
  const backoff: Backoff = { min: 500, max: 500, jitter: 0, stable: 1_000 };
  const stage = new Stage(rules('one_for_all', 2, { backoff })).run({ type: 'start' });
  stage.crash(0).run({ type: 'stop' });
  assert.equal(stage.exit, 'shutdown');
  assert.equal(stage.timers.size, 0);
});

test('an operator restart counts as no failure, keeps the order, and only shortens a pause that is on', () => {
  const backoff: Backoff = { min: 500, max: 500, jitter: 0, stable: 1_000 };
  const stage = new Stage(rules('rest_for_one', 3, { backoff })).run({ type: 'start' });
  stage.take();
  for (let count = 0; count < 20; count++) stage.run({ type: 'restart', child: 1 });
  assert.deepEqual(stage.take().slice(0, 2), ['stop 1', 'start 1 ok']);
  assert.deepEqual(stage.state.window, []);
  stage.crash(1);
  stage.take();
  stage.run({ type: 'restart', child: 2 });
  assert.deepEqual(stage.take(), []);
  stage.run({ type: 'restart', child: 1 });
  assert.deepEqual(stage.take(), ['start 1 ok', 'start 2 ok']);
  assert.equal(stage.timers.size, 0);
});

test('a late report of a former incarnation changes nothing', () => {
  const stage = new Stage(rules('one_for_one', 1)).run({ type: 'start' });
  stage.crash(0);
  stage.take();
  stage.run({ type: 'exited', child: 0, incarnation: 1, reason: CRASH });
  stage.run({ type: 'exited', child: 7, incarnation: 1, reason: CRASH });
  stage.run({ type: 'timer', timer: 99 });
  assert.deepEqual(stage.take(), []);
});

test('the window: its edge counts, one past it does not, and zero restarts means the first one', () => {
  const intensity: Intensity = { restarts: 1, within: 1_000 };
  const first = record([], 0, intensity);
  assert.equal(first.exceeded, false);
  assert.equal(record(first.window, 1_000, intensity).exceeded, true);
  assert.equal(record(first.window, 1_000.001, intensity).exceeded, false);
  assert.deepEqual(record(first.window, 1_001, intensity).window, [1_001]);
  assert.equal(record([], 5, { restarts: 0, within: 1_000 }).exceeded, true);
});

test('the delay doubles up to its maximum, is never negative or endless, and jitter only shortens it', () => {
  const backoff: Backoff = { min: 10, max: 1_000, jitter: 0.5, stable: 1 };
  assert.deepEqual(
    [0, 1, 2, 7, 5_000].map((failures) => delay(backoff, failures, 0)),
    [10, 20, 40, 1_000, 1_000],
  );
  assert.equal(delay(IMMEDIATE, 5_000, 0.9), 0);
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 0.999, noNaN: true }), (failures, chance) => {
      const ms = delay(backoff, failures, chance);
      assert.ok(ms >= 5 && ms <= 1_000);
    }),
  );
});

test('failures are forgotten after a time of its own, not after the first delay', () => {
  const backoff: Backoff = { min: 10, max: 10_000, jitter: 0, stable: 1_000 };
  const stage = new Stage(rules('one_for_one', 1, { backoff, intensity: { restarts: 100, within: 1e9 } }));
  stage.run({ type: 'start' });
  const pauses: number[] = [];
  for (const up of [0, 50, 50, 999, 1_000, 0]) {
    stage.pass(up).crash(0);
    const until = [...stage.timers.values()][0]!;
    pauses.push(until - stage.now);
    stage.pass(until - stage.now);
  }
  assert.deepEqual(pauses, [10, 20, 40, 80, 10, 20]);
});

test('a failed start does not count as time up', () => {
  const backoff: Backoff = { min: 400, max: 10_000, jitter: 0, stable: 1_000 };
  const stage = new Stage(rules('one_for_one', 1, { backoff, intensity: { restarts: 9, within: 1e9 } }), (n) => n < 1);
  stage
    .run({ type: 'start' })
    .crash(0)
    .pass(400 + 800 + 1_600);
  assert.equal(stage.state.children[0]?.failures, 4);
});

test('a spec that could never escalate, or names a child twice, is refused when it is written', () => {
  assert.equal(escalates({ min: 2_000, max: 9_000, jitter: 0, stable: 1 }, { restarts: 3, within: 5_000 }), false);
  assert.equal(escalates({ min: 10, max: 9_000, jitter: 0, stable: 1 }, { restarts: 3, within: 5_000 }), true);
  const backoff = { min: 2_000, max: 9_000, jitter: 0, stable: 1 };
  assert.throws(() => check(rules('one_for_one', 1, { backoff })), /in spite of the backoff/);
  const twin = { id: 'twin', restart: 'permanent', shutdown: 1 } as const;
  assert.throws(() => check(rules('one_for_one', [twin, twin])), /ids of siblings/);
  for (const id of ['a:b', 'a@b', 'a/b', 'a.1', '', 'A']) {
    assert.throws(() => check(rules('one_for_one', [{ ...twin, id }])), /lower-case/);
  }
  assert.throws(() => check(rules('one_for_one', [{ ...twin, shutdown: 0 }])), /above 0/);
});
