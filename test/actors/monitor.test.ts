// Owns the tests of who hears of an actor's end: monitors, links, watchers.
// Invariant: each hears exactly once.
// Must not: test supervision (test/supervisors).

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Ref } from '../../actors/ref.js';
import { type Act, crash, puppet, say, setUp } from './puppet.js';

describe('monitors and links', () => {
  test('DOWN comes exactly once per monitor, with the reason, and for the dead with noproc', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const target = runtime.spawn(puppet(), 'target', []);
    const watcher = runtime.spawn(puppet({ capacity: 16 }), 'watcher', log);
    watcher.tell((context) => {
      context.monitor(target);
      context.monitor(target);
      context.demonitor(context.monitor(target));
    });
    world.settle();
    assert.equal(runtime.inspect(watcher)?.monitoring, 2);
    target.tell(crash);
    world.settle();
    watcher.tell((context) => context.monitor(target));
    world.settle();
    assert.deepEqual(log, ['down target crash', 'down target crash', 'down target noproc']);
    assert.equal(runtime.inspect(watcher)?.monitoring, 0);
  });

  test('watch calls back exactly once, also for the dead, and not after it was taken back', () => {
    const { world, runtime } = setUp();
    const heard: string[] = [];
    const ref = runtime.spawn(puppet(), 'a', []);
    runtime.watch(ref, (reason) => heard.push(reason.type));
    const undo = runtime.watch(ref, () => heard.push('never'));
    undo();
    undo();
    runtime.exit(ref, { type: 'killed' });
    assert.equal(heard.length, 0);
    world.settle();
    runtime.watch(ref, (reason) => heard.push(reason.type));
    runtime.watch(ref, () => heard.push('never'))();
    assert.deepEqual(heard, ['killed'], 'not before watch has returned');
    world.settle();
    assert.deepEqual(heard, ['killed', 'noproc']);
  });

  test('a watcher may spawn the next incarnation from its callback', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    let current = runtime.spawn(puppet(), 'a', log);
    const restart = (): void => {
      current = runtime.spawn(puppet(), 'a', log);
      runtime.watch(current, restart);
    };
    runtime.watch(current, restart);
    for (let i = 0; i < 5; i++) {
      current.tell(crash);
      world.settle();
    }
    current.tell(say('still here'));
    world.settle();
    assert.deepEqual(log, ['still here']);
    assert.deepEqual(runtime.stats().cells, { puppet: 1 });
  });

  test('an abnormal end takes linked actors along unless they trap exits; a normal one does not', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const spawn = (key: string, trapExit = false): Ref<Act> => runtime.spawn(puppet({ trapExit }), key, log);
    const [a, b, c, d] = [spawn('a'), spawn('b'), spawn('c', true), spawn('d')];
    a.tell((context) => {
      context.link(b);
      context.link(c);
      context.link(d);
      context.unlink(d);
    });
    world.settle();
    b.tell((context) => context.stop());
    world.settle();
    assert.deepEqual([a.alive, log], [true, []]);
    assert.equal(runtime.inspect(a)?.links, 1);
    a.tell(crash);
    world.settle();
    assert.deepEqual([c.alive, d.alive], [true, true]);
    c.tell((context) => context.link(a));
    d.tell((context) => context.link(a));
    world.settle();
    assert.deepEqual(log, ['exit a crash', 'exit a noproc']);
    assert.deepEqual([c.alive, d.alive], [true, false]);
    const e = spawn('e');
    c.tell((context) => context.link(e));
    e.tell((context) => context.stop());
    world.settle();
    assert.equal(log.length, 2, 'a normal end is no news, not even where exits are trapped');
    assert.equal(runtime.inspect(c)?.links, 0);
  });

  test('killed and shutdown are orders only from outside: over a link they can be trapped', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const trapping = runtime.spawn(puppet({ trapExit: true }), 'trapping', log);
    const peers = ['a', 'b'].map((key) => runtime.spawn(puppet(), key, []));
    trapping.tell((context) => {
      for (const peer of peers) context.link(peer);
    });
    world.settle();
    runtime.exit(peers[0] ?? assert.fail(), { type: 'killed' });
    runtime.exit(peers[1] ?? assert.fail(), { type: 'shutdown' });
    world.settle();
    assert.deepEqual(log, ['exit a killed', 'exit b shutdown']);
  });

  test('a ring of links falls as a whole, each telling its monitors once', () => {
    const { world, runtime } = setUp();
    const downs: string[] = [];
    const refs = Array.from({ length: 50 }, (_, i) => runtime.spawn(puppet(), `r${i}`, []));
    refs.forEach((ref, i) => {
      const next = refs[(i + 1) % refs.length];
      ref.tell((context) => {
        if (next !== undefined) context.link(next);
      });
      runtime.watch(ref, () => downs.push(ref.key));
    });
    world.settle();
    runtime.exit(refs[7] ?? assert.fail(), { type: 'killed' });
    world.settle();
    assert.equal(new Set(downs).size, 50);
    assert.equal(downs.length, 50);
  });

  test('whatever is monitored, taken back and ended in whatever order: one DOWN for each monitor kept', () => {
    const step = fc.record({
      type: fc.constantFrom(
        'monitor' as const,
        'demonitor' as const,
        'end' as const,
        'watch' as const,
        'settle' as const,
      ),
      who: fc.nat(5),
      whom: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { world, runtime } = setUp();
        const downs = new Map<number, number>();
        const expected = new Set<number>();
        const behaviour = puppet({
          capacity: 1_000,
          signal(_state, signal) {
            if (signal.type === 'down') downs.set(signal.monitor, (downs.get(signal.monitor) ?? 0) + 1);
          },
        });
        const refs = Array.from({ length: 6 }, (_, i) => runtime.spawn(behaviour, `${i}`, []));
        // The watchers never end, so each DOWN has somewhere to go.
        const watchers = Array.from({ length: 6 }, (_, i) => runtime.spawn(behaviour, `w${i}`, []));
        const kept: number[][] = refs.map(() => []);
        let watched = 0;
        let heard = 0;
        for (const { type, who, whom } of steps) {
          const target = refs[whom] ?? assert.fail();
          const watcher = watchers[who] ?? assert.fail();
          const mine = kept[who] ?? assert.fail();
          if (type === 'settle') world.settle();
          else if (type === 'end') runtime.exit(target, { type: 'killed' });
          else if (type === 'watch') {
            watched++;
            runtime.watch(target, () => heard++);
          } else if (type === 'monitor') {
            watcher.tell((context) => {
              const id = context.monitor(target);
              mine.push(id);
              expected.add(id);
            });
          } else {
            watcher.tell((context) => {
              const id = mine.pop();
              if (id === undefined) return;
              // Taken back too late: it has been told, or its signal is queued.
              if (target.alive && !downs.has(id)) context.demonitor(id);
            });
          }
        }
        for (const ref of refs) runtime.exit(ref, { type: 'shutdown' });
        world.settle();
        assert.equal(heard, watched);
        for (const [id, count] of downs) assert.ok(expected.has(id) && count === 1);
        for (const watcher of watchers) assert.equal(runtime.inspect(watcher)?.monitoring, 0);
        const undone = expected.size - downs.size;
        assert.ok(undone <= steps.filter((s) => s.type === 'demonitor').length, `${undone} monitors heard nothing`);
      }),
    );
  });
});
