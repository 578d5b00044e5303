// Owns the proof that a host of several nodes starts and ends as one, and that no node outlives its parent.
// Invariant: real processes, one store, one port.
// Must not: need clients.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadUws } from '../../transport/uws-native.js';
import { weft } from '../cli/command.js';
import { Home } from './process.js';

const skip = loadUws() === undefined && 'uWebSockets.js does not load here';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, what);
    await pause(50);
  }
}

/** Process ids of a host's nodes, by node id. */
function childrenOf(parent: number): Map<string, number> {
  const found = new Map<string, number>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, ppid] = /^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      if (Number(ppid) !== parent) continue;
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      found.set(words[words.indexOf('node') + 1] ?? '', Number(pid));
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

test('the nodes of a host that is killed end, and the next one serves', { skip }, async (t) => {
  const home = new Home(t);
  const host = await home.start({ flags: ['--nodes', '2', '--node-id', 'n'] });
  const pids = [...childrenOf(host.pid).values()];
  assert.equal(pids.length, 2);
  await host.stop('SIGKILL');
  await until('they notice', () => pids.every((pid) => !alive(pid)), 5_000);
  const next = await home.start({ flags: ['--nodes', '2', '--node-id', 'n'], port: Number(new URL(host.url).port) });
  assert.equal((await next.stop('SIGTERM')).code, 0);
});

test('what keeps a node from starting is the whole host’s failure, told once', { skip }, async (t) => {
  const home = new Home(t);
  const first = await home.start();
  const port = new URL(first.url).port;
  const taken = await weft(['start', '--nodes', '2', '--listen', `127.0.0.1:${port}`, '--data', `${home.data}2`]);
  assert.equal(taken.code, 1);
  assert.match(taken.err, /^weft: listen_failed: .*EADDRINUSE.*weft status/);
  const same = await weft(['start', '--nodes', '2', '--listen', '127.0.0.1:0', '--data', home.data]);
  assert.match(same.err, /^weft: data_in_use: process \d+ /);
  const secret = ['--jwt-secret-file', `${home.data}/none`];
  const none = await weft([
    'start',
    '--nodes',
    '2',
    '--node-id',
    'n',
    '--listen',
    '127.0.0.1:0',
    '--data',
    `${home.data}3`,
    ...secret,
  ]);
  assert.deepEqual([none.code, none.out], [1, '']);
  assert.match(none.err, /^weft: no_secret: n-1: there is no secret at [^\n]*\n$/);
});
