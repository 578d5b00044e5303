// Owns the tests of builds that speak different versions, side by side in one cluster.
// Invariant: virtual time; a build is no more here than what it says to speak. Real builds meet in test/e2e/upgrade.test.ts.
// Must not: try the greeting of links (link-hostile.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import type { Speech } from '../../cluster/versions.js';
import { nodeKey } from '../../storage/cluster-keys.js';
import { decodeFormat, FORMAT_KEY } from '../../storage/format.js';
import { Scene, type SceneNode } from './scene.js';

const speech = (links: [low: number, high: number], rows: [low: number, high: number]): Speech => ({
  links: { low: links[0], high: links[1] },
  rows: { low: rows[0], high: rows[1] },
});
const OLD = speech([1, 1], [1, 1]);
const NEW = speech([1, 2], [1, 2]);

async function cluster(...speeches: Speech[]): Promise<{ scene: Scene; nodes: SceneNode[] }> {
  const scene = new Scene();
  const nodes = speeches.map((each, at) => scene.add(`n${at + 1}`, 'secret', each));
  await scene.until(() => scene.balanced(nodes), 20_000, 'the shards are spread');
  return { scene, nodes };
}

const inForce = async ({ store }: Scene): Promise<number | null> =>
  decodeFormat(await store.rows.direct.get(FORMAT_KEY));
const said = (scene: Scene, code: string): string[] => scene.reports.filter((report) => report.includes(code));

/** Stops one and starts it as another build. */
async function replace(scene: Scene, node: SceneNode, by: Speech): Promise<SceneNode> {
  await Promise.all([node.stop(), scene.run(500)]);
  return scene.add(node.name, 'secret', by);
}

test('later rows are in force when all have known them for a while, not before, and then for good', async () => {
  const { scene, nodes } = await cluster(OLD, NEW, NEW);
  scene.pace = 20_000;
  await scene.run(LIMITS.formatRestMs / 4);
  assert.equal(await inForce(scene), 1, 'as long as one does not know them');
  assert.ok(nodes.every(({ status }) => status.format === 1));
  assert.deepEqual(
    nodes[0]!.status.members.map(({ rows }) => rows),
    [1, 2, 2],
  );

  nodes[0] = await replace(scene, nodes[0]!, NEW);
  await scene.run(LIMITS.formatRestMs / 2);
  assert.equal(await inForce(scene), 1, 'each can still be replaced');
  nodes[1] = await replace(scene, nodes[1]!, OLD);
  await scene.until(() => scene.balanced(nodes), 60_000, 'the earlier build takes its part');
  await scene.run(LIMITS.formatRestMs * 0.6);
  assert.equal(await inForce(scene), 1, 'longer than that since the first time that all were new');

  nodes[1] = await replace(scene, nodes[1]!, NEW);
  await scene.run(LIMITS.formatRestMs - 5_000);
  assert.equal(await inForce(scene), 1, 'the time begins anew');
  await scene.run(10_000);
  assert.equal(await inForce(scene), 2);
  assert.ok(nodes.every(({ status }) => status.format === 2));
  assert.equal(said(scene, 'format_raised').length, 3);

  const late = await replace(scene, nodes[2]!, OLD);
  await scene.run(5_000);
  late.kill();
  assert.match(said(scene, 'has format 2')[0]!, /this version knows 1: use a later Weft/);
  assert.equal(await scene.store.rows.direct.get(nodeKey('n3')), undefined, 'it has changed nothing');
  await scene.check();
});

test('an earlier build that joins while the rows are about to rise: either it is in, or they have risen', async () => {
  const outcomes = new Set<string>();
  for (let at = 0; at < 12; at += 1) {
    const scene = new Scene(at + 1);
    scene.pace = 600_000;
    const first = scene.add('n1', 'secret', NEW);
    await scene.until(() => first.mine.length === LIMITS.shards, 5_000, 'it has all');
    // The last look before the time is over comes within a beat.
    await scene.run(LIMITS.formatRestMs - 300 + at * 50);
    const late = scene.add('n2', 'secret', OLD);
    await scene.run(4_000);
    const version = await inForce(scene);
    const joined = (await scene.store.rows.direct.get(nodeKey('n2'))) !== undefined;
    assert.equal(joined, version === 1, `seed ${at + 1}: format ${version}, ${joined}`);
    outcomes.add(`${joined}`);
    for (const node of [first, late]) node.kill();
  }
  assert.equal(outcomes.size, 2, 'both happen');
});

test('who shares no version of links with a living member is refused, and told the way', async () => {
  const { scene, nodes } = await cluster(OLD, OLD);
  const { view } = nodes[0]!.status;
  const stranger = scene.add('n3', 'secret', speech([2, 3], [1, 1]));
  await scene.run(5_000);
  stranger.kill();
  const [refusal = ''] = said(scene, 'link protocol');
  assert.match(refusal, /node n1 speaks versions 1 to 1 of the link protocol, this one 2 to 3: upgrade by way of/);
  assert.equal(await scene.store.rows.direct.get(nodeKey('n3')), undefined);
  assert.equal(nodes[0]!.status.view, view);
  const between = scene.add('n4', 'secret', speech([1, 2], [1, 1]));
  nodes.push(between);
  await scene.until(() => scene.balanced(nodes), 60_000, 'one that speaks both is let in');
  await scene.check();
});

test('the rows of nodes that died keep no build from starting', async () => {
  const { scene, nodes } = await cluster(OLD, OLD);
  for (const node of nodes) node.kill();
  const next = scene.add('n3', 'secret', speech([2, 2], [1, 1]));
  await scene.until(() => next.mine.length === LIMITS.shards, 10_000, 'it has all');
  await scene.check();
});

test('rows that are read no more', async () => {
  const { scene, nodes } = await cluster(OLD);
  const next = await replace(scene, nodes[0]!, speech([1, 1], [2, 2]));
  await scene.run(5_000);
  next.kill();
  assert.match(said(scene, 'has format 1')[0]!, /knows 2 and later: start one between/);
});
