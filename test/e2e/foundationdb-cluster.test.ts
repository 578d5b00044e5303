// Owns the proof that several nodes on FoundationDB are one service: clients of all of them talk to each other while nodes are killed,
// stopped past their lease and continued, and drained, and while the store itself freezes, dies and comes back.
// Invariant: real processes and sockets. No send fails for good; each message is shown once and in order; no two lives of nodes own a
// shard under one epoch, by their own words.
// Must not: have a person help: whatever is away comes back by itself, or is started again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { OwnerTrail } from '../../bench/torture/owners.js';
import { weft } from '../cli/command.js';
import { onFoundationDb } from '../foundationdb.js';
import { crowd, pause, Talk, until } from './crowd.js';
import { NAMES, Nodes } from './nodes.js';

const USERS = 6;
/** ms between two samples of what the nodes say. */
const SAMPLE_MS = 100;
/** ms for which the store is away: longer than a lease, and longer than a transaction may take. */
const AWAY = { frozen: 3_000, killed: 1_000 };
/** ms within which a cluster must be itself again, on a slow machine. */
const PATIENCE = 30_000;

await onFoundationDb(import.meta.url, (server) => {
  test('three nodes on FoundationDB: kills, freezes, drains, and a store that goes away, under clients of all of them', async (t) => {
    const nodes = await Nodes.start(t, `fdb:${server.clusterFile}`);
    const fair = Math.floor(LIMITS.shards / NAMES.length);
    const shared = async (): Promise<boolean> => {
      if (!(await nodes.whole())) return false;
      const own = await Promise.all(NAMES.map((_, at) => nodes.owns(at, fair)));
      return own.every(Boolean);
    };
    await until('all have their shards', shared, PATIENCE);
    const owners = new OwnerTrail();
    let sampling = true;
    // A frozen node's answer is waited for alone.
    const samples = NAMES.map(async (_, at) => {
      while (sampling) {
        const report = await nodes.report(at).catch(() => null);
        if (report !== null) owners.took(report);
        await pause(SAMPLE_MS);
      }
    });

    const people = await crowd(
      t,
      Array.from({ length: USERS }, (_, at) => nodes.urls[at % NAMES.length]!),
    );
    const talk = new Talk(people);
    /** Everybody goes on. */
    const goesOn = async (what: string): Promise<void> => {
      const began = performance.now();
      const before = talk.sent.length;
      const wrote = (from: number): boolean => talk.sent.slice(before).some((said) => said.from === from);
      await until(`all write after ${what}`, () => people.every((_, from) => wrote(from)), PATIENCE);
      t.diagnostic(`all write ${Math.round(performance.now() - began)} ms after ${what}`);
    };
    await goesOn('the start');

    await nodes.kill(2);
    const others = async (): Promise<boolean> => {
      const { members, shards } = await nodes.report(0);
      return members.length === 2 && shards.every(({ owner }) => owner !== null);
    };
    await until('its shards are others’', others, PATIENCE);
    await nodes.start(2);
    await goesOn('a kill');
    await until('all have their shards again', shared, PATIENCE);

    process.kill(nodes.pid(1), 'SIGSTOP');
    await until('it is taken for dead', async () => (await nodes.report(0)).members.length === 2, PATIENCE);
    await until('its shards are others’', others, PATIENCE);
    process.kill(nodes.pid(1), 'SIGCONT');
    await goesOn('a zombie has come back');
    await until('all have their shards again', shared, PATIENCE);

    const flags = ['--url', nodes.urls[0]!.replace(/^ws/, 'http'), '--data', nodes.data(0)];
    const drained = await weft(['drain', 'a', '--rate', '16', '--clients', '50', '--max-p99', '0', ...flags]);
    assert.equal(drained.code, 0, drained.err);
    await nodes.stop(0);
    await nodes.start(0);
    await goesOn('a drain and a new start');
    await until('all have their shards again', shared, PATIENCE);

    const evicted = nodes.said(/nodes_evicted/).length;
    server.freeze();
    await pause(AWAY.frozen);
    assert.ok(talk.sent.length > 0);
    server.thaw();
    await goesOn('the store stood still');
    await server.kill();
    await pause(AWAY.killed);
    server.launch();
    await goesOn('the store died and was started again');
    await until('all have their shards', shared, PATIENCE);
    t.diagnostic(`${nodes.said(/nodes_evicted/).length - evicted} evictions while the store was away`);

    await talk.end();
    sampling = false;
    await Promise.all(samples);
    assert.deepEqual(owners.violations, []);
    t.diagnostic(
      `${talk.sent.length} messages, ${owners.changes} changes of owners, ${owners.stale} stale appends refused`,
    );
    for (const [at] of NAMES.entries()) await nodes.stop(at);
  });
});
