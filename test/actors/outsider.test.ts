// Owns the tests of actors of another node as this node's actors see them: told, monitored, watched.
// Invariant: a monitor of one is like a monitor of an own actor, but for what its end is called.
// Must not: know links (test/cluster).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delivery } from '../../actors/behaviour.js';
import { Outsider } from '../../actors/outsider.js';
import { Watchers } from '../../actors/watchers.js';
import { puppet, setUp } from './puppet.js';

class Far extends Outsider<string> {
  readonly kind = 'far';
  readonly key = 'far';
  readonly incarnation = 7;
  readonly heard: string[] = [];
  readonly watchers = new Watchers();
  alive = true;

  tell(message: string): Delivery {
    this.heard.push(message);
    return 'ok';
  }

  watchable(): Watchers | null {
    return this.alive ? this.watchers : null;
  }

  end(): void {
    this.alive = false;
    this.watchers.announce({ type: 'noconnection' });
  }
}

test('an outsider is told and monitored like an actor of this runtime; each monitor hears once', () => {
  const { world, runtime } = setUp();
  const far = new Far();
  const log: unknown[] = [];
  const watcher = runtime.spawn(puppet({ capacity: 16 }), 'watcher', log);
  watcher.tell((context) => {
    assert.equal(context.tell(far, 'hello'), 'ok');
    context.monitor(far);
    context.monitor(far);
    context.demonitor(context.monitor(far));
  });
  runtime.watch(far, ({ type }) => log.push(`watch ${type}`));
  runtime.watch(far, () => log.push('never'))();
  world.settle();
  assert.equal(runtime.inspect(watcher)?.monitoring, 2);
  assert.equal(far.watchers.watchers, 3);
  far.end();
  far.end();
  world.settle();
  watcher.tell((context) => context.monitor(far));
  world.settle();
  assert.deepEqual(far.heard, ['hello']);
  const down = 'down far noconnection';
  assert.deepEqual(log, ['watch noconnection', down, down, 'down far noproc']);
  assert.equal(runtime.inspect(watcher)?.monitoring, 0);
  assert.equal(far.watchers.watched, false);
});

test('who monitors an outsider and ends leaves nothing there', () => {
  const { world, runtime } = setUp();
  const far = new Far();
  const watcher = runtime.spawn(puppet(), 'watcher', []);
  watcher.tell((context) => context.monitor(far));
  world.settle();
  runtime.exit(watcher, { type: 'shutdown' });
  world.settle();
  assert.equal(far.watchers.watched, false);
});

test('an outsider can be neither linked nor ended, and an ask of it ends with its time', async () => {
  const { world, runtime } = setUp();
  const far = new Far();
  const log: unknown[] = [];
  const watcher = runtime.spawn(puppet(), 'watcher', log);
  watcher.tell((context) => context.link(far));
  world.settle();
  assert.equal(watcher.alive, false, 'that is a bug of the actor');
  assert.throws(() => runtime.exit(far, { type: 'killed' }));
  assert.equal(runtime.inspect(far), null);
  const asked = runtime.ask(far, () => 'how are you', 50);
  world.advance(60);
  world.settle();
  assert.deepEqual(await asked, { ok: false, error: 'timeout' });
});
