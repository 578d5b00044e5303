// Owns the tests of links with a process that is killed, or stopped and let go on.
// Invariant: the peer is a process of its own, gone when the test is.
// Must not: repeat what one process can show (peer-net.test.ts).

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { LinkPeer } from '../../bench/link.js';
import { benchMac } from '../../bench/link-peer.js';
import { Links } from '../../cluster/links.js';
import { createMachine } from '../../services/machine.js';
import { Peer } from '../cluster/link-scene.js';
import { until } from './harness.js';
import { loopback } from './peer-scene.js';

/** A node here, linked with one in another process. */
async function linked(t: TestContext): Promise<{ a: Peer; other: LinkPeer }> {
  const other = await LinkPeer.start('b');
  t.after(() => other.stop());
  const a = new Peer('a', 1);
  a.links = await Links.open({ world: createMachine(), net: loopback(), mac: benchMac, node: 'a', events: a });
  t.after(() => a.links.close());
  const view = [a.member, other.ready.member];
  other.ask({ ask: 'view', members: view });
  a.links.peers(view);
  await until(() => a.said.includes('up b'), 'the link is up');
  return { a, other };
}

test('a peer that is killed is known to be gone at once', async (t) => {
  const { a, other } = await linked(t);
  const started = performance.now();
  other.stop();
  await until(() => a.said.includes('down b broken'), 'the link is down');
  assert.ok(performance.now() - started < LIMITS.linkBeatMs * LIMITS.linkBeats, 'not by silence');
});

test('a peer that stands still costs the credit, is given up, and has a link again when it goes on', async (t) => {
  const { a, other } = await linked(t);
  const link = a.link('b');
  const batch = new Uint8Array(65_536);
  other.process.kill('SIGSTOP');
  t.after(() => other.process.kill('SIGCONT'));
  const before = process.memoryUsage().rss;
  let sent = 0;
  while (link.send(batch) === 'ok') sent++;
  for (let i = 0; i < 20_000; i++) assert.equal(link.send(batch), 'busy');
  assert.ok(sent * batch.length <= LIMITS.linkBytes);
  assert.ok(process.memoryUsage().rss - before < 6 * LIMITS.linkBytes, 'what is refused costs nothing');
  await until(() => a.said.includes('down b silent'), 'the link is given up');
  assert.equal(link.send(batch), 'down');
  other.process.kill('SIGCONT');
  await until(() => a.said.filter((line) => line === 'up b').length === 2, 'the link is up again');
  a.link('b').send(Uint8Array.of(1));
  await until(() => a.got.length === 1, 'and echoes');
});
