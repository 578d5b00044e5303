// Owns the tests of plain HTTP on both engines, of the router and of addresses.
// Invariant: an answer is whole and comes exactly once, whatever the route or the client does.
// Must not: rely on a client's own retries.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingHttpHeaders, request as send } from 'node:http';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { addressOf, plainAddress } from '../../transport/address.js';
import { subprotocol } from '../../transport/handshake.js';
import { closeReason, json, Router, text } from '../../transport/http.js';
import type { HttpRequest } from '../../transport/socket.js';
import { loadUws } from '../../transport/uws-native.js';
import { Client, handshake, start, until } from './harness.js';

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

async function fetchRaw(url: string, method = 'GET', headers: Record<string, string> = {}, body = ''): Promise<Reply> {
  const outgoing = send(url, { method, headers, agent: false });
  outgoing.end(body);
  const [incoming] = await once(outgoing, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return { status: incoming.statusCode, headers: incoming.headers, body: Buffer.concat(chunks) };
}

const BIG = new Uint8Array(3_000_000).map((_, i) => i % 251);

for (const engine of ['uws', 'ws'] as const) {
  if (engine === 'uws' && loadUws() === undefined) continue;

  describe(`${engine} http`, () => {
    const begin = async () => {
      const held: (() => void)[] = [];
      const router = new Router()
        .get('/healthz', () => text(200, 'ok\n'))
        .get('/big', () => ({ status: 200, headers: { 'content-type': 'application/octet-stream' }, body: BIG }))
        .get('/later', async () => json(202, { later: true }))
        .get('/held', () => new Promise((resolve) => held.push(() => resolve(text(200, 'held')))))
        .get('/throws', () => {
          throw new Error('a secret');
        })
        .get('/rejects', () => Promise.reject(new Error('a secret')))
        .get('/echo/*', ({ method, path, query, address }) => json(200, { method, path, query, address }))
        .on('POST', '/post', (request) => text(200, request.header('X-Mark')));
      const harness = await start(engine, { http: (request) => router.handle(request) });
      return { ...harness, held };
    };

    test('a server that stops ends the connection of one who keeps asking', async () => {
      const { server } = await begin();
      const socket = connect(server.port, '127.0.0.1');
      let answers = 0;
      let ended = false;
      socket.on('data', () => {
        answers += 1;
      });
      socket
        .on('error', () => undefined)
        .on('close', () => {
          ended = true;
        });
      const asking = setInterval(() => socket.write('GET /healthz HTTP/1.1\r\nhost: weft\r\n\r\n'), 50);
      await until(() => answers > 0, 'an answer');
      const closing = server.close();
      await until(() => ended, 'the end of the connection', 3 * LIMITS.lingerMs);
      clearInterval(asking);
      await closing;
    });

    test('routes, methods and errors', async () => {
      const { http, server } = await begin();
      const health = await fetchRaw(`${http}/healthz`);
      assert.equal(health.status, 200);
      assert.equal(health.body.toString(), 'ok\n');
      assert.equal(health.headers['content-type'], 'text/plain; charset=utf-8');
      const head = await fetchRaw(`${http}/healthz`, 'HEAD');
      assert.equal(head.status, 200);
      assert.equal(head.body.length, 0);
      assert.equal(head.headers['content-length'], '3');
      assert.equal((await fetchRaw(`${http}/nothing`)).status, 404);
      const refused = await fetchRaw(`${http}/healthz`, 'DELETE');
      assert.equal(refused.status, 405);
      assert.equal(refused.headers.allow, 'GET, HEAD');
      const later = await fetchRaw(`${http}/later`);
      assert.deepEqual([later.status, JSON.parse(later.body.toString())], [202, { later: true }]);
      for (const path of ['/throws', '/rejects']) {
        const failed = await fetchRaw(http + path);
        assert.equal(failed.status, 500);
        assert.equal(failed.body.toString(), 'internal error\n');
      }
      const echo = await fetchRaw(`${http}/echo/a/b?x=1&y=%20`);
      assert.deepEqual(JSON.parse(echo.body.toString()), {
        method: 'GET',
        path: '/echo/a/b',
        query: 'x=1&y=%20',
        address: '127.0.0.1',
      });
      await server.close();
    });

    test('one connection carries request after request, a HEAD among them', async () => {
      const { server } = await begin();
      const net = connect(server.port, '127.0.0.1');
      let replies = '';
      net.on('data', (bytes) => {
        replies += bytes.toString();
      });
      for (const [i, method] of ['GET', 'HEAD', 'GET'].entries()) {
        net.write(`${method} /healthz HTTP/1.1\r\nHost: h\r\n\r\n`);
        await until(
          () => replies.split('HTTP/1.1 200 OK').length === i + 2 && /\r\n\r\n(ok\n)?$/.test(replies),
          method,
        );
      }
      assert.equal(replies.split('ok\n').length, 3, 'two bodies for three requests');
      net.destroy();
      await server.close();
    });

    test('large bodies either way', async () => {
      const { http, server } = await begin();
      const big = await fetchRaw(`${http}/big`);
      assert.ok(big.body.equals(BIG));
      assert.equal(big.headers['content-length'], String(BIG.length));
      const posted = await fetchRaw(`${http}/post`, 'POST', { 'x-mark': 'seen' }, 'b'.repeat(1_000_000));
      assert.equal(posted.status, 200);
      assert.equal(posted.body.toString(), 'seen');
      await server.close();
    });

    test('a client that leaves before an asynchronous answer harms nothing', async () => {
      const { http, server, held } = await begin();
      for (let i = 0; i < 20; i++) {
        const net = connect(server.port, '127.0.0.1');
        net.on('error', () => {});
        net.write('GET /held HTTP/1.1\r\nHost: h\r\n\r\n');
        await until(() => held.length === i + 1, 'the route has the request');
        net.destroy();
      }
      assert.equal((await fetchRaw(`${http}/healthz`)).status, 200, 'and the aborts were seen');
      for (const release of held) release();
      assert.equal((await fetchRaw(`${http}/healthz`)).status, 200);
      await server.close();
    });

    test('the WebSocket path without an upgrade, and an upgrade elsewhere, are plain HTTP', async () => {
      const { http, server, peers } = await begin();
      assert.equal((await fetchRaw(`${http}/v1`)).status, 404);
      const client = new Client(`${http.replace('http', 'ws')}/other`);
      await client.closed();
      const net = connect(server.port, '127.0.0.1');
      net.write(handshake('/healthz'));
      const [reply] = (await once(net, 'data')) as [Buffer];
      assert.match(reply.toString(), /^HTTP\/1\.1 200 OK\r\n/);
      net.destroy();
      assert.equal(peers.length, 0);
      await server.close();
    });

    test('a reset right after a refused upgrade does not harm the process', async () => {
      const { server } = await begin();
      for (let i = 0; i < 50; i++) {
        const net = connect(server.port, '127.0.0.1');
        net.on('error', () => {});
        net.write(handshake(i % 2 === 0 ? '/other' : '/v1').replace('weft.v1', 'weft.v9'));
        await until(() => !net.connecting, 'connected');
        net.resetAndDestroy();
      }
      await server.close();
    });
  });
}

const asked = (method: string, path: string): HttpRequest => ({
  method,
  path,
  query: '',
  address: '',
  header: () => '',
});

test('the router prefers exact paths, then the longest prefix', async () => {
  const router = new Router()
    .get('/*', () => text(200, 'root'))
    .get('/a/*', () => text(200, 'a'))
    .get('/a/b/*', () => text(200, 'ab'))
    .get('/a/b', () => text(200, 'exact'));
  const body = async (path: string) => (await router.handle(asked('GET', path))).body;
  assert.equal(await body('/a/b'), 'exact');
  assert.equal(await body('/a/b/c'), 'ab');
  assert.equal(await body('/a/c/d'), 'a');
  assert.equal(await body('/b'), 'root');
  assert.equal((await new Router().get('/a/*', () => text(200, '')).handle(asked('GET', '/b'))).status, 404);
});

test('addresses have one text each (RFC 5952)', () => {
  const v6 = (hex: string) => addressOf(new Uint8Array(Buffer.from(hex, 'hex')));
  assert.equal(addressOf(Uint8Array.of(10, 0, 0, 255)), '10.0.0.255');
  assert.equal(v6('00000000000000000000ffff7f000001'), '127.0.0.1');
  assert.equal(v6('00000000000000000000000000000001'), '::1');
  assert.equal(v6('00000000000000000000000000000000'), '::');
  assert.equal(v6('20010db8000000000001000000000001'), '2001:db8::1:0:0:1');
  assert.equal(v6('20010db8000000010001000100010001'), '2001:db8:0:1:1:1:1:1');
  assert.equal(v6('20010db8000100010000000000000000'), '2001:db8:1:1::');
  assert.equal(addressOf(new Uint8Array(3)), '');
  assert.equal(plainAddress('::ffff:10.1.2.3'), '10.1.2.3');
  assert.equal(plainAddress('::1'), '::1');
  assert.equal(plainAddress(undefined), '');
});

test('subprotocols and close reasons', () => {
  assert.equal(subprotocol('', 'p'), '');
  assert.equal(subprotocol('a, p ,b', 'p'), 'p');
  assert.equal(subprotocol('a,pp', 'p'), undefined);
  assert.equal(closeReason('short'), 'short');
  assert.equal(closeReason('x'.repeat(200)).length, 123);
  assert.equal(Buffer.byteLength(closeReason('🧵'.repeat(50))), 120);
});
