// Owns the proof of what the WebSocket servers ask before they accept: the page's origin, the address behind a proxy, TLS.
// Invariant: one body of tests, two engines, real sockets.
// Must not: need a node (test/e2e/tls.test.ts).

import assert from 'node:assert/strict';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { describe, type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { clientAddress, Origins } from '../../transport/handshake.js';
import { TlsError } from '../../transport/tls.js';
import { loadUws } from '../../transport/uws-native.js';
import { Certificates, shownBy } from '../certificates.js';
import { needs } from '../needs.js';
import { type Harness, start, until } from './harness.js';

test('an origin passes by the Host it asks, by the list, and between loopback names', () => {
  const open = new Origins(['https://app.example'], '192.0.2.1');
  const passes = (origins: Origins, origin: string, host = 'chat.example'): boolean =>
    origins.judge(origin, host) === null;
  assert.ok(passes(open, ''), 'no browser');
  assert.ok(passes(open, 'https://chat.example'));
  assert.ok(passes(open, 'https://Chat.Example', 'chat.example:443'), 'a proxy may name the port');
  assert.ok(passes(open, 'http://chat.example:8080', 'chat.example:8080'));
  assert.ok(passes(open, 'https://APP.example'));
  for (const origin of [
    'https://evil.example',
    'https://chat.example.evil.example',
    'https://chat.example:444',
    'https://chat.example@evil.example',
    'http://app.example',
    'http://localhost:3000',
    'null',
    'chat.example',
    'https://',
  ]) {
    const denial = open.judge(origin, 'chat.example');
    assert.equal(denial?.status, 403, origin);
    assert.match(denial.body, /--origin /);
  }
  const local = new Origins([], '127.0.0.1');
  for (const origin of ['http://localhost:3000', 'http://127.0.0.1', 'http://[::1]:5173'])
    assert.ok(passes(local, origin));
  assert.ok(!passes(local, 'http://localhost.evil.example'));
  assert.ok(passes(new Origins(['*'], '192.0.2.1'), 'https://anybody.example'));
});

test('of X-Forwarded-For, the last entry that is not this machine counts', () => {
  for (const [forwarded, client] of [
    ['192.0.2.7', '192.0.2.7'],
    ['6.6.6.6, 192.0.2.7', '192.0.2.7'],
    ['6.6.6.6, 192.0.2.7, 127.0.0.1', '192.0.2.7'],
    ['192.0.2.7:4711', '192.0.2.7'],
    ['[2001:db8::7]:4711', '2001:db8::7'],
    ['2001:db8::7', '2001:db8::7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['', '127.0.0.1'],
    ['192.0.2.7, unknown', '127.0.0.1'],
  ] as const) {
    assert.equal(clientAddress('127.0.0.1', forwarded), client, forwarded);
  }
  assert.equal(clientAddress('192.0.2.1', '6.6.6.6'), '192.0.2.1', 'from elsewhere it is not believed');
});

/** Status and body of a handshake, 101 if it was taken. */
function knock(url: string, headers: Readonly<Record<string, string | string[]>>): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    // The types know no header of several lines.
    const socket = new WebSocket(url, 'weft.v1', {
      headers: headers as Record<string, string>,
      rejectUnauthorized: false,
    });
    socket.on('open', () => {
      socket.close();
      resolve([101, '']);
    });
    socket.on('unexpected-response', (_, response) => {
      let body = '';
      response.on('data', (part: Buffer) => {
        body += part.toString();
      });
      response.on('end', () => resolve([response.statusCode ?? 0, body]));
    });
    socket.on('error', reject);
  });
}

