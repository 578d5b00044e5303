// Owns the tests of links over real sockets: both engines, TLS, and everybody who is no peer.
// Invariant: each hostile visitor is followed by a proof that the node still serves its peers.
// Must not: test what the simulated network can show (test/cluster).

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { LIMITS } from '../../actors/limits.js';
import { Certificates } from '../certificates.js';
import type { Peer } from '../cluster/link-scene.js';
import { needs } from '../needs.js';
import { handshake, until } from './harness.js';
import { loopback, node, pair, view } from './peer-scene.js';

for (const engine of ['uws', 'ws'] as const) {
  test(`${engine}: batches of all sizes cross in both directions, in order`, async (t) => {
    const [a, b] = await pair(t, { net: { engine } });
    const sums: number[][] = [[], []];
    b.onBatch = (_, bytes) => sums[1]!.push(sum(bytes));
    a.onBatch = (_, bytes) => sums[0]!.push(sum(bytes));
    const sizes = [1, 125, 126, 65_535, 65_536, LIMITS.linkBatchBytes, 2];
    for (const size of sizes) {
      const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7 + size) & 255);
      assert.equal(a.link('b').send(bytes), 'ok');
      assert.equal(b.link('a').send(bytes), 'ok');
      // The sender may use its buffer again at once.
      bytes.fill(0);
    }
    const expected = sizes.map((size) => sum(Uint8Array.from({ length: size }, (_, i) => (i * 7 + size) & 255)));
    await until(() => sums.every((side) => side.length === sizes.length), 'all have crossed');
    assert.deepEqual(sums, [expected, expected]);
    await until(() => a.link('b').buffered + b.link('a').buffered === 0, 'all is taken');
  });

  test(`${engine}: who stops says so`, async (t) => {
    const [a, b] = await pair(t, { net: { engine } });
    await a.links.close();
    await until(() => b.said.includes('down a gone'), 'the peer is told');
  });
}

test('nobody who lacks the secret is let in, and it is told once', async (t) => {
  const [a, b] = [await node(t, 'a', { secret: 'two' }), await node(t, 'b')];
  view(a, b);
  await until(() => a.refusals.length > 0 && b.refusals.length > 0, 'both noticed');
  assert.deepEqual([a.said, b.said], [[], []]);
  assert.deepEqual([a.refusals[0]!.end, b.refusals[0]!.end], ['secret', 'secret']);
  assert.equal(b.refusals[0]!.address, '127.0.0.1');
  assert.equal(a.refusals[0]!.node, 'b');
});

const VISITORS: Readonly<Record<string, (address: string, t: TestContext) => Promise<void>>> = {
  'an HTTP request is answered and harmless': async (address) => {
    const answer = await fetch(address.replace('ws:', 'http:'));
    assert.equal(answer.status, 404);
    await answer.text();
  },
  'garbage on the port is cut off': async (address) => {
    const net = connect(Number(new URL(address).port), '127.0.0.1');
    net.on('error', () => {});
    net.write(Buffer.alloc(65_536, 0xa5));
    net.resume();
    await once(net, 'close');
  },
  'a WebSocket client of another kind is refused': async (address) => {
    const ws = new WebSocket(address, ['weft.v1']);
    const [error] = (await once(ws, 'error')) as [Error];
    assert.match(error.message, /400/);
  },
  'a text is no frame': async (address) => {
    const ws = await visitor(address);
    ws.send('hello');
    assert.equal(await closeCode(ws), 4_602);
  },
  'frames that are none end the wire': async (address) => {
    for (const bytes of [[], [0], [5, 0, 0, 0, 0, 0, 1, 9], [3], [6, 0, 0, 0, 0, 0, 1], [99]]) {
      const ws = await visitor(address);
      ws.send(Uint8Array.from(bytes));
      assert.equal(await closeCode(ws), 4_602, `${bytes}`);
    }
  },
  'a greeting that never comes costs a second': async (address) => {
    assert.equal(await closeCode(await visitor(address)), 4_601);
  },
  'a frame that is too big ends the wire': async (address) => {
    const ws = await visitor(address);
    ws.send(new Uint8Array(2 * LIMITS.linkBatchBytes));
    await closeCode(ws);
  },
  'a frame of 100 MB is refused by its header, before a byte of it came': async (address) => {
    const net = connect(Number(new URL(address).port), '127.0.0.1');
    net.on('error', () => {});
    net.write(handshake('/peer').replace('weft.v1', 'weft.peer'));
    const [head] = (await once(net, 'data')) as [Buffer];
    assert.match(head.toString('latin1'), /^HTTP\/1\.1 101 /);
    const frame = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
    frame.writeBigUInt64BE(100_000_000n, 2);
    net.write(frame);
    const started = performance.now();
    net.resume();
    await once(net, 'close');
    assert.ok(performance.now() - started < LIMITS.linkGreetingMs / 2, 'not by the time that greetings have');
  },
  'wires that say nothing keep nobody out': async (address, t) => {
    const silent = await Promise.all(Array.from({ length: LIMITS.linkWaiting + 10 }, () => visitor(address)));
    t.after(() => {
      for (const ws of silent) ws.terminate();
    });
    await until(() => silent.filter((ws) => ws.readyState !== WebSocket.OPEN).length >= 10, 'the oldest give way');
  },
};

