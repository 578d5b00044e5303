// Owns the tests of what one actor promises about its handlers and its end.
// Invariant: each fault that other runtimes are known for has a test under its name, here or in its neighbours.
// Must not: reach into cells; all goes through the runtime's own interface.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Context, ExitReason } from '../../actors/behaviour.js';
import type { Ref, Reply } from '../../actors/ref.js';
import { type Act, brief, crash, puppet, say, setUp } from './puppet.js';

describe('handlers', () => {
  test('never overlap: tell inside a handler only queues, even to itself', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const ref = runtime.spawn(puppet(), 'a', log);
    ref.tell((context, state) => {
      state.entries.push('begin');
      assert.equal(context.tell(ref, say('inner')), 'ok');
      assert.equal(context.tell(context.self, say('inner too')), 'ok');
      state.entries.push('end');
    });
    assert.deepEqual(log, [], 'tell runs nothing');
    world.settle();
    assert.deepEqual(log, ['begin', 'end', 'inner', 'inner too']);
  });

  test('who gives way gets the share of bulk work, until it does not give way any more', () => {
    const { world, runtime } = setUp();
    const done = { polite: 0, other: 0 };
    let left = 0;
    const work =
      (name: keyof typeof done): Act =>
      (context) => {
        done[name] += 1;
        left -= 1;
        if (left > 0) context.tell(context.self, work(name));
      };
    const polite = runtime.spawn(puppet(), 'polite', []);
    const other = runtime.spawn(puppet(), 'other', []);
    const ratio = (on: boolean): number => {
      polite.tell((context) => context.giveWay(on));
      world.settle();
      Object.assign(done, { polite: 0, other: 0 });
      left = 10_000;
      polite.tell(work('polite'));
      other.tell(work('other'));
      world.settle();
      return done.other / done.polite;
    };
    assert.ok(Math.abs(ratio(true) - 4) < 0.5);
    assert.ok(Math.abs(ratio(false) - 1) < 0.1);
  });

  test('what is woken by one that gives way waits as it does', () => {
    const { world, runtime } = setUp();
    const polite = runtime.spawn(puppet(), 'polite', []);
    const busy = runtime.spawn(puppet(), 'busy', []);
    const crowd = Array.from({ length: 256 }, (_, at) => runtime.spawn(puppet(), `crowd${at}`, []));
    let left = 0;
    const work: Act = (context) => {
      left -= 1;
      if (left > 0) context.tell(busy, work);
    };
    /** Messages that the busy one handles until all others were woken and have run. */
    const waited = (): number => {
      let open = crowd.length;
      let seen = 0;
      left = 10_000;
      const wake: Act = (context) => {
        for (const one of crowd) {
          context.tell(one, () => {
            open -= 1;
            if (open === 0) seen = 10_000 - left;
          });
        }
      };
      busy.tell(work);
      polite.tell(wake);
      world.settle();
      return seen;
    };
    const before = waited();
    polite.tell((context) => context.giveWay(true));
    world.settle();
    assert.ok(waited() > 3 * before);
  });

  test('what bulk work asked for is answered as bulk work, and waits no longer when something else comes as well', () => {
    const { world, runtime } = setUp();
    const polite = runtime.spawn(puppet(), 'polite', []);
    const busy = runtime.spawn(puppet(), 'busy', []);
    let left = 0;
    let open = 0;
    let seen = 0;
    const work: Act = (context) => {
      left -= 1;
      if (left > 0) context.tell(busy, work);
    };
    const answered = puppet({
      signal() {
        open -= 1;
        if (open === 0) seen = 10_000 - left;
      },
    });
    const crowd = Array.from({ length: 256 }, (_, at) => runtime.spawn(answered, `crowd${at}`, []));
    /** Messages that the busy one handles until all answers were taken. */
    const waited = (asker: Ref<Act>, more: boolean): number => {
      const answers: (() => void)[] = [];
      asker.tell((context) => {
        for (const one of crowd) context.tell(one, (mine) => void answers.push(mine.completion('load') as () => void));
      });
      world.settle();
      left = 10_000;
      open = crowd.length;
      busy.tell(work);
      for (const answer of answers) answer();
      if (more) for (const one of crowd) one.tell(say('more'));
      world.settle();
      return seen;
    };
    const plain = waited(polite, false);
    polite.tell((context) => context.giveWay(true));
    world.settle();
    assert.ok(waited(polite, false) > 3 * plain);
    assert.ok(waited(polite, true) < 2 * plain);
  });

  test('signals come before messages', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const ref = runtime.spawn(puppet(), 'a', log);
    ref.tell((context) => {
      const done = context.completion('load');
      context.tell(context.self, say('message'));
      done('rows');
      done('again');
    });
    world.settle();
    assert.deepEqual(log, ['result load rows', 'message']);
  });

  test('a context used outside its handler is caught', () => {
    const { world, runtime } = setUp();
    let kept: Context<Act, string> | undefined;
    const ref = runtime.spawn(puppet(), 'a', []);
    ref.tell((context) => {
      kept = context;
    });
    world.settle();
    assert.throws(() => kept?.after(1, 'late'), /invariant broken: a context/);
    assert.throws(() => kept?.self, /invariant broken: a context/);
  });

  test('suspend holds messages back, not signals; resume lets them go on', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    let loaded: ((value: unknown) => void) | undefined;
    const ref = runtime.spawn(
      puppet({
        init(context, entries) {
          context.suspend();
          loaded = context.completion('load');
          return { entries };
        },
        signal(state, signal, context) {
          state.entries.push(brief(signal));
          context.resume();
        },
      }),
      'a',
      log,
    );
    ref.tell(say('one'));
    ref.tell(say('two'));
    world.settle();
    assert.deepEqual(log, []);
    assert.equal(runtime.inspect(ref)?.status, 'suspended');
    assert.equal(runtime.idle(), true);
    loaded?.('state');
    world.settle();
    assert.deepEqual(log, ['result load state', 'one', 'two']);
  });

  test('an urgent message goes past a lane that is held, and waits its turn in one that is not', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const urgent = say('urgent');
    const ref = runtime.spawn(puppet({ capacity: 2, urgent: (message) => message === urgent }), 'a', log);
    ref.tell((context) => context.suspend());
    world.settle();
    for (const message of [say('one'), say('two'), urgent]) assert.equal(ref.tell(message), 'ok');
    world.settle();
    assert.deepEqual(log, ['told']);
    assert.equal(ref.tell(say('three')), 'busy');
    const open = runtime.spawn(puppet({ urgent: (message) => message === urgent }), 'b', log);
    open.tell(say('before'));
    open.tell(urgent);
    world.settle();
    assert.deepEqual(log, ['told', 'before', 'urgent']);
  });
});

