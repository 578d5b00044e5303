// Owns the tests of the runtime as a whole: asks, counters, tracing, limits, and shares between actors.
// Invariant: on a manual clock, so that time-outs and turns are exact.
// Must not: measure speed (bench/kernel.ts).

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExitReason } from '../../actors/behaviour.js';
import { LIMITS } from '../../actors/limits.js';
import type { Ref, Reply } from '../../actors/ref.js';
import { type Act, crash, puppet, say, setUp } from './puppet.js';

const answer =
  (value: unknown) =>
  (reply: Reply): Act =>
  () =>
    reply.answer(value);
const silence = (): Act => () => {};
const suspend: Act = (context) => context.suspend();

describe('ask', () => {
  test('between actors: answered, late, dead before, dead meanwhile, busy; each once', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const asker = runtime.spawn(puppet(), 'asker', log);
    const spawn = (key: string): Ref<Act> => runtime.spawn(puppet(), key, []);
    const [good, mute, dead, dying, full] = [
      spawn('good'),
      spawn('mute'),
      spawn('dead'),
      spawn('dying'),
      spawn('full'),
    ];
    dead.tell(crash);
    full.tell(suspend);
    world.settle();
    for (let i = 0; i < 4; i++) full.tell(silence());
    let kept: Reply | undefined;
    asker.tell((context) => {
      context.ask(good, answer(42), 1_000, 'good');
      context.ask(dead, answer(0), 1_000, 'dead');
      context.ask(full, answer(0), 1_000, 'full');
      context.ask(dying, silence, 1_000, 'dying');
      const keep = (reply: Reply): Act => {
        kept = reply;
        return () => {};
      };
      context.ask(mute, keep, 1_000, 'mute');
    });
    world.settle();
    dying.tell(crash);
    world.settle();
    assert.deepEqual(log.sort(), ['reply dead dead', 'reply dying dead', 'reply full busy', 'reply good 42']);
    log.length = 0;
    world.advance(900);
    assert.deepEqual(log, []);
    world.advance(200);
    kept?.answer('too late');
    world.settle();
    assert.deepEqual(log, ['reply mute timeout']);
    assert.equal(runtime.stats().timers, 0);
    for (const ref of [good, mute]) assert.equal(runtime.inspect(ref)?.monitors, 0, 'an ask leaves nothing behind');
  });

  test('from outside: a value either way, never a rejection', async () => {
    const { world, runtime } = setUp();
    const ref = runtime.spawn(puppet(), 'a', []);
    const answers = [
      runtime.ask(ref, answer('yes'), 100),
      runtime.ask(ref, silence, 100),
      runtime.ask(ref, () => crash, 100),
    ];
    world.advance(200);
    answers.push(runtime.ask(ref, answer('never'), 100));
    assert.deepEqual(await Promise.all(answers), [
      { ok: true, value: 'yes' },
      { ok: false, error: 'dead' },
      { ok: false, error: 'dead' },
      { ok: false, error: 'dead' },
    ]);
    const mute = runtime.spawn(puppet(), 'mute', []);
    const unanswered = runtime.ask(mute, silence, 100);
    world.advance(200);
    assert.deepEqual(await unanswered, { ok: false, error: 'timeout' });
    await assert.rejects(
      runtime.ask(
        mute,
        () => {
          throw new Error('in make');
        },
        100,
      ),
      /in make/,
    );
  });

  test('a cancelled ask stays silent; a make that throws leaves nothing open', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const [asker, mute] = [runtime.spawn(puppet(), 'asker', log), runtime.spawn(puppet(), 'mute', [])];
    asker.tell((context, state) => {
      context.cancel(context.ask(mute, answer(1), 100, 'cancelled'));
      const make = (): Act => {
        throw new Error('in make');
      };
      assert.throws(() => context.ask(mute, make, 100, 'never'), /in make/);
      state.entries.push('done');
    });
    world.advance(1_000);
    assert.deepEqual(log, ['done']);
    assert.equal(runtime.inspect(asker)?.operations, 0);
  });
});

describe('timers', () => {
  test('fire once, not early, and not when cancelled', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const ref = runtime.spawn(puppet(), 'a', log);
    ref.tell((context) => {
      context.after(100, 'first');
      const op = context.after(200, 'cancelled');
      context.after(300, 'last');
      context.cancel(op);
      context.cancel(op);
      context.cancel(12_345);
    });
    world.advance(99);
    assert.deepEqual(log, []);
    world.advance(21);
    assert.deepEqual(log, ['timer first']);
    world.advance(1_000);
    assert.deepEqual(log, ['timer first', 'timer last']);
  });
});

test('now is read once per slice, and anew in the next', () => {
  const { world, runtime } = setUp();
  const log: unknown[] = [];
  const ref = runtime.spawn(puppet(), 'a', log);
  const look: Act = (context, state) => {
    state.entries.push(context.now());
    world.time += 0.1;
  };
  ref.tell(look);
  ref.tell(look);
  world.settle();
  ref.tell(look);
  world.settle();
  assert.equal(log[1], log[0]);
  assert.ok(log[2] !== log[0]);
});

