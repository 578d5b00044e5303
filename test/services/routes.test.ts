// Owns the test of what a node answers over HTTP.
// Invariant: a real node, asked by a real client.
// Must not: pin figures that are not the node's own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import type { ClusterReport } from '../../services/cluster-report.js';
import { accountId, shardOf } from '../../storage/keys.js';
import { T } from '../../transport/frames.js';
import { newId, RawClient, testNode, utf8 } from '../e2e/harness.js';

/** Value of a metric without labels. */
function metric(text: string, name: string): number {
  const found = new RegExp(`^${name} (\\S+)$`, 'm').exec(text);
  assert.ok(found, `${name} is told`);
  return Number(found[1]);
}

test('health, readiness, status and metrics tell what goes on', async (t) => {
  const { url, node, stop } = await testNode(t);
  const base = url.replace('ws:', 'http:').replace('/v1', '');
  const get = (path: string): Promise<Response> => fetch(`${base}${path}`);
  for (const path of ['/healthz', '/readyz', '/']) assert.equal((await get(path)).status, 200);
  assert.equal((await get('/nowhere')).status, 404);

  const ada = await RawClient.join(url, 'ada', 'a1');
  const chat = await ada.direct('bob');
  for (let i = 0; i < 3; i += 1) ada.send({ type: T.SEND, chat, id: newId(), body: utf8('private words') });
  for (let i = 0; i < 3; i += 1) await ada.next(T.SENT);

  const response = await get('/status');
  const text = await response.text();
  const status = JSON.parse(text) as Record<string, unknown>;
  assert.equal(status.ready, true);
  assert.equal(status.node, 'test');
  assert.equal(status.pid, process.pid);
  assert.equal(status.connections, 1);
  assert.equal(status.conversations, 1);
  assert.equal(status.faults, 0);
  assert.deepEqual((status.store as Record<string, unknown>).durability, 'flushed');
  assert.ok(!text.includes('private words') && !text.includes('ada'), 'nothing of users is shown');

  const metrics = await (await get('/metrics')).text();
  assert.equal(metric(metrics, 'weft_connections'), 1);
  assert.equal(metric(metrics, 'weft_chats'), 1);
  assert.ok(metric(metrics, 'weft_appends_total') >= 1);
  assert.equal(metric(metrics, 'weft_append_failures_total'), 0);
  assert.ok(!/^# TYPE weft_\w+_total gauge$/m.test(metrics) && /^# TYPE weft_limited_total counter$/m.test(metrics));
  assert.ok(metric(metrics, 'process_resident_memory_bytes') > 0);

  const cluster = (await (await get('/cluster')).json()) as ClusterReport;
  assert.deepEqual([cluster.healthy, cluster.links, cluster.staleWrites], [true, [], 0]);
  assert.deepEqual(
    cluster.members.map(({ node, shards }) => [node, shards]),
    [['test', LIMITS.shards]],
  );
  const { shards } = cluster;
  assert.ok(shards.length === LIMITS.shards && shards.every(({ owner, epoch }) => owner === 'test' && epoch === 1));
  assert.deepEqual(
    shards.flatMap(({ shard, chats }) => (chats === 0 ? [] : [[shard, chats]])),
    [[shardOf(chat), 1]],
  );
  assert.equal(shards[shardOf(accountId('ada'))]?.users, 1);

  // While it stops it still answers, and says that it takes nobody new.
  const stopping = stop();
  const answer = node.options.http(node, { method: 'GET', path: '/readyz', query: '', header: () => '', address: '' });
  assert.equal((await answer).status, 503);
  await stopping;
});
