// Owns the tests of what actors give back.
// Invariant: what an actor used is collected or back in the pool once it is idle or has ended, though refs to it remain.
// Must not: measure bytes (bench/kernel.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Core } from '../../actors/core.js';
import { LIMITS } from '../../actors/limits.js';
import type { Ref } from '../../actors/ref.js';
import { ManualWorld } from './manual-world.js';
import { type Act, puppet, say } from './puppet.js';

test('an ended actor holds neither its state nor a signal nor a ring', async () => {
  const world = new ManualWorld();
  const core = new Core(world, LIMITS, null);
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  assert.ok(typeof collect === 'function');
  const spawn = (): [Ref<Act>, WeakRef<object>] => {
    const entries: unknown[] = [];
    return [core.spawn(puppet(), 'a', entries), new WeakRef(entries)];
  };
  const [ref, state] = spawn();
  for (let i = 0; i < 3; i++) ref.tell(say(i));
  world.settle();
  assert.equal(core.rings.messages.slots, LIMITS.ringStart, 'an idle actor holds no ring');
  ref.tell((context) => {
    context.completion('dropped')(1);
    context.stop();
  });
  for (let i = 0; i < 3; i++) ref.tell(say(i));
  world.settle();
  assert.equal(core.rings.messages.slots, LIMITS.ringStart);
  assert.equal(core.rings.signals.slots, LIMITS.ringStart);
  // A WeakRef holds its target until the task that made it is over.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  assert.equal(ref.alive, false);
  assert.equal(state.deref(), undefined);
});
