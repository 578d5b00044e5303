// Owns the proof that a node serves TLS as an operator runs it: `weft start`, `weft status` and `weft chat` over it, and a
// certificate that is replaced while clients are connected.
// Invariant: the node is a process of its own, with certificates that openssl made for the test.
// Must not: test the engines' insides (test/transport/door.test.ts).

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '../../actors/limits.js';
import type { NodeProcess } from '../../bench/node-process.js';
import { T } from '../../transport/frames.js';
import { Certificates, shownBy } from '../certificates.js';
import { weft } from '../cli/command.js';
import { needs } from '../needs.js';
import { RawClient, text, token } from './harness.js';
import { Home } from './process.js';

async function until(holds: () => boolean | Promise<boolean>, node: NodeProcess): Promise<void> {
  const end = performance.now() + 15_000;
  while (!(await holds())) {
    assert.ok(performance.now() < end, `in time; the node's log:\n${node.lines.join('\n')}`);
    await sleep(50);
  }
}

function shows(node: NodeProcess, name: string): Promise<void> {
  const { port } = new URL(node.url);
  return until(async () => (await shownBy(Number(port))) === name, node);
}

async function logs(node: NodeProcess, event: string): Promise<string> {
  const line = (): string | undefined => node.lines.find((text) => text.includes(event));
  await until(() => line() !== undefined, node);
  return line()!;
}

function renewals(node: NodeProcess): number {
  return node.lines.filter((line) => line.includes('certificate_renewed')).length;
}

test('status and chat over TLS, with the issuer as Node takes it', needs('openssl'), async (t) => {
  const tls = new Certificates(t);
  const home = new Home(t);
  const node = await home.start({ flags: ['--tls-cert', tls.cert, '--tls-key', tls.key] });
  assert.match(node.url, /^wss:/);
  const trust = { NODE_EXTRA_CA_CERTS: tls.cert, HOME: home.folder };
  const http = node.url.replace('wss:', 'https:').replace('/v1', '');
  const status = await weft(['status', '--url', http], trust);
  assert.equal(status.code, 0, status.err);
  assert.match(status.out, /ready/);
  const distrusted = await weft(['status', '--url', http]);
  assert.equal(distrusted.code, 3);
  assert.match(distrusted.err, /DEPTH_ZERO_SELF_SIGNED_CERT/);
  const file = join(home.folder, 'token');
  writeFileSync(file, await token('ada', 'a1'));
  const bob = await RawClient.join(node.url, 'bob', 'b1', [], 10, { rejectUnauthorized: false });
  const chat = ['chat', '--to', 'bob', '--url', node.url, '--token-file', file, '--store', home.folder];
  const said = await weft(chat, trust, 'by wss\n');
  assert.equal(said.code, 0, said.err);
  assert.equal(text((await bob.next(T.MESSAGE)).body), 'by wss');
});

test('a replaced certificate is taken by itself and at SIGHUP, while clients stay', needs('openssl'), async (t) => {
  const tls = new Certificates(t);
  const node = await new Home(t).start({
    flags: ['--tls-cert', tls.cert, '--tls-key', tls.key, '--log-level', 'info'],
  });
  const ada = await RawClient.join(node.url, 'ada', 'a1', [], 10, { rejectUnauthorized: false });
  tls.use('two');
  await shows(node, 'two');
  writeFileSync(tls.cert, 'garbage');
  assert.match(await logs(node, 'certificate_unusable'), /no certificate with its key/);
  await shows(node, 'two');
  tls.use('three');
  await shows(node, 'three');
  // At rest now, so that only the signals can be what has it read again.
  await sleep(LIMITS.certificateRestMs);
  for (let i = 0; i < 3; i += 1) {
    const before = renewals(node);
    process.kill(node.pid, 'SIGHUP');
    await until(() => renewals(node) > before, node);
  }
  ada.send({ type: T.PING, n: 1 });
  await ada.next(T.PONG);
  assert.equal(ada.closed, null);
  assert.deepEqual(await node.stop('SIGTERM'), { code: 0, signal: null });
});

test('what cannot be used at the start ends it with the reason', needs('openssl'), async (t) => {
  const tls = new Certificates(t);
  writeFileSync(tls.cert, 'garbage');
  const home = new Home(t);
  const failed = await weft([
    'start',
    '--data',
    home.data,
    '--listen',
    '127.0.0.1:0',
    '--tls-cert',
    tls.cert,
    '--tls-key',
    tls.key,
  ]);
  assert.equal(failed.code, 1);
  assert.match(failed.err, /bad_certificate: .*cert\.pem/);
});

test('beyond this machine without TLS, the start warns', async (t) => {
  const home = new Home(t);
  const node = await home.start({ flags: ['--listen', '0.0.0.0:0'] });
  assert.match(await logs(node, 'no TLS'), /--tls-cert/);
  const local = await new Home(t).start();
  assert.ok(!local.lines.some((line) => line.includes('no TLS')));
});
