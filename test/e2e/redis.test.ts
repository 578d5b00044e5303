// Owns the proof that presence may be in Redis: two nodes, real processes, tell each other who is there and who types by way of it; and
// that its end costs what is known of presence, and nothing else.
// Invariant: a private redis-server; where there is none the tests are skipped, loudly. Sends are measured beside those of the same run
// with Redis there.
// Must not: wait for what only time brings (test/actors/board.test.ts has a clock of its own).

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { PRECISION, T } from '../../transport/frames.js';
import { needs } from '../needs.js';
import { RedisServer } from '../redis-server.js';
import { newId, RawClient, utf8 } from './harness.js';
import { Home } from './process.js';

type Process = Awaited<ReturnType<Home['start']>>;

/** Two nodes on one store, each a process of its own. */
async function pair(t: TestContext, redis: RedisServer): Promise<[Process, Process]> {
  const homes = [new Home(t), new Home(t)] as const;
  const secret = join(homes[0].folder, 'cluster');
  writeFileSync(secret, 'c'.repeat(40), { mode: 0o600 });
  const start = (home: Home, name: string): Promise<Process> =>
    home.start({
      flags: [
        ...['--node-id', name, '--store', `lmdb:${join(homes[0].folder, 'store')}`, '--redis', redis.url],
        ...['--peer-listen', '127.0.0.1:0', '--cluster-secret-file', secret],
      ],
    });
  const first = await start(homes[0], 'one');
  const second = await start(homes[1], 'two');
  for (const node of [first, second]) {
    await until('two members with shards', async () => {
      const report = await (await fetch(new URL('/cluster', node.url.replace(/^ws/, 'http')))).json();
      const { members, shards } = report as { members: { shards: number }[]; shards: { owner: string | null }[] };
      return (
        members.length === 2 && members.every((one) => one.shards > 10) && shards.every((one) => one.owner !== null)
      );
    });
    await until('Redis is there', async () => (await presence(node)).known);
  }
  return [first, second];
}

interface Status {
  readonly known: boolean;
  readonly reason?: string;
  readonly kept: string;
  readonly followed: number;
  readonly losses: number;
}

async function presence(node: Process): Promise<Status> {
  const response = await fetch(new URL('/status', node.url.replace(/^ws/, 'http')));
  return ((await response.json()) as { presence: Status }).presence;
}

async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, what);
    await pause(50);
  }
}

/** The only one whom the client watches. */
async function seen(client: RawClient, precision: number, online: boolean): Promise<void> {
  await client.next(
    T.PRESENCE,
    (frame) => frame.precision === precision && (precision === PRECISION.unknown || frame.online === online),
    10_000,
  );
}

/** ms that each of so many sends took until SENT. */
async function sends(client: RawClient, chat: Uint8Array, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const from = performance.now();
    client.send({ type: T.SEND, chat, id: newId(), body: utf8('hello') });
    await client.next([T.SENT, T.FAILED]).then(({ type }) => assert.equal(type, T.SENT));
    times.push(performance.now() - from);
  }
  return times.sort((a, b) => a - b);
}

const median = (times: readonly number[]): number => times[times.length >> 1]!;

test('two nodes and one Redis: who is there and who types crosses; its end and its freezing make presence unknown, and sends go on; a node that is killed leaves no ghosts', {
  ...needs('redis'),
  timeout: 120_000,
}, async (t) => {
  const redis = await RedisServer.start(t);
  const [one, two] = await pair(t, redis);
  const ada = await RawClient.join(one.url, 'ada', '1');
  let bob = await RawClient.join(two.url, 'bob', '1');
  const chat = await ada.direct('bob');
  await sends(ada, chat, 1);
  ada.send({ type: T.WATCH, chat, on: true });
  await seen(ada, PRECISION.exact, true);
  bob.cut();
  await seen(ada, PRECISION.exact, false);
  bob = await RawClient.join(two.url, 'bob', '1');
  await seen(ada, PRECISION.exact, true);
  const posts = redis.cli('info', 'commandstats');
  assert.match(posts, /cmdstat_evalsha/);

  const group = await bob.direct('ada');
  bob.send({ type: T.TYPING, chat: group, on: true });
  await ada.next(T.TYPING_OF, (frame) => frame.on);
  const quiet = await sends(ada, chat, 200);
  // Shards that moved meanwhile have it told again.
  ada.frames.length = 0;

  redis.freeze();
  await seen(ada, PRECISION.unknown, false);
  const frozen = await sends(ada, chat, 200);
  assert.equal((await presence(one)).known, false);
  bob.send({ type: T.TYPING, chat: group, on: true });
  await ada.next(T.TYPING_OF, (frame) => frame.on);
  redis.thaw();
  await seen(ada, PRECISION.exact, true);

  await until('both nodes have it again', async () => (await presence(one)).known && (await presence(two)).known);
  ada.frames.length = 0;
  await redis.kill();
  await seen(ada, PRECISION.unknown, false);
  const dead = await sends(ada, chat, 200);
  bob.cut();
  await sends(ada, chat, 20);
  assert.ok(!ada.frames.some((frame) => frame.type === T.PRESENCE), 'nothing is told that nobody knows');
  await redis.start();
  await seen(ada, PRECISION.exact, false);
  t.diagnostic(`p50 of a send: ${[quiet, frozen, dead].map((times) => median(times).toFixed(1)).join(', ')} ms`);
  for (const times of [frozen, dead]) assert.ok(median(times) < 3 * median(quiet) + 2, `${median(times)} ms`);
  assert.equal((await presence(one)).losses, 2);

  bob = await RawClient.join(two.url, 'bob', '1');
  await seen(ada, PRECISION.exact, true);
  await two.stop('SIGKILL');
  await seen(ada, PRECISION.exact, false);
});
