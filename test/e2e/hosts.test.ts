// Owns the proof that `weft start --nodes` is one service: clients on all its nodes talk to each other through a kill of one of them,
// its restart, and the stop of all; and that no node outlives its parent.
// Invariant: real processes, one store, one port; clients by the SDK, as applications have them.
// Must not: choose which node serves whom: the kernel does.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { childrenOf } from '../../bench/process-stat.js';
import { HOST_BUILD, hostBuild } from '../../cli/version.js';
import { connect } from '../../client/index.js';
import type { ClusterReport } from '../../services/cluster-report.js';
import { loadUws } from '../../transport/uws-native.js';
import { weft } from '../cli/command.js';
import { BACKOFF, crowd, pause, Talk, until } from './crowd.js';
import { token } from './harness.js';
import { Home } from './process.js';

const NODES = 3;
const USERS = 9;
const skip = loadUws() === undefined && 'uWebSockets.js does not load here';

const MAIN = join(import.meta.dirname, '../../cli/main.js');

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

/** What the node that answers says of its cluster; null while it cannot. */
async function cluster(url: string): Promise<ClusterReport | null> {
  try {
    const response = await fetch(new URL('/cluster', url.replace(/^ws/, 'http')));
    return response.ok ? ((await response.json()) as ClusterReport) : null;
  } catch {
    return null;
  }
}

/** Every shard has an owner, and every node some. */
async function whole(url: string): Promise<boolean> {
  const report = await cluster(url);
  return (
    report !== null &&
    report.members.length === NODES &&
    report.members.every(({ shards }) => shards > 0) &&
    report.shards.every(({ owner }) => owner !== null)
  );
}

/** Connections of each node, by its own word. */
async function connections(url: string): Promise<number[]> {
  const members = (await cluster(url))?.members ?? [];
  return Promise.all(
    members.map(async ({ address }) => {
      const response = await fetch(new URL('/status', address.replace(/^ws/, 'http')));
      return ((await response.json()) as { connections: number }).connections;
    }),
  );
}

/** Figures of this name, of all nodes, with any labels. */
async function metric(url: string, name: string): Promise<number[]> {
  const members = (await cluster(url))?.members ?? [];
  const texts = members.map(async ({ address }) =>
    (await fetch(new URL('/metrics', address.replace(/^ws/, 'http')))).text(),
  );
  const lines = new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm');
  return (await Promise.all(texts)).flatMap((text) => [...text.matchAll(lines)].map(([, value]) => Number(value)));
}

test('clients of three nodes in one chat: a node is killed under load and comes back; SIGTERM stops all', {
  skip,
}, async (t) => {
  const home = new Home(t);
  const host = await home.start({ flags: ['--nodes', `${NODES}`, '--node-id', 'n', '--log-level', 'info'] });
  const { url } = host;
  await until('every node has shards', () => whole(url));
  assert.deepEqual(await metric(url, 'weft_cluster_members'), [3, 3, 3]);
  // Those that are on their way are nobody's.
  await until('they add up', async () => {
    const owned = await metric(url, 'weft_shards_owned');
    return owned.reduce((sum, shards) => sum + shards, 0) === LIMITS.shards;
  });
  assert.deepEqual(await metric(url, 'weft_link_up'), [1, 1, 1, 1, 1, 1]);

  const people = await crowd(t, Array(USERS).fill(url));
  // The kernel deals out connections by chance: until every node has some, more devices come.
  for (let extra = 0; (await connections(url)).some((count) => count === 0); extra++) {
    assert.ok(extra < 60, 'the nodes share the clients');
    const session = await connect({ url, token: () => token('u0', `extra${extra}`), backoff: BACKOFF });
    t.after(() => session.close());
  }

  const before = childrenOf(host.pid);
  assert.deepEqual([...before.keys()].sort(), ['n-1', 'n-2', 'n-3']);
  const talk = new Talk(people);
  await pause(500);
  process.kill(before.get('n-2')!, 'SIGKILL');
  const killed = talk.sent.length;
  await until(
    'it is started again',
    () => (childrenOf(host.pid).get('n-2') ?? before.get('n-2')) !== before.get('n-2'),
  );
  await until('the cluster is whole again', () => whole(url));
  await pause(300);
  await talk.end();
  assert.ok(talk.sent.length > killed, 'sends went on');

  assert.ok((await metric(url, 'weft_link_round_trip_seconds')).every((seconds) => seconds > 0 && seconds < 5));
  const shards = await weft(['shards', '--url', url]);
  assert.equal(shards.code, 0, shards.out + shards.err);
  const pids = [...childrenOf(host.pid).values()];
  const { code } = await host.stop('SIGTERM');
  assert.equal(code, 0, host.lines.join('\n'));
  assert.deepEqual(pids.filter(alive), []);
});