describe('limits', () => {
  test('open operations: an ask is answered busy, a timer is a crash of its actor', () => {
    const { world, runtime } = setUp({ limits: { operations: 2 } });
    const log: unknown[] = [];
    const [ref, mute] = [runtime.spawn(puppet(), 'a', log), runtime.spawn(puppet(), 'mute', [])];
    const reasons: ExitReason[] = [];
    runtime.watch(ref, (reason) => reasons.push(reason));
    ref.tell((context) => {
      for (const tag of ['1', '2', '3']) context.ask(mute, silence, 1_000, tag);
    });
    world.settle();
    assert.deepEqual(log, ['reply 3 busy']);
    ref.tell((context) => void context.after(1, 'one too many'));
    world.settle();
    assert.equal(reasons[0]?.type, 'crash');
    assert.equal(runtime.stats().timers, 0);
  });

  test('actors and behaviours are bounded; an actor that ends makes room', () => {
    const { world, runtime } = setUp({ limits: { cells: 2, kinds: 1 } });
    const kind = puppet();
    const first = runtime.spawn(kind, 'a', []);
    runtime.spawn(kind, 'b', []);
    assert.throws(() => runtime.spawn(kind, 'c', []), /bounded number of actors/);
    runtime.exit(first, { type: 'killed' });
    world.settle();
    assert.throws(() => runtime.spawn(puppet(), 'c', []), /one behaviour object per kind/);
    runtime.spawn(kind, 'c', []);
    const cyclic = puppet();
    assert.throws(() => runtime.spawn({ ...cyclic, capacity: 0 }, 'd', []), /invariant/);
  });

  test('dead letters keep the newest and count all', () => {
    const { world, runtime } = setUp({ limits: { deadLetters: 3 } });
    const ref = runtime.spawn(puppet(), 'a', []);
    runtime.exit(ref, { type: 'killed' });
    world.settle();
    const heard: unknown[] = [];
    const broken = runtime.deadLetters.subscribe(() => {
      throw new Error('in a subscriber');
    });
    const undo = runtime.deadLetters.subscribe((letter) => heard.push(letter.message));
    const messages = Array.from({ length: 5 }, (_, i) => say(i));
    for (const message of messages) ref.tell(message);
    undo();
    broken();
    ref.tell(say('unheard'));
    assert.deepEqual(heard, messages);
    assert.deepEqual(
      runtime.deadLetters
        .list()
        .slice(0, 2)
        .map((letter) => letter.message),
      messages.slice(3),
    );
    assert.equal(runtime.stats().deadLetters, 6);
    assert.equal(runtime.stats().faults, 5);
  });
});

describe('what operators see', () => {
  test('stats and inspect follow the truth', () => {
    const { world, runtime } = setUp();
    const ref = runtime.spawn(puppet(), 'a', []);
    runtime.spawn(puppet({ kind: 'other', level: 'bulk' }), 'b', []).tell(silence());
    ref.tell(silence());
    ref.tell(silence());
    const before = runtime.stats();
    assert.deepEqual(before.cells, { puppet: 1, other: 1 });
    assert.deepEqual(before.ready, { system: 0, interactive: 1, bulk: 1 });
    assert.deepEqual([before.queued, before.handled], [3, 0]);
    assert.equal(runtime.inspect(ref)?.messages, 2);
    assert.equal(runtime.idle(), false);
    world.settle();
    const after = runtime.stats();
    assert.deepEqual([after.queued, after.handled], [0, 3]);
    assert.equal(runtime.inspect(ref)?.handled, 2);
    assert.equal(runtime.inspect(ref)?.status, 'idle');
    assert.equal(runtime.idle(), true);
  });

  test('the trace hears everything, times only when asked, and cannot harm', () => {
    const { world, runtime } = setUp();
    const heard: string[] = [];
    const slow: Act = () => {
      world.time += 2;
    };
    const run = (): void => {
      const ref = runtime.spawn(puppet(), 'a', []);
      ref.tell(slow);
      world.settle();
      ref.tell(crash);
      ref.tell(slow);
      world.settle();
    };
    const trace = {
      spawned: () => heard.push('spawned'),
      handled: (kind: string, key: string, micros: number | undefined) => heard.push(`${kind} ${key} ${micros}`),
      ended: (_ref: Ref<never>, reason: ExitReason) => heard.push(reason.type),
      deadLetter: () => heard.push('dead letter'),
    };
    runtime.trace = trace;
    run();
    assert.deepEqual(heard, ['spawned', 'puppet a undefined', 'dead letter', 'crash']);
    heard.length = 0;
    runtime.trace = { ...trace, timed: true };
    run();
    assert.deepEqual(heard, ['spawned', 'puppet a 2000', 'dead letter', 'crash']);
    runtime.trace = {
      handled() {
        throw new Error('in a hook');
      },
    };
    const log: unknown[] = [];
    runtime.spawn(puppet(), 'b', log).tell(say('unharmed'));
    world.settle();
    assert.deepEqual(log, ['unharmed']);
    assert.equal(runtime.stats().faults, 1);
  });
});

test('a bulk flood of actors that tell themselves does not delay a chat by more than its share', () => {
  const { world, runtime } = setUp();
  let flood = 0;
  const spin: Act = (context) => {
    flood++;
    context.tell(context.self, spin);
  };
  for (let i = 0; i < 100; i++) runtime.spawn(puppet({ kind: `bulk${i % 3}`, level: 'bulk' }), `f${i}`, []).tell(spin);
  let ended = 0;
  let hops = 0;
  const hop: Act = (context) => {
    hops++;
    if (hops < 1_000) context.tell(hops % 2 === 0 ? left : right, hop);
    else ended = flood;
  };
  const left = runtime.spawn(puppet(), 'left', []);
  const right = runtime.spawn(puppet(), 'right', []);
  world.turn();
  const began = flood;
  left.tell(hop);
  for (let turns = 0; turns < 50 && hops < 1_000; turns++) world.turn();
  assert.equal(hops, 1_000);
  // Each hop makes the other actor ready anew, so it waits for one bulk slice at worst.
  assert.ok(ended - began <= 1_001 * LIMITS.sliceMessages, `${ended - began} bulk messages`);
});