for (const engine of ['uws', 'ws'] as const) {
  for (const [name, visit] of Object.entries(VISITORS)) {
    test(`${engine}: ${name}`, async (t) => {
      const b = await node(t, 'b', { net: { engine } });
      await visit(b.links.address, t);
      await serves(t, b);
    });
  }
}

test('an address that is none, or where nobody is, is dialled again and again, and harms nothing', async (t) => {
  const told = new Set<string | null>();
  const dialled = (_: string, reason: string | null): void => void told.add(reason);
  const [a, b] = [await node(t, 'a', { net: { dialled } }), await node(t, 'b')];
  const gone = await loopback().listen(() => ({ opened() {}, message() {}, closed() {} }));
  await gone.close();
  for (const address of ['', 'no address', 'ws://127.0.0.1:1:1/', gone.address]) {
    a.links.peers([a.member, { ...b.member, address }]);
    await until(() => a.links.stats()[0]?.end === 'broken', `${address} failed`);
  }
  assert.ok(told.has('ECONNREFUSED') && !told.has(null), [...told].join());
  view(a, b);
  await until(() => a.said.includes('up b') && told.has(null), 'the link is up');
});

test(
  'links are TLS where there is a certificate, and strangers with another one are not dialled',
  needs('openssl'),
  async (t) => {
    const [ours, theirs] = [new Certificates(t), new Certificates(t)];
    const told: (string | null)[] = [];
    const net = { tls: ours, dialled: (_: string, reason: string | null) => void told.push(reason) };
    const [a, b] = await pair(t, { net });
    assert.match(b.links.address, /^wss:/);
    assert.equal(a.send('b', 'hello'), 'ok');
    await until(() => b.got.length === 1, 'it came');
    const c = await node(t, 'c', { net: { tls: theirs } });
    view(a, c);
    await until(() => a.links.stats()[0]?.end === 'broken', 'not dialled');
    assert.ok(!a.said.includes('up c'));
    assert.match(String(told.at(-1)), /CERT/);
    const bare = await node(t, 'f');
    view(a, bare);
    await until(() => told.includes('no TLS'), 'nor is one that has none');
    assert.ok(!a.said.includes('up f'));
    const d = await node(t, 'd', { net: { tls: theirs, authorities: ours.cert } });
    const e = await node(t, 'e', { net });
    view(d, e);
    await until(() => d.said.includes('up e'), 'an authority of its own');
  },
);

/** Another node gets a link with `b`, and a batch through. */
async function serves(t: TestContext, b: Peer): Promise<void> {
  const a = await node(t, 'a');
  view(a, b);
  await until(() => b.said.includes('up a') && a.said.includes('up b'), 'the node serves');
  a.send('b', 'still');
  await until(() => b.got.length === 1, 'it came');
  assert.deepEqual(b.faults, []);
}

async function visitor(address: string): Promise<WebSocket> {
  const ws = new WebSocket(address, ['weft.peer']);
  ws.on('error', () => {});
  await until(() => ws.readyState !== WebSocket.CONNECTING, 'the visitor is in');
  return ws;
}

async function closeCode(ws: WebSocket): Promise<number> {
  if (ws.readyState === WebSocket.CLOSED) return 0;
  const [code] = (await once(ws, 'close')) as [number];
  return code;
}

function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => (total * 31 + byte) >>> 0, bytes.length);
}
