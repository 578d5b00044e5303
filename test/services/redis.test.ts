// Owns the proof that presence is kept in real Redis: one server, by sentinels, in a cluster; and that whatever Redis refuses ends in
// `unknown` with its reason, and heals.
// Invariant: private servers; without redis-server the tests are skipped, loudly. No password is ever told.
// Must not: wait longer than a failover takes.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Board } from '../../actors/board.js';
import { BOARD_LIMITS } from '../../actors/limits.js';
import { createMachine } from '../../services/machine.js';
import { redisLine } from '../../services/redis-line.js';
import { parseRedis } from '../../services/redis-target.js';
import { freePort } from '../../transport/port.js';
import { boardOf, FakeTable, type SceneNode, Watching } from '../actors/board-scene.js';
import { needs } from '../needs.js';
import { RedisServer } from '../redis-server.js';

const ON = { online: true, lastSeen: 0 };
const real = { ...needs('redis'), timeout: 60_000 };

interface RealNode extends SceneNode {
  /** Other nodes' posts. */
  readonly posts: string[];
}

async function nodeOn(t: TestContext, url: string, name = 'one'): Promise<RealNode> {
  const target = parseRedis(url);
  assert.ok(typeof target !== 'string', String(target));
  const reports: string[] = [];
  const posts: string[] = [];
  const board = new Board({
    world: createMachine(),
    line: await redisLine(target, name, name),
    shardOf: (user) => user.length % 32,
    epoch: () => 5,
    posted: (bytes) => void posts.push(Buffer.from(bytes).toString()),
    report: (event, fields) => void reports.push(`${event} ${JSON.stringify(fields)}`),
  });
  board.start();
  t.after(() => board.stop());
  return { board, reports, posts, epoch: 5 };
}

async function until(what: string, holds: () => boolean, ms = 10_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!holds()) {
    assert.ok(performance.now() < deadline, what);
    await pause(10);
  }
}

const up = (node: RealNode): Promise<void> => until(`it is there\n${node.reports.join('\n')}`, () => node.board.up);
const reason = (node: RealNode, word: string): Promise<void> =>
  until(`${word}, and not ${node.board.stats().reason}`, () => node.board.stats().reason === word);

/** A change crosses from one to the other, and is shown there. */
async function crosses(one: RealNode, two: RealNode, user: string): Promise<void> {
  const ada = new Watching(two);
  ada.view(user, false);
  one.board.put(user, { online: false, lastSeen: 1 });
  await pause(30);
  one.board.put(user, ON);
  await until(`${user} is shown: ${ada.shown.join(', ')}`, () => ada.last === `${user} on`);
  one.board.put(user, { online: false, lastSeen: 9 });
  await until(`${user} goes: ${ada.shown.join(', ')}`, () => ada.last === `${user} off 9`);
  ada.end();
}

test('one server: changes and posts cross, names of any letters, nothing stays for ever', real, async (t) => {
  const redis = await RedisServer.start(t);
  const [one, two] = [await nodeOn(t, redis.url, 'one'), await nodeOn(t, redis.url, 'two')];
  const apart = await nodeOn(t, `${redis.url}?prefix=other`, 'two');
  await Promise.all([one, two, apart].map(up));
  for (const user of ['bob', 'Bärbel ☂', '{7}:x', 'a b']) await crosses(one, two, user);
  assert.equal(one.board.post('two', Buffer.from([0x74, 0, 255])), true);
  await until('the post is there', () => two.posts.length === 1);
  assert.deepEqual(apart.posts, [], 'another prefix is another world');
  one.board.put('eve', ON);
  await until('all is written', () => redis.cli('exists', 'weft:p:{3}:eve') === '1');
  const keys = redis.cli('keys', '*').split('\n');
  for (const key of keys.filter((name) => !name.includes(':t:'))) {
    const rest = Number(redis.cli('pttl', key));
    assert.ok(rest > 0 && rest <= BOARD_LIMITS.entryMs, `${key} ends in ${rest} ms`);
  }
  assert.match(keys.join(' '), /weft:p:\{3\}:eve/);
});

test('an older entry is refused by Redis itself', real, async (t) => {
  const redis = await RedisServer.start(t);
  const node = await nodeOn(t, redis.url);
  await up(node);
  const later = `${'0'.repeat(14)}6${'0'.repeat(15)}07`;
  redis.cli('set', 'weft:p:{3}:bob', later);
  node.board.put('bob', ON);
  await until('it was refused', () => node.board.stats().stale === 1);
  assert.equal(redis.cli('get', 'weft:p:{3}:bob'), later);
});

test(
  'a password that is missing or wrong, a replica, a full server, rights that are missing: the reason, once, and no password',
  real,
  async (t) => {
    const redis = await RedisServer.start(t, ['requirepass geheim']);
    const at = `127.0.0.1:${redis.port}`;
    const [none, wrong, right] = [
      await nodeOn(t, `redis://${at}`, 'none'),
      await nodeOn(t, `redis://:falsch@${at}`, 'wrong'),
      await nodeOn(t, `redis://:geheim@${at}`, 'right'),
    ];
    await up(right);
    await reason(none, 'NOAUTH');
    await reason(wrong, 'WRONGPASS');
    await pause(300);
    for (const node of [none, wrong]) assert.equal(node.reports.length, 1, node.reports.join('\n'));

    const cli = (...command: string[]): string => redis.cli('-a', 'geheim', '--no-auth-warning', ...command);
    for (const [word, begin, end] of [
      ['READONLY', ['replicaof', '127.0.0.1', '1'], ['replicaof', 'no', 'one']],
      ['OOM', ['config', 'set', 'maxmemory', '1'], ['config', 'set', 'maxmemory', '0']],
    ] as const) {
      cli(...begin);
      await reason(right, word);
      cli(...end);
      await up(right);
    }
    cli('acl', 'setuser', 'weft', 'on', '>p@ss/w%rd', '~other:*', '+@all');
    const poor = await nodeOn(t, `redis://weft:p%40ss%2Fw%25rd@${at}`, 'poor');
    await reason(poor, 'NOPERM');
    // The rights that docs/operations.md names are enough.
    const rights = '~weft:* resetchannels &weft:* -@all +@connection +@pubsub +eval +evalsha +get +set +time +info';
    cli('acl', 'setuser', 'weft', 'resetkeys', ...rights.split(' '));
    await up(poor);
    await crosses(poor, right, 'bob');
    const told = [none, wrong, right, poor].flatMap(({ reports, board }) => [
      ...reports,
      JSON.stringify(board.stats()),
    ]);
    assert.doesNotMatch(told.join('\n'), /geheim|falsch|p@ss|p%40/);
  },
);