for (const engine of ['uws', 'ws'] as const) {
  if (engine === 'uws' && loadUws() === undefined) continue;

  describe(`${engine} door`, { concurrency: false }, () => {
    const begin = async (t: TestContext, options: Parameters<typeof start>[1]): Promise<Harness> => {
      const harness = await start(engine, options);
      t.after(() => harness.server.close());
      return harness;
    };

    test('a page of somewhere else gets 403 and is told what to set', async (t) => {
      const { url, peers, server } = await begin(t, { origins: ['https://app.example'] });
      const [status, body] = await knock(url, { origin: 'https://evil.example' });
      assert.equal(status, 403);
      assert.match(body, /weft|--origin https:\/\/evil\.example/);
      assert.equal(peers.length, 0);
      for (const origin of [`http://127.0.0.1:${server.port}`, 'http://localhost:1', 'https://app.example']) {
        assert.deepEqual(await knock(url, { origin }), [101, '']);
      }
      assert.deepEqual(await knock(url, {}), [101, '']);
    });

    test("behind a proxy the client's address is the one forwarded, of several lines the last", async (t) => {
      const { url, peers } = await begin(t, { trustProxy: true });
      await knock(url, { 'x-forwarded-for': '192.0.2.7' });
      await knock(url, { 'x-forwarded-for': ['6.6.6.6', '192.0.2.8'] });
      await knock(url, {});
      assert.deepEqual(
        peers.map(({ socket }) => socket.address),
        ['192.0.2.7', '192.0.2.8', '127.0.0.1'],
      );
      const direct = await begin(t, {});
      await knock(direct.url, { 'x-forwarded-for': '192.0.2.7' });
      assert.equal(direct.peers[0]?.socket.address, '127.0.0.1');
    });

    test('TLS: WebSocket and HTTP on one port, and plain text gets nothing', needs('openssl'), async (t) => {
      const tls = new Certificates(t);
      const { server, peers } = await begin(t, { tls });
      assert.equal(server.secure, true);
      const at = `127.0.0.1:${server.port}`;
      assert.deepEqual(await knock(`wss://${at}/v1`, {}), [101, '']);
      assert.equal(peers[0]?.socket.address, '127.0.0.1');
      const status = await new Promise((resolve, reject) => {
        get(`https://${at}/x`, { rejectUnauthorized: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        }).on('error', reject);
      });
      assert.equal(status, 404);
      await assert.rejects(knock(`ws://${at}/v1`, {}));
    });

    test('a renewed certificate is for new connections; open ones live on', needs('openssl'), async (t) => {
      const tls = new Certificates(t);
      const { server } = await begin(t, { tls });
      const { port } = server;
      const open = new WebSocket(`wss://127.0.0.1:${port}/v1`, 'weft.v1', { rejectUnauthorized: false });
      const heard: string[] = [];
      open.on('message', (data: Buffer) => heard.push(data.toString()));
      await until(() => open.readyState === WebSocket.OPEN, 'the client is open');
      for (const name of ['two', 'three', 'four']) {
        const before = await shownBy(port);
        tls.use(name);
        assert.equal(await shownBy(port), before, 'not before it is told');
        const ends = await server.renew();
        assert.ok(ends > Date.now() + 86_400_000 && ends < Date.now() + 3 * 86_400_000);
        assert.equal(await shownBy(port), name);
        open.send(Buffer.from(name));
        await until(() => heard.includes(name), 'the echo on the open connection');
      }
      open.close();
    });

    test('a certificate that cannot be used leaves the old one in use, and says why', needs('openssl'), async (t) => {
      const tls = new Certificates(t);
      const { server } = await begin(t, { tls });
      const old = await shownBy(server.port);
      const other = new Certificates(t);
      const spoiled = [
        () => writeFileSync(tls.cert, 'garbage'),
        () => writeFileSync(tls.cert, ''),
        () => rmSync(tls.cert),
        // A certificate without its key.
        () => copyFileSync(other.cert, tls.cert),
      ];
      for (const spoil of spoiled) {
        spoil();
        await assert.rejects(server.renew(), TlsError);
        assert.equal(await shownBy(server.port), old);
      }
      tls.use('good');
      await server.renew();
      assert.equal(await shownBy(server.port), 'good');
      rmSync(tls.key);
      await assert.rejects(start(engine, { tls }), TlsError);
    });
  });
}
