// Owns the proof of what `weft drain` says before it asks anything of a node, and how it shows what a node tells.
// Invariant: talks to real HTTP servers that answer as nodes do; orders are services/operator.ts's and the e2e tests' to prove.
// Must not: need a node.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { describe } from '../../cli/drain-progress.js';
import type { DrainStatus } from '../../cluster/drain.js';
import { answering, closed } from './answering.js';
import { weft } from './command.js';

const folder = mkdtempSync(join(tmpdir(), 'weft-drain-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const secret = join(folder, 'cluster.key');
writeFileSync(secret, 'x'.repeat(43));
chmodSync(secret, 0o600);

const status: DrainStatus = {
  rate: 2,
  clients: 200,
  maxP99: 250,
  state: 'draining',
  shardsLeft: 9,
  clientsLeft: 120,
  p99: 14.2,
  slowest: 'b',
  pace: 1,
  waits: null,
  ms: 900,
};

/** A cluster of `a` alone, or of `a` and `b`, both at one address, with a drain that is over at once. At first they are at `former`. */
function cluster(alone = false, former?: string): Promise<string> {
  let asked = 0;
  return answering((url) => {
    const at = asked++ === 0 ? (former ?? url) : url;
    const address = alone ? '' : `${at.replace('http', 'ws')}/peer`;
    const members = (alone ? ['a'] : ['a', 'b']).map((node) => {
      return { node, state: 'up', incarnation: 1, silenceMs: 0, address, shards: 16 };
    });
    const report = { node: 'a', healthy: true, view: 1, members, shards: [], links: [], moves: 0, staleWrites: 0 };
    const drain = { ...status, state: 'drained', shardsLeft: 0, clientsLeft: 0, ms: 12_340 };
    return {
      '/cluster': [200, JSON.stringify(report)],
      '/drain': [200, JSON.stringify({ node: 'b', drain, challenge: 'c' })],
    };
  });
}

const drain = (url: string, ...args: string[]) => weft(['drain', ...args, '--url', url, '--data', folder]);

test('what cannot be meant is refused before anything is asked', async () => {
  const url = await closed();
  for (const flag of ['--rate', '--clients', '--max-p99']) {
    const { code, err } = await drain(url, 'b', flag, '-1');
    assert.equal(code, 2);
    assert.ok(err.startsWith(`weft: bad_usage: ${flag}: "-1": write a number above 0`), err);
  }
  assert.equal((await drain(url, 'b', '--cancel', '--watch')).code, 2);
  assert.equal((await weft(['drain'])).code, 2);
  const none = await weft(['drain', 'b', '--url', url, '--data', join(folder, 'none')]);
  assert.deepEqual(none.code, 1);
  assert.match(none.err, /^weft: no_secret: .*--cluster-secret-file.*--data/);
});

test('nobody there, no such node, a node alone', async () => {
  const nobody = await drain(await closed(), 'b');
  assert.equal(nobody.code, 3);
  assert.match(nobody.err, /^weft: unreachable: /);
  const unknown = await drain(await cluster(), 'c');
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /^weft: unknown_node: there is no member c; the members are a, b$/m);
  assert.match((await drain(await cluster(true), 'a')).err, /^weft: no_cluster: a is alone.*SIGTERM/);
});

test('a drain is watched to its end without the secret', async () => {
  const url = await cluster();
  const { code, out } = await weft(['drain', 'b', '--watch', '--url', url]);
  assert.deepEqual([code, out], [0, 'b is empty after 12.3 s: stop it now, or take it back with --cancel\n']);
  const json = await weft(['drain', 'b', '--watch', '--json', '--url', url]);
  assert.deepEqual(JSON.parse(json.out), {
    node: 'b',
    ...status,
    state: 'drained',
    shardsLeft: 0,
    clientsLeft: 0,
    ms: 12_340,
  });
});

test('a node that is started again meanwhile is found at its new address', async () => {
  const url = await cluster(false, await closed());
  const { code, out, err } = await weft(['drain', 'b', '--watch', '--url', url]);
  assert.equal(code, 0, err);
  assert.match(out, /^b is empty after /);
});

test('what is in the way is said', () => {
  assert.equal(describe('n', status), 'n: 9 shards and 120 clients left, p99 14 ms (b)');
  assert.match(describe('n', { ...status, shardsLeft: 1, clientsLeft: 1 }), /^n: 1 shard and 1 client left/);
  assert.match(describe('n', { ...status, pace: 0.32 }), /, at 32 % of its pace$/);
  assert.match(describe('n', { ...status, waits: 'latency', p99: 300 }), /p99 300 ms \(b\), paused: above 250 ms$/);
  assert.match(describe('n', { ...status, waits: 'nobody', p99: null }), /p99 unknown, paused: no other node is up$/);
  assert.match(describe('n', { ...status, shardsLeft: null }), /^n: joins its cluster anew and 120 clients left/);
});
