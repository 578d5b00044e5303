// Owns the proof that the torture of several nodes finds what it is for: two owners of one epoch, epochs that go back, devices that
// stay connected and are not told.
// Invariant: each rule has a case that it must find and one that it must pass.
// Must not: run a node.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bystander, Bystanders } from '../../../bench/torture/bystanders.js';
import { OwnerTrail } from '../../../bench/torture/owners.js';
import type { ClusterReport } from '../../../services/cluster-report.js';

/** What a life of a node says of one shard. */
function report(node: string, incarnation: number, epoch: number, mine: boolean, staleWrites = 0): ClusterReport {
  const shard = { shard: 4, owner: node, epoch, chats: mine ? 1 : null, users: mine ? 1 : null, dirty: null };
  const member = {
    node,
    state: 'up' as const,
    incarnation,
    silenceMs: 0,
    address: '',
    shards: 1,
    format: 1,
    p99Ms: null,
  };
  return {
    node,
    healthy: true,
    view: 1,
    format: 1,
    members: [member],
    shards: [shard],
    links: [],
    clients: 0,
    moves: 0,
    staleWrites,
    drain: null,
  };
}

const rules = (trail: OwnerTrail): string[] => trail.violations.map(({ rule }) => rule);

test('an owner after the other, each with a higher epoch, passes; refused appends add up over lives', () => {
  const trail = new OwnerTrail();
  trail.took(report('a', 1, 5, true));
  trail.took(report('b', 2, 5, false));
  trail.took(report('b', 2, 6, true, 1));
  // A zombie believes in what it had.
  trail.took(report('a', 1, 5, true, 2));
  trail.took(report('a', 3, 7, true));
  trail.granted(4, 7);
  assert.deepEqual(rules(trail), []);
  assert.deepEqual([trail.changes, trail.stale], [3, 3]);
});

test('caught: two lives that own a shard under one epoch, whatever they are called', () => {
  for (const [node, incarnation] of [
    ['b', 2],
    ['a', 2],
  ] as const) {
    const trail = new OwnerTrail();
    trail.took(report('a', 1, 5, true));
    trail.took(report(node, incarnation, 5, true));
    assert.deepEqual(rules(trail), ['two_owners']);
  }
});

test('caught: an epoch that goes back, for a node and in the store', () => {
  const known = new OwnerTrail();
  known.took(report('a', 1, 5, false));
  known.took(report('a', 1, 4, false));
  assert.deepEqual(rules(known), ['epoch_back']);
  const stored = new OwnerTrail();
  stored.took(report('a', 1, 5, true));
  stored.granted(4, 4);
  assert.deepEqual(rules(stored), ['epoch_back']);
});

/** What bystanders look at. */
function device(user: string): Bystander {
  return { user, name: `${user}/d1`, online: true, connections: 1, heard: new Map() };
}

function scene(): { readonly ada: Bystander; readonly bob: Bystander; readonly bystanders: Bystanders } {
  const [ada, bob] = [device('ada'), device('bob')];
  const acks = [3, 4].map((seq) => ({ chat: 'c', device: 'ada/d1', seq, body: 'x' }));
  return { ada, bob, bystanders: new Bystanders([ada, bob], acks, () => ['ada', 'bob']) };
}

test('who is told, or connects anew, passes', () => {
  const told = scene();
  assert.equal(told.bystanders.done(), false);
  told.bob.heard.set('c', 4);
  assert.equal(told.bystanders.done(), true);
  assert.equal(told.bystanders.told, 1);
  const anew = scene();
  anew.bob.connections += 1;
  assert.deepEqual([anew.bystanders.done(), anew.bystanders.told], [true, 0]);
});

test('caught: a device that stays connected and is not told', () => {
  const { bob, bystanders } = scene();
  bob.heard.set('c', 3);
  assert.equal(bystanders.done(), false);
  const [found, ...more] = bystanders.violations('kill');
  assert.equal(found?.rule, 'untold');
  assert.match(found?.detail ?? '', /^bob\/d1 stayed connected, and after a kill heard 3 of 4$/);
  assert.equal(more.length, 0);
});
