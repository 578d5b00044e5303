// Owns the proof that a host keeps its node processes running, and ends with all of them when it cannot.
// Invariant: real processes; the machine's clock.
// Must not: need a store or a socket.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import type { World } from '../../actors/world.js';
import { Host } from '../../services/host.js';
import { NodeFailure } from '../../services/host-process.js';
import { createMachine } from '../../services/machine.js';
import { directHost } from '../../supervisors/direct-host.js';

const PUPPET = join(import.meta.dirname, 'puppet-node.js');

interface Scene {
  readonly host: Host;
  /** In order of their starts, with what they were told to do. */
  readonly children: ChildProcess[];
  readonly lines: string[];
  readonly events: string[];
}

/** How the child of this index behaves that is the host's `count`th. */
type Role = (index: number, count: number) => string;

function scene(t: TestContext, nodes: number, role: Role = () => 'serve', world: World = createMachine()): Scene {
  const children: ChildProcess[] = [];
  const lines: string[] = [];
  const events: string[] = [];
  const host = new Host({
    nodes: Array.from({ length: nodes }, (_, index) => `n-${index + 1}`),
    world,
    seats: directHost(world),
    spawn: (index) => {
      const child = spawn(process.execPath, [PUPPET, role(index, children.length)], {
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      });
      children.push(child);
      return child;
    },
    line: (text) => lines.push(text),
    event: ({ type, path }) => events.push(`${path} ${type}`),
    final: ({ exit }) => exit === 4,
  });
  // The machine's timers keep no process alive, and neither do children that have ended.
  const alive = setInterval(() => undefined, 1_000);
  t.after(() => {
    clearInterval(alive);
    for (const child of children) child.kill('SIGKILL');
  });
  return { host, children, lines, events };
}

/** Polls: a restart has no event that a test could wait for but the process itself. */
async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, String(holds));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const over = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

test('nodes start, the first one alone; one that is killed starts again; all stop when told', async (t) => {
  const alone: boolean[] = [];
  const { host, children, lines, events } = scene(t, 3, (_index, count) => {
    alone.push(count === 0 || host.url !== '');
    return 'serve';
  });
  await host.start();
  assert.match(host.url, /^ws:/);
  assert.deepEqual([...host.pids.keys()], ['n-1', 'n-2', 'n-3']);
  assert.deepEqual(alone, [true, true, true], 'the others are not started before the first one serves');

  children[1]!.kill('SIGKILL');
  await until(() => events.filter((event) => event === 'host/node-2/process started').length === 2);
  assert.equal(host.pids.get('n-2'), children[3]!.pid);
  assert.equal(children.filter(over).length, 1, 'the others are left alone');

  host.renew();
  await until(() => lines.filter((line) => line === 'renew').length === 3);
  host.stop();
  assert.equal(await host.ended(), null);
  assert.ok(children.every(over));
  assert.deepEqual(lines.filter((line) => line === 'stop').length, 3);
  assert.ok(!events.includes('host/node-1/process restarting'));
});

test('a node that cannot start ends the host, with its reason', async (t) => {
  const { host, children } = scene(t, 3, (index) => (index === 1 ? 'refuse' : 'serve'));
  await assert.rejects(host.start(), (error: NodeFailure) => {
    assert.ok(error instanceof NodeFailure);
    assert.deepEqual([error.code, error.message, error.exit], ['no_luck', 'n-2: as told', 1]);
    return true;
  });
  assert.ok(children.length === 3 && children.every(over));
});

test('a node that ends again and again ends the host', async (t) => {
  const { host, children, events } = scene(t, 2, (index, count) => (index === 1 && count > 1 ? 'crash' : 'serve'));
  await host.start();
  children[1]!.kill('SIGKILL');
  const failure = await host.ended();
  assert.deepEqual([failure?.code, failure?.message], ['node_ended', 'n-2: exit code 1; it ended 6 times within 60 s']);
  assert.equal(children.length, 2 + 5, 'five restarts in a minute');
  assert.ok(events.includes('host/node-2 escalated') && events.includes('host escalated'));
  assert.ok(children.every(over));
});

test('a node that says that starting again is useless ends the host at once', async (t) => {
  const { host, children } = scene(t, 2, (_index, count) => (count > 1 ? 'final' : 'serve'));
  await host.start();
  children[0]!.kill('SIGKILL');
  const failure = await host.ended();
  assert.deepEqual([failure?.code, failure?.exit], ['no_luck', 4]);
  assert.equal(children.length, 3);
  assert.ok(children.every(over));
});

test('a node without a sign of life is killed and started again; the time in which its host slept does not count', async (t) => {
  const machine = createMachine();
  // The host's looks at the clock come when the test lets them.
  let looks: (() => void)[] = [];
  const world: World = {
    ...machine,
    timer: (ms, task) => {
      if (ms !== LIMITS.hostBeatMs) return machine.timer(ms, task);
      looks.push(task);
      return () => {
        looks = looks.filter((look) => look !== task);
      };
    },
  };
  const look = (): void => {
    for (const task of looks.splice(0)) task();
  };
  const { host, children } = scene(t, 2, (_index, count) => (count === 0 ? 'mute' : 'serve'), world);
  await host.start();
  const gone = once(children[0]!, 'close');
  for (let passed = LIMITS.hostBeatMs; passed < LIMITS.hostHangMs; passed += LIMITS.hostBeatMs) {
    look();
    // Whoever lives has said so in between.
    if (passed % (5 * LIMITS.hostBeatMs) === 0) await new Promise((resolve) => setTimeout(resolve, 250));
  }
  assert.equal(children.filter(over).length, 0);
  look();
  assert.deepEqual(await gone, [null, 'SIGKILL']);
  await until(() => children.length === 3);
  assert.ok(!over(children[1]!));
  host.stop();
  assert.equal(await host.ended(), null);
});
