// Owns the tests of who is let into a cluster by its secret.
// Invariant: virtual time; who is refused leaves no trace in the store.
// Must not: try links, which have their own proof (links.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { charterKey, nodeKey } from '../../storage/cluster-keys.js';
import { Scene } from './scene.js';

const refused = (scene: Scene): string[] =>
  scene.reports.filter((report) => report.includes('cluster_secret') || report.includes('another secret'));

test('with another secret nobody joins living nodes, nor takes the place of one', async () => {
  const scene = new Scene();
  const [n1, n2] = await scene.settled('n1', 'n2');
  const charter = await scene.store.rows.direct.get(charterKey());
  const grants = scene.store.grants.length;
  const { view, incarnation } = n1.status;
  for (const name of ['n3', 'n1']) {
    const stranger = scene.add(name, 'another');
    await scene.run(5_000);
    stranger.kill();
    assert.equal(stranger.status.incarnation, 0, `${name} is not let in`);
  }
  assert.ok(refused(scene).length > 1);
  assert.equal(await scene.store.rows.direct.get(nodeKey('n3')), undefined);
  assert.deepEqual(await scene.store.rows.direct.get(charterKey()), charter);
  assert.deepEqual([n1.status.view, n1.status.incarnation, n1.replaced], [view, incarnation, false]);
  assert.equal(scene.store.grants.length, grants);
  assert.ok(scene.balanced([n1, n2]));
  await scene.check();
});

test('after the stop of all, another secret holds from the first start on', async () => {
  const scene = new Scene();
  const nodes = await scene.settled('n1', 'n2');
  await Promise.all([nodes.map((node) => node.stop()), scene.run(1_000)]);
  const first = scene.add('n1', 'another');
  const took = await scene.until(() => first.mine.length === LIMITS.shards, 10_000, 'it has all');
  assert.ok(took < LIMITS.beatMs, `nobody is waited for: ${took} ms`);
  const late = scene.add('n2');
  await scene.run(3_000);
  late.kill();
  assert.equal(late.status.incarnation, 0);
  await scene.check();
});

test('after a crash of all too; a node that was only frozen finds itself outside', async () => {
  const scene = new Scene();
  const [n1, n2] = await scene.settled('n1', 'n2');
  n2.kill();
  n1.process.freeze();
  const next = scene.add('n3', 'another');
  await scene.until(() => next.mine.length === LIMITS.shards, 5_000, 'it has all');
  n1.process.thaw();
  await scene.until(() => refused(scene).length > 0, 5_000, 'the sleeper is refused');
  assert.ok(n1.starts > 1);
  assert.equal(n1.mine.length, 0);
  assert.equal(next.mine.length, LIMITS.shards);
  n1.kill();
  await scene.check();
});

test('of two that come first at the same moment with two secrets, one is let in', async () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const scene = new Scene(seed);
    const nodes = [scene.add('n1', 'one'), scene.add('n2', 'two')];
    await scene.run(5_000);
    assert.deepEqual(nodes.map((node) => node.mine.length).sort(), [0, LIMITS.shards]);
    assert.ok(refused(scene).length > 0);
    for (const node of nodes) node.kill();
    await scene.check();
  }
});