describe('the end', () => {
  test('a handler that throws ends its actor alone; its messages become dead letters with the reason', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const reasons: ExitReason[] = [];
    const ref = runtime.spawn(puppet({ terminated: (_state, reason) => reasons.push(reason) }), 'a', log);
    const other = runtime.spawn(puppet(), 'b', log);
    for (const act of [crash, say('never'), say('never')]) ref.tell(act);
    other.tell(say('unharmed'));
    world.settle();
    assert.deepEqual(log, ['unharmed']);
    assert.equal(reasons[0]?.type, 'crash');
    assert.equal(ref.alive, false);
    const letters = runtime.deadLetters.list();
    assert.deepEqual(
      letters.map((letter) => [letter.to.key, letter.reason?.type]),
      [
        ['a', 'crash'],
        ['a', 'crash'],
      ],
    );
    assert.equal(ref.tell(say('late')), 'dead');
    assert.equal(runtime.stats().deadLetters, 3);
    assert.equal(runtime.stats().queued, 0);
    assert.deepEqual(runtime.stats().cells, { puppet: 1 });
  });

  test('an init that throws leaves no zombie: no count, timer, monitor, link, and nothing of it comes back', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const peer = runtime.spawn(puppet(), 'peer', log);
    let late: ((value: unknown) => void) | undefined;
    let self: Ref<Act> | undefined;
    const failing = puppet({
      init(context) {
        self = context.self;
        context.after(50, 'timer');
        context.monitor(peer);
        context.link(peer);
        context.ask(peer, (reply) => (_c, _l) => reply.answer('x'), 1_000, 'ask');
        late = context.completion('late');
        context.tell(context.self, say('never'));
        throw new Error('no state');
      },
    });
    assert.throws(() => runtime.spawn(failing, 'zombie', log), /no state/);
    late?.(1);
    world.advance(2_000);
    assert.deepEqual(log, []);
    const { cells, timers, queued } = runtime.stats();
    assert.deepEqual([cells, timers, queued], [{ puppet: 1 }, 0, 0]);
    assert.equal(runtime.inspect(peer)?.links, 0);
    assert.equal(peer.alive, true);
    assert.equal(self?.alive, false);
    assert.equal(self?.tell(say('never')), 'dead');
    // Also from inside a handler: the spawner gets the error and goes on.
    peer.tell((context, state) => {
      assert.throws(() => context.spawn(failing, 'zombie', []), /no state/);
      assert.equal(context.self, peer);
      state.entries.push('went on');
    });
    world.settle();
    assert.deepEqual(log, ['went on']);
  });

  test('a stale ref never reaches a new incarnation of its key', () => {
    const { world, runtime } = setUp();
    const [first, second]: unknown[][] = [[], []];
    const old = runtime.spawn(puppet(), 'same', first);
    old.tell((context) => context.stop());
    world.settle();
    const young = runtime.spawn(puppet(), 'same', second);
    assert.ok(young.incarnation > old.incarnation);
    assert.equal(old.tell(say('stale')), 'dead');
    young.tell(say('fresh'));
    world.settle();
    assert.deepEqual([first, second], [[], ['fresh']]);
    assert.equal(runtime.deadLetters.list().at(-1)?.to, old);
  });

  test('late timers, results and answers of an ended actor are void', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    let late: ((value: unknown) => void) | undefined;
    let reply: Reply | undefined;
    const answerer = runtime.spawn(puppet(), 'answerer', []);
    const ref = runtime.spawn(puppet(), 'a', log);
    ref.tell((context) => {
      context.after(10, 'timer');
      late = context.completion('late');
      const keep = (asked: Reply): Act => {
        reply = asked;
        return () => {};
      };
      context.ask(answerer, keep, 1_000, 'ask');
      context.stop();
    });
    world.settle();
    assert.equal(runtime.stats().timers, 0);
    late?.(1);
    reply?.answer(1);
    world.advance(5_000);
    assert.deepEqual(log, []);
  });

  test('a terminated that throws is contained, and so is a watcher that throws', () => {
    const { world, runtime } = setUp();
    const heard: string[] = [];
    const ref = runtime.spawn(
      puppet({
        terminated() {
          throw new Error('while cleaning up');
        },
      }),
      'a',
      [],
    );
    runtime.watch(ref, (reason) => heard.push(reason.type));
    runtime.watch(ref, () => {
      throw new Error('in a watcher');
    });
    runtime.watch(ref, (reason) => heard.push(reason.type));
    ref.tell((context) => context.stop());
    world.settle();
    assert.deepEqual(heard, ['normal', 'normal']);
    assert.equal(runtime.stats().faults, 2);
    assert.deepEqual(runtime.stats().cells, { puppet: 0 });
  });

  test('terminated may tell, and may start nothing', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const heir = runtime.spawn(puppet(), 'heir', log);
    const ref = runtime.spawn(
      puppet({
        terminated(_state, _reason, context) {
          context.tell(heir, say('last words'));
          assert.equal(context.tell(context.self, say('never')), 'dead');
          for (const start of [() => context.after(1, 'x'), () => context.spawn(puppet(), 'x', [])]) {
            assert.throws(start, /an ended actor starts nothing/);
          }
        },
      }),
      'a',
      [],
    );
    ref.tell((context) => context.stop());
    world.settle();
    assert.deepEqual(log, ['last words']);
    assert.equal(runtime.stats().faults, 0);
  });

  test('a stopping actor does not spin the queue, not even when suspended with messages', () => {
    const { world, runtime } = setUp();
    const ref = runtime.spawn(puppet(), 'a', []);
    ref.tell((context) => context.suspend());
    ref.tell(say('held'));
    world.settle(3);
    assert.equal(world.deferred, 0);
    runtime.exit(ref, { type: 'shutdown' });
    runtime.exit(ref, { type: 'shutdown' });
    world.settle(3);
    assert.equal(world.deferred, 0);
    assert.equal(runtime.idle(), true);
    assert.equal(runtime.inspect(ref)?.status, 'ended');
  });

  test('exit: shutdown ends ahead of queued messages, killed is not trappable, crash is, normal is nothing', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const reasons: string[] = [];
    const trapping = puppet({ trapExit: true, terminated: (_s, reason) => reasons.push(reason.type) });
    const a = runtime.spawn(trapping, 'a', log);
    a.tell(say('never'));
    runtime.exit(a, { type: 'shutdown' });
    assert.equal(a.alive, false);
    const b = runtime.spawn(trapping, 'b', log);
    runtime.exit(b, { type: 'crash', error: new Error('told to') });
    runtime.exit(b, { type: 'normal' });
    world.settle();
    assert.deepEqual(log, ['exit b crash', 'exit b normal']);
    runtime.exit(b, { type: 'killed' });
    const c = runtime.spawn(puppet({ terminated: (_s, reason) => reasons.push(reason.type) }), 'c', log);
    runtime.exit(c, { type: 'normal' });
    world.settle();
    assert.deepEqual([a.alive, b.alive, c.alive], [false, false, true]);
    runtime.exit(c, { type: 'crash', error: 1 });
    world.settle();
    assert.deepEqual(reasons, ['shutdown', 'killed', 'crash']);
  });

  test('passivate loses nothing: with a message queued, this incarnation goes on', () => {
    const { world, runtime } = setUp();
    const log: unknown[] = [];
    const ref = runtime.spawn(puppet(), 'a', log);
    ref.tell((context) => {
      context.passivate();
      context.tell(context.self, say('came meanwhile'));
    });
    ref.tell(say('queued'));
    world.settle();
    assert.deepEqual(log, ['queued', 'came meanwhile']);
    assert.equal(ref.alive, true);
    ref.tell((context) => context.passivate());
    world.settle();
    assert.equal(ref.alive, false);
    assert.equal(runtime.stats().deadLetters, 0);
  });
});
