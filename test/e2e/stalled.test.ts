// Owns the proof that a node which is told to end is gone soon, though its disk does not answer.
// Invariant: LMDB's lock for writing is held by a process that stands still, so transactions hang in the kernel as behind a disk.
// Must not: ask what becomes of messages (crash.test.ts and the torture do).

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import type { NodeProcess } from '../../bench/node-process.js';
import { childrenOf } from '../../bench/process-stat.js';
import { loadUws } from '../../transport/uws-native.js';
import { Home } from './process.js';

const HOLDER = join(import.meta.dirname, 'lock-holder.js');
/** ms beyond the stated times, for a machine with other work. */
const SLACK = 2_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const skip = loadUws() === undefined && 'uWebSockets.js does not load here';

/** A node, or a host, to whose store nothing can be written any more. */
async function stuck(t: TestContext, flags: readonly string[]): Promise<NodeProcess> {
  const home = new Home(t);
  const node = await home.start({ flags });
  const holder = spawn(process.execPath, [HOLDER, join(home.data, 'store')], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  // One of several writes its beat all the time: one of them hangs by now.
  await pause(LIMITS.beatMs * 2);
  return node;
}

/** ms until it has ended. */
async function took(ended: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await ended;
  return performance.now() - began;
}

describe('ends for certain', { concurrency: true }, () => {
  test('a node whose disk hangs ends within 5 s of SIGTERM', async (t) => {
    const node = await stuck(t, ['--peer-listen', '127.0.0.1:0']);
    const ms = await took(node.stop('SIGTERM'));
    assert.ok(ms < 5_000 + SLACK, `${ms} ms`);
  });

  test('and at once for a person in a hurry', async (t) => {
    const node = await stuck(t, ['--peer-listen', '127.0.0.1:0']);
    process.kill(node.pid, 'SIGINT');
    await pause(1_200);
    const ms = await took(node.stop('SIGINT'));
    assert.ok(ms < LIMITS.exitMs + SLACK, `${ms} ms after the second Ctrl-C`);
  });

  test('a host that writes to such a disk for several nodes ends within 10 s of SIGTERM', { skip }, async (t) => {
    const host = await stuck(t, ['--nodes', '3']);
    const pids = [...childrenOf(host.pid).values()];
    const began = performance.now();
    await host.stop('SIGTERM');
    const ms = performance.now() - began;
    assert.ok(ms < LIMITS.hostStopMs + SLACK, `${ms} ms`);
    for (const pid of pids) assert.throws(() => process.kill(pid, 0));
  });

  test('a host ends though a node of it stands still', { skip }, async (t) => {
    const host = await new Home(t).start({ flags: ['--nodes', '3'] });
    for (const pid of childrenOf(host.pid).values()) process.kill(pid, 'SIGSTOP');
    const began = performance.now();
    assert.deepEqual(await host.stop('SIGTERM'), { code: 0, signal: null });
    const ms = performance.now() - began;
    assert.ok(ms < LIMITS.hostStopMs + SLACK, `${ms} ms`);
  });
});
