// Owns the proof of how a drain is paced: what may go when, what it waits for, and when it says that a node is empty.
// Invariant: virtual time; the cluster around it is the test's.
// Must not: move shards (nodes.test.ts, cluster.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { Drain, type DrainPlan } from '../../cluster/drain.js';
import { ManualWorld } from '../actors/manual-world.js';

/** A node with shards that go as soon as they may, each in `moveMs`. */
class Bench {
  readonly world = new ManualWorld();
  shards: number | null = 11;
  clients = 0;
  p99: number | null = 10;
  urls = ['', ''];
  readonly sent: string[] = [];
  aside = false;
  changes = 0;
  readonly drain: Drain;

  constructor(plan: Partial<DrainPlan> = {}) {
    const bench = this;
    this.drain = new Drain(
      { rate: 2, clients: 100, maxP99: 100, ...plan },
      {
        world: this.world,
        shards: () => this.shards,
        guests: {
          get open() {
            return bench.clients;
          },
          away: (target) => {
            if (this.clients === 0) return false;
            this.clients -= 1;
            this.sent.push(target);
            return true;
          },
          stay: () => undefined,
          aside: (on) => {
            this.aside = on;
          },
        },
        loads: () => [
          { node: 'a', p99: null },
          { node: 'b', p99: this.p99 },
        ],
        others: () => this.urls.map((url) => ({ url })),
        look: () => {
          if (this.shards !== null && this.shards > 0 && this.drain.shard()) this.shards -= 1;
        },
        changed: () => {
          this.changes += 1;
        },
      },
    );
  }

  /** Answers how many shards went. */
  pass(ms: number): number {
    const before = this.shards ?? 0;
    for (let passed = 0; passed < ms; passed += 50) this.world.advance(50);
    return before - (this.shards ?? 0);
  }
}

test('shards go at the rate, then clients at theirs; then, and only then, it is drained', () => {
  const bench = new Bench();
  bench.clients = 250;
  assert.ok(Math.abs(bench.pass(3_000) - 6) <= 1, `${bench.shards}`);
  assert.equal(bench.clients, 250, 'clients stay while there are shards');
  bench.pass(3_000);
  assert.equal(bench.shards, 0);
  assert.equal(bench.drain.state, 'draining');
  const before = bench.clients;
  bench.pass(1_000);
  assert.ok(Math.abs(before - bench.clients - 100) <= 12, `${before - bench.clients} in a second`);
  bench.pass(2_000);
  assert.deepEqual([bench.clients, bench.drain.state, bench.changes], [0, 'drained', 1]);
  // Somebody who knows only this node.
  bench.clients = 1;
  bench.pass(LIMITS.drainTickMs * 2);
  assert.deepEqual([bench.clients, bench.drain.state], [0, 'drained']);
});

test('above the latency asked for nothing goes, near it less; it goes on by itself, slowly at first', () => {
  const bench = new Bench();
  bench.pass(1_000);
  bench.p99 = 101;
  bench.pass(100);
  assert.equal(bench.pass(10_000), 0);
  const { waits, pace, p99, slowest } = bench.drain.status;
  assert.deepEqual([waits, pace, p99, slowest], ['latency', 0, 101, 'b']);
  bench.p99 = 90;
  const near = bench.pass(4_000);
  assert.ok(near >= 1 && near <= 2, `${near} in 4 s, instead of 8`);
  assert.equal(bench.drain.status.waits, null);
  assert.ok(bench.drain.status.pace < 0.2);
  bench.p99 = 20;
  bench.pass(1_000);
  assert.equal(bench.drain.status.pace, 1);
  const blind = new Bench({ maxP99: 0 });
  blind.p99 = 5_000;
  assert.ok(blind.pass(2_000) >= 3, 'who asks for nothing waits for nothing');
});

test('without another node that would take over nothing goes, and new clients are let in', () => {
  const bench = new Bench();
  bench.pass(1_000);
  assert.equal(bench.aside, true);
  bench.urls = [];
  bench.pass(100);
  assert.equal(bench.pass(5_000), 0);
  assert.deepEqual([bench.drain.status.waits, bench.aside], ['nobody', false]);
  bench.urls = [''];
  assert.ok(bench.pass(2_000) > 0);
});

test('a node between two lives has no shards, and is not drained', () => {
  const bench = new Bench();
  bench.shards = null;
  bench.pass(5_000);
  assert.deepEqual([bench.drain.state, bench.drain.status.shardsLeft], ['draining', null]);
});

test('a frozen process makes up for nothing, and an end lets new clients in and stops all', () => {
  const bench = new Bench({ rate: 1, clients: 10 });
  bench.world.time += 60_000;
  assert.ok(bench.pass(1_000) <= 2);
  bench.drain.end();
  assert.equal(bench.aside, false);
  assert.equal(bench.pass(5_000), 0);
  assert.equal(bench.world.pending, 0);
});

test('clients are shared out among those that say where they are reached', () => {
  const bench = new Bench();
  bench.shards = 0;
  bench.clients = 40;
  bench.urls = ['ws://b/v1', '', 'ws://c/v1'];
  bench.pass(1_000);
  const of = (url: string): number => bench.sent.filter((target) => target === url).length;
  assert.deepEqual([of('ws://b/v1'), of('ws://c/v1'), of('')], [20, 20, 0]);
});