test('a node is drained under load: no send fails, it is empty, and it takes its part again when it is told to', {
  skip,
}, async (t) => {
  const home = new Home(t);
  const host = await home.start({ flags: ['--nodes', `${NODES}`, '--node-id', 'n', '--log-level', 'info'] });
  const { url } = host;
  await until('every node has shards', () => whole(url));
  const people = await crowd(t, Array(USERS).fill(url));
  for (let extra = 0; (await connections(url)).some((count) => count === 0); extra++) {
    assert.ok(extra < 60, 'the nodes share the clients');
    const session = await connect({ url, token: () => token('u0', `extra${extra}`), backoff: BACKOFF });
    t.after(() => session.close());
  }
  const total = (await connections(url)).reduce((sum, count) => sum + count, 0);
  const shards = async (): Promise<number> =>
    (await cluster(url))?.members.find(({ node }) => node === 'n-2')?.shards ?? -1;
  const flags = ['--url', url.replace(/^ws/, 'http'), '--data', home.data];

  const talk = new Talk(people);
  await pause(300);
  const drained = await weft(['drain', 'n-2', '--rate', '8', '--clients', '20', '--max-p99', '0', '--json', ...flags]);
  assert.equal(drained.code, 0, drained.err);
  const lines = drained.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    [lines.at(-1)?.state, lines.at(-1)?.shardsLeft, lines.at(-1)?.clientsLeft],
    ['drained', 0, 0],
    drained.out,
  );
  assert.ok(lines.length > 2 && lines[0]?.state === 'draining' && Number(lines.at(-1)?.p99) > 0, drained.out);
  assert.equal((await connections(url))[1], 0);
  await until('its clients are elsewhere', async () => {
    return (await connections(url)).reduce((sum, count) => sum + count, 0) === total;
  });
  assert.equal((await connections(url))[1], 0, 'new clients go elsewhere, too');
  const again = await weft(['drain', 'n-2', ...flags]);
  assert.match(again.err, /^weft: already_draining: .*--watch.*--cancel/);
  const watched = await weft(['drain', 'n-2', '--watch', ...flags]);
  assert.match(watched.out, /^n-2 is empty after /);

  assert.equal(host.lines.filter((line) => line.includes('"drained"') && line.includes('"n-2"')).length, 1);
  const ended = await weft(['drain', 'n-2', '--cancel', ...flags]);
  assert.equal(ended.code, 0, ended.err);
  await until('its shards come back', async () => (await whole(url)) && (await shards()) > 5);
  // The port is its own again, too.
  for (let extra = 0; (await connections(url))[1] === 0; extra++) {
    assert.ok(extra < 60, 'it is dealt clients again');
    const session = await connect({ url, token: () => token('u1', `late${extra}`), backoff: BACKOFF });
    t.after(() => session.close());
  }

  const slow = spawn(process.execPath, [MAIN, 'drain', 'n-2', '--rate', '1', ...flags], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  slow.stderr.on('data', (chunk) => {
    said += chunk;
  });
  await until('it has begun', async () => /shards? and \d+ clients? left/.test(said));
  slow.kill('SIGINT');
  assert.deepEqual(await once(slow, 'close'), [1, null]);
  assert.match(said, /weft: cancelled: n-2 is a member like any other/);
  const over = await weft(['drain', 'n-2', '--cancel', ...flags]);
  assert.match(over.err, /^weft: not_draining: /);
  await until('all is as before', () => whole(url));
  await talk.end();
  assert.equal((await host.stop('SIGTERM')).code, 0, host.lines.join('\n'));
});

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

