// Owns the tests of the machine's World, and of the runtime on it under a flood.
// Invariant: bounds are on medians and wide, as machines are shared.
// Must not: wait longer than it takes to see the order of things.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import type { Behaviour } from '../../actors/behaviour.js';
import { LIMITS } from '../../actors/limits.js';
import { createRuntime } from '../../actors/runtime.js';
import { createMachine } from '../../services/machine.js';

test('timers fire after their time, not when cancelled, and refuse what Node cannot wait for', async () => {
  const world = createMachine();
  const began = world.now();
  let cancelled = false;
  world.timer(5, () => {
    cancelled = true;
  })();
  // Unreferenced timers alone would let the process end.
  const keep = setTimeout(() => {}, 10_000);
  await new Promise<void>((resolve) => world.timer(20, resolve));
  clearTimeout(keep);
  assert.ok(world.now() - began >= 19);
  assert.equal(cancelled, false);
  assert.throws(() => world.timer(2 ** 31, () => {}), /invariant/);
});

test('a pending timer does not keep the process alive', () => {
  const machine = new URL('../../services/machine.js', import.meta.url).href;
  const program = `import { createMachine } from ${JSON.stringify(machine)}; createMachine().timer(600_000, () => {});`;
  execFileSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 20_000 });
});

test('randomness is in range and does not repeat', () => {
  const world = createMachine();
  const drawn = Array.from({ length: 2_000 }, () => world.random());
  assert.ok(drawn.every((value) => value >= 0 && value < 1));
  assert.ok(new Set(drawn).size > 1_990);
  assert.equal(world.randomBytes(16).length, 16);
  assert.notDeepEqual(world.randomBytes(16), world.randomBytes(16));
});

test('actors that never rest leave sockets their turn', async () => {
  const runtime = createRuntime(createMachine());
  let over = false;
  const restless: Behaviour<null, 'spin'> = {
    kind: 'restless',
    level: 'interactive',
    capacity: 4,
    init: () => null,
    receive(_state, message, context) {
      if (!over) context.tell(context.self, message);
    },
  };
  for (let i = 0; i < 200; i++) runtime.spawn(restless, `r${i}`, undefined).tell('spin');
  const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(client, 'connect');
  const waits: number[] = [];
  for (let i = 0; i < 30; i++) {
    const asked = performance.now();
    client.write('ping');
    await once(client, 'data');
    waits.push(performance.now() - asked);
  }
  over = true;
  client.destroy();
  server.close();
  // There and back takes a few turns of the event loop, each at most one turn of the run queue long.
  const middle = waits.sort((a, b) => a - b)[15] ?? 0;
  assert.ok(middle < 8 * LIMITS.turnMs, `${middle} ms for an echo`);
  assert.ok(runtime.stats().handled > 10_000, 'there was a flood');
});