test('whichever of a node’s connections Redis cuts, alone, it begins anew and misses nothing', real, async (t) => {
  const redis = await RedisServer.start(t);
  const [one, two] = [await nodeOn(t, redis.url, 'one'), await nodeOn(t, redis.url, 'two')];
  await Promise.all([one, two].map(up));
  const ada = new Watching(two);
  for (const kind of ['pubsub', 'normal']) {
    one.board.put('bob', ON);
    ada.view('bob', true);
    await until('bob is there', () => ada.last === 'bob on');
    const { losses } = two.board.stats();
    redis.cli('client', 'kill', 'type', kind, 'skipme', 'yes');
    one.board.put('bob', { online: false, lastSeen: 5 });
    await until(`it begins anew after ${kind}`, () => two.board.stats().losses > losses && two.board.up);
    await until(`bob is gone: ${ada.shown.join(', ')}`, () => ada.last === 'bob off 5');
  }
});

test('by sentinels: the master that they name, also after a failover', real, async (t) => {
  const master = await RedisServer.start(t);
  const replica = await RedisServer.start(t, [`replicaof 127.0.0.1 ${master.port}`]);
  const sentinel = await RedisServer.start(t, [
    `sentinel monitor chat 127.0.0.1 ${master.port} 1`,
    'sentinel down-after-milliseconds chat 500',
    'sentinel failover-timeout chat 3000',
  ]);
  const nobody = await freePort('127.0.0.1', 0);
  const url = `redis+sentinel://127.0.0.1:${nobody},127.0.0.1:${sentinel.port}/chat`;
  const [one, two] = [await nodeOn(t, url, 'one'), await nodeOn(t, url, 'two')];
  await Promise.all([one, two].map(up));
  await crosses(one, two, 'bob');
  await until('the replica is known', () =>
    sentinel.cli('sentinel', 'replicas', 'chat').includes(String(replica.port)),
  );
  await until('it follows', () => replica.cli('info', 'replication').includes('master_link_status:up'));
  await master.kill();
  await until('it is missed', () => !one.board.up && !two.board.up);
  await until('the replica is master', () => replica.cli('role').startsWith('master'), 20_000);
  await Promise.all([one, two].map(up));
  await crosses(one, two, 'eve');
  assert.match(one.reports.join(), /redis\+sentinel:\/\/127/);
});

test('a cluster of three masters: entries are spread, changes cross', real, async (t) => {
  const ports = [await freePort('127.0.0.1', 0), await freePort('127.0.0.1', 0), await freePort('127.0.0.1', 0)];
  const servers = await Promise.all(
    // Its own bus listens 10,000 above by itself, which may be no port at all.
    ports.map(async (port) => {
      const bus = await freePort('127.0.0.1', 0);
      return RedisServer.start(t, ['cluster-enabled yes', `cluster-port ${bus}`], port);
    }),
  );
  const places = servers.map(({ port }) => `127.0.0.1:${port}`);
  const made = spawnSync('redis-cli', ['--cluster', 'create', ...places, '--cluster-yes'], { encoding: 'utf8' });
  assert.match(made.stdout, /All 16384 slots covered/);
  await until('all agree', () => servers.every((server) => server.cli('cluster', 'info').includes('cluster_state:ok')));
  const url = `redis+cluster://${places[0]},${places[1]}`;
  const [one, two] = [await nodeOn(t, url, 'one'), await nodeOn(t, url, 'two')];
  await Promise.all([one, two].map(up));
  for (let length = 1; length <= 12; length++) await crosses(one, two, 'x'.repeat(length));
  for (let length = 1; length <= 32; length++) one.board.put('y'.repeat(length), ON);
  const sizes = (): number[] => servers.map((server) => Number(server.cli('dbsize')));
  await until(`all have some: ${sizes()}`, () => sizes().every((size) => size > 5));
  assert.equal(one.board.post('two', Buffer.from('typing')), true);
  await until('the post is there', () => two.posts.length === 1);
  assert.equal(two.board.stats().losses, 0);

  await servers[2]!.kill();
  const { losses } = one.board.stats();
  for (let length = 1; length <= 32; length++) one.board.put('z'.repeat(length), ON);
  await until('part of it is not there', () => one.board.stats().losses > losses);
  await servers[2]!.start();
  await Promise.all([one, two].map(up));
  for (let length = 1; length <= 4; length++) await crosses(one, two, 'x'.repeat(length));
});

test('a scene in memory does what Redis does', async () => {
  const table = new FakeTable();
  const node = boardOf(table, 'one', 5);
  await table.run(100);
  table.entries.set('bob', { value: `${'0'.repeat(14)}6${'0'.repeat(15)}07`, ends: 1e9 });
  node.board.put('bob', ON);
  await table.run(100);
  assert.equal(node.board.stats().stale, 1);
});