test('all nodes of a host are killed at one moment: it starts them again, and ends when it is told to', {
  skip,
}, async (t) => {
  const host = await new Home(t).start({ flags: ['--nodes', '2', '--node-id', 'n'] });
  const pids = [...childrenOf(host.pid).values()];
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await until('they are gone', () => pids.every((pid) => !alive(pid)), 5_000);
  await until('others serve', async () => (await cluster(host.url))?.members.length === 2, 20_000);
  assert.equal((await host.stop('SIGTERM')).code, 0);
});

test('a second Ctrl-C ends all at once, also a node that stands still', { skip }, async (t) => {
  const host = await new Home(t).start({ flags: ['--nodes', '2', '--node-id', 'n'] });
  const pids = [...childrenOf(host.pid).values()];
  process.kill(pids[1]!, 'SIGSTOP');
  process.kill(host.pid, 'SIGINT');
  await pause(1_200);
  assert.equal((await host.stop('SIGINT')).code, 130);
  await until('they are gone', () => pids.every((pid) => !alive(pid)), 1_000);
});

/** A node of a host of this build, started by hand. */
function child(t: TestContext, build: string): ChildProcess {
  const folder = mkdtempSync(join(tmpdir(), 'weft-hosts-'));
  const env = {
    PATH: process.env.PATH,
    WEFT_DATA: folder,
    WEFT_LISTEN: '127.0.0.1:0',
    WEFT_PEER_LISTEN: '127.0.0.1:0',
    [HOST_BUILD]: build,
  };
  const node = spawn(process.execPath, [MAIN, 'node', 'n-1'], {
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc', 'pipe'],
  });
  t.after(() => {
    node.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  return node;
}

test('a node whose host dies while it is loaded ends, too', async (t) => {
  const node = child(t, hostBuild());
  const ended = once(node, 'exit', { signal: AbortSignal.timeout(15_000) });
  node.disconnect();
  assert.deepEqual(await ended, [null, 'SIGKILL']);
});

test('a node that was installed over a running host of another build says so, and ends', async (t) => {
  const node = child(t, '0.0.9/1');
  const ended = once(node, 'exit', { signal: AbortSignal.timeout(15_000) });
  const [{ type, code, message }] = (await once(node, 'message')) as [{ type: string; code: string; message: string }];
  assert.deepEqual([type, code], ['failed', 'host_of_other_build']);
  assert.match(message, /over a running host of build 0\.0\.9\/1: stop that host/);
  assert.deepEqual(await ended, [2, null]);
});

test('what keeps a node from starting is the whole host’s failure, told once', { skip }, async (t) => {
  const home = new Home(t);
  const first = await home.start();
  const port = new URL(first.url).port;
  const taken = await weft(['start', '--nodes', '2', '--listen', `127.0.0.1:${port}`, '--data', `${home.data}2`]);
  assert.equal(taken.code, 1);
  assert.match(taken.err, /^weft: listen_failed: .*EADDRINUSE.*weft status/);
  const peers = await weft([
    'start',
    '--listen',
    '127.0.0.1:0',
    '--peer-listen',
    `127.0.0.1:${port}`,
    '--data',
    `${home.data}2`,
  ]);
  assert.match(peers.err, /^weft: listen_failed: .*EADDRINUSE.*another with --peer-listen\n$/);
  const abroad = await weft([
    'start',
    '--listen',
    '203.0.113.9:0',
    '--jwt-secret-file',
    join(home.folder, 'secret'),
    '--data',
    `${home.data}2`,
  ]);
  assert.match(abroad.err, /^weft: listen_failed: .*EADDRNOTAVAIL.*an address of this machine with --listen\n$/);
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
  assert.match(none.err, /^weft: no_secret: n-1: there is no secret at [^\n]*; name the file [^\n]*\n$/);
});
