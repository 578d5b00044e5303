// Owns the contract suite of the WebSocket servers, run over real sockets for each engine.
// Invariant: one body of tests, two engines; what passes on one and not on the other is a defect.
// Must not: test what an engine promises beyond transport/socket.ts.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { after, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { LIMITS } from '../../actors/limits.js';
import { listen } from '../../transport/server.js';
import { loadUws } from '../../transport/uws-native.js';
import { Client, type Harness, handshake, rawClient, start, until } from './harness.js';

test('uWebSockets.js loads where it is installed for this machine', () => {
  if (process.platform === 'linux' && process.arch === 'x64') assert.ok(loadUws());
});

for (const engine of ['uws', 'ws'] as const) {
  if (engine === 'uws' && loadUws() === undefined) continue;

  describe(`${engine} server`, { concurrency: false }, () => {
    const running: Harness[] = [];
    const begin = async (...args: Parameters<typeof start> extends [unknown, ...infer R] ? R : never) => {
      const harness = await start(engine, ...args);
      running.push(harness);
      return harness;
    };
    after(() => Promise.all(running.map(({ server }) => server.close())));

    test('echoes messages of every header size, whole and in order', async () => {
      const { url, server, peers } = await begin();
      assert.equal(server.engine, engine);
      const client = await Client.open(url);
      const sizes = [0, 1, 125, 126, 65_535, 65_536, 65_600, 131_072];
      for (const [i, size] of sizes.entries()) client.ws.send(new Uint8Array(size).fill(i + 1));
      await until(() => client.received.length === sizes.length, 'all came back');
      for (const [i, size] of sizes.entries()) assert.deepEqual(client.received[i], new Uint8Array(size).fill(i + 1));
      assert.equal(peers[0]?.socket.address, '127.0.0.1');
      client.ws.close();
      await client.closed();
    });

    test('a message in fragments, with a ping between, arrives as one', async () => {
      const { url } = await begin();
      const client = await Client.open(url);
      let pongs = 0;
      client.ws.on('pong', () => pongs++);
      client.ws.send(Buffer.from([1, 2]), { fin: false, binary: true });
      client.ws.ping();
      client.ws.send(Buffer.from([3]), { fin: true, binary: true });
      await until(() => client.received.length === 1, 'the echo');
      assert.deepEqual(client.received[0], Uint8Array.of(1, 2, 3));
      await until(() => pongs === 1, 'the pong');
      client.ws.close();
    });

    test('a message over the limit closes with 1009, once', async () => {
      const { url, peers } = await begin();
      const client = await Client.open(url);
      client.ws.send(new Uint8Array(131_073));
      assert.equal((await client.closed()).code, 1009);
      await until(() => peers[0]?.closed.length === 1, 'the server knows');
      assert.deepEqual(peers[0]?.closed, [1009]);
      assert.equal(peers[0]?.messages.length, 0);
    });

    test('a message far over the limit ends the connection before it is all there', async () => {
      const { url, peers } = await begin();
      const client = await Client.open(url);
      client.ws.send(new Uint8Array(8_000_000));
      await client.closed();
      await until(() => peers[0]?.closed.length === 1, 'the server knows');
      assert.deepEqual(peers[0]?.closed, [1009]);
    });

    test('text is told apart', async () => {
      const { url, peers } = await begin({}, { text: ({ socket }) => socket.close(4400, 'binary only') });
      const client = await Client.open(url);
      client.ws.send('hello');
      assert.deepEqual(await client.closed(), { code: 4400, reason: 'binary only' });
      assert.equal(peers[0]?.texts, 1);
      assert.deepEqual(peers[0]?.closed, [4400]);
    });

    test('the subprotocol is ours, or none if none was offered; only others get 400', async () => {
      const { url, peers } = await begin();
      assert.equal((await Client.open(url)).ws.protocol, 'weft.v1');
      assert.equal((await Client.open(url, ['other', 'weft.v1'])).ws.protocol, 'weft.v1');
      assert.equal((await Client.open(url, [])).ws.protocol, '');
      const refused = new WebSocket(url, ['other', 'weft.v2']);
      const status = await new Promise<number | undefined>((resolve) => {
        refused.on('unexpected-response', (_, response) => resolve(response.statusCode));
        refused.on('error', () => {});
      });
      assert.equal(status, 400);
      assert.equal(peers.length, 3);
    });

    test('handshakes that are none of version 13 are refused and nothing is accepted', async () => {
      const { server, peers } = await begin();
      const broken = [
        handshake('/v1').replace('Version: 13', 'Version: 12'),
        handshake('/v1').replace(/Sec-WebSocket-Key.*\r\n/, ''),
        handshake('/elsewhere'),
        'GET /v1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
      ];
      for (const request of broken) {
        const reply = await exchange(server.port, request);
        assert.match(reply, /^HTTP\/1\.1 4\d\d /, request);
      }
      assert.equal(peers.length, 0);
    });

    test('closing from the server tells the client why, and afterwards every call does nothing', async () => {
      const { url, peers } = await begin();
      const client = await Client.open(url);
      const { socket, closed } = peers[0]!;
      socket.close(4409, 'é'.repeat(100));
      const { code, reason } = await client.closed();
      assert.equal(code, 4409);
      assert.equal(reason, 'é'.repeat(61), 'cut on a character border');
      assert.deepEqual(closed, [4409]);
      assert.equal(socket.send(Uint8Array.of(1)), 'dropped');
      assert.equal(socket.buffered(), 0);
      socket.close(4400, 'again');
      let ran = false;
      socket.cork(() => {
        ran = true;
      });
      assert.ok(ran);
      assert.deepEqual(closed, [4409]);
    });

    test("the client's close, with and without code, and its sudden death are told once", async () => {
      const { url, peers } = await begin();
      const clients = await Promise.all([Client.open(url), Client.open(url), Client.open(url)]);
      for (const [i, client] of clients.entries()) client.ws.send(Uint8Array.of(i));
      await until(() => peers.every((peer) => peer.messages.length === 1), 'all are known');
      const by = (i: number) => peers.find((peer) => peer.messages[0]?.[0] === i)!;
      clients[0]?.ws.close(1000, 'bye');
      clients[1]?.ws.close();
      clients[2]?.ws.terminate();
      await until(() => peers.every((peer) => peer.closed.length > 0), 'all are closed');
      assert.deepEqual([by(0).closed, by(1).closed, by(2).closed], [[1000], [1005], [1006]]);
    });

    test('both sides closing at once is one close', async () => {
      const { url, peers } = await begin();
      for (let i = 0; i < 20; i++) {
        const client = await Client.open(url);
        client.ws.close(1000);
        peers[i]?.socket.close(1001, '');
        await client.closed();
      }
      assert.ok(peers.every((peer) => peer.closed.length === 1));
    });

    test('a connection may be closed while it is accepted and while it handles a message', async () => {
      const atOnce = await begin({}, { accept: ({ socket }) => socket.close(4413, 'full') });
      assert.deepEqual(await new Client(atOnce.url).closed(), { code: 4413, reason: 'full' });
      assert.deepEqual(atOnce.peers[0]?.closed, [4413]);
      const later = await begin({}, { message: ({ socket }) => socket.close(4400, '') });
      const client = await Client.open(later.url);
      for (let i = 0; i < 5; i++) client.ws.send(Uint8Array.of(i));
      assert.equal((await client.closed()).code, 4400);
      assert.equal(later.peers[0]?.messages.length, 1, 'nothing is handed over after the close');
    });

    test('what was sent before a close arrives before it', async () => {
      const { url } = await begin(
        {},
        {
          message: ({ socket }) => {
            for (let i = 0; i < 10; i++) socket.send(new Uint8Array(50_000).fill(i));
            socket.close(4400, 'last');
          },
        },
      );
      const client = await Client.open(url);
      client.ws.send(Uint8Array.of(1));
      assert.equal((await client.closed()).code, 4400);
      assert.equal(client.received.length, 10);
    });

    test('a slow reader fills the buffer to its limit, is refused more, and drains', async () => {
      const { url, peers } = await begin();
      const client = await Client.open(url);
      client.ws.pause();
      const { socket } = peers[0]!;
      const scratch = new Uint8Array(60_000);
      const outcomes: string[] = [];
      let most = 0;
      do {
        // The same memory for every message: an engine that kept it would send the last one's bytes.
        scratch.fill(outcomes.length);
        outcomes.push(socket.send(scratch));
        most = Math.max(most, socket.buffered());
        assert.ok(outcomes.length < 5_000, 'the buffer has a limit');
      } while (outcomes.at(-1) !== 'dropped');
      scratch.fill(0xee);
      assert.ok(outcomes.includes('queued'));
      assert.ok(most > 1_048_576 && most <= 1_048_576 + 60_100, `${most} bytes were buffered`);
      assert.equal(socket.send(scratch), 'dropped');
      assert.ok(socket.buffered() <= most);
      client.ws.resume();
      const accepted = outcomes.length - 1;
      await until(() => client.received.length === accepted, 'all that was accepted arrives');
      for (const [i, bytes] of client.received.entries()) {
        assert.ok(bytes.length === 60_000 && bytes[0] === (i & 0xff) && bytes[59_999] === (i & 0xff), `message ${i}`);
      }
      await until(() => socket.buffered() === 0, 'the buffer is empty');
      await until(() => peers[0]!.drained > 0, 'drained was told');
      assert.equal(socket.send(Uint8Array.of(7)), 'sent');
      await until(() => client.received.length === accepted + 1, 'sending works again');
      client.ws.close();
    });

    test('sends within a cork arrive in order, also nested and with a close at the end', async () => {
      const { url, peers } = await begin();
      const client = await Client.open(url);
      const { socket } = peers[0]!;
      socket.cork(() => {
        for (let i = 0; i < 100; i++) socket.send(Uint8Array.of(i));
        socket.cork(() => socket.send(Uint8Array.of(100)));
        socket.send(new Uint8Array(40_000).fill(101));
        socket.close(4400, 'done');
      });
      assert.equal((await client.closed()).code, 4400);
      assert.deepEqual(
        client.received.map((bytes) => bytes[0]),
        [...Array(102).keys()],
      );
    });

    test('bytes that are no WebSocket frames end their connection and nothing else', async () => {
      const harness = await begin();
      const witness = await Client.open(harness.url);
      const garbage = [
        [0xf2, 0x80, 0, 0, 0, 0], // reserved bits
        [0x83, 0x80, 0, 0, 0, 0], // reserved opcode
        [0x80, 0x80, 0, 0, 0, 0], // continuation of nothing
        [0x09, 0x80, 0, 0, 0, 0], // a ping in fragments
        [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], // 2^64-1 bytes
      ];
      for (const bytes of garbage) {
        const net = await rawClient(harness);
        net.write(Uint8Array.from(bytes));
        net.resume();
        await until(() => net.readableEnded || net.destroyed, `the server ends ${bytes.join(' ')}`);
        net.destroy();
      }
      await until(() => harness.peers.slice(1).every((peer) => peer.closed.length === 1), 'each is told once');
      witness.ws.send(Uint8Array.of(1));
      await until(() => witness.received.length === 1, 'others are not harmed');
      witness.ws.close();
    });

    test('thousands of short connections, ended in every way, leave nothing behind', async () => {
      const harness = await begin();
      const { url, server, peers } = harness;
      const before = descriptors();
      const rounds = 2_000;
      let next = 0;
      const worker = async (): Promise<void> => {
        while (next < rounds) {
          const i = next++;
          if (i % 8 === 7) {
            const net = connect(server.port, '127.0.0.1');
            net.on('error', () => {});
            net.write(handshake('/v1').slice(0, 10 + (i % 100)));
            await until(() => !net.connecting, 'connected');
            net.destroy();
            continue;
          }
          const client = await Client.open(url);
          if (i % 4 === 0) client.ws.terminate();
          else client.ws.close(1000);
          await client.closed();
        }
      };
      await Promise.all(Array.from({ length: 32 }, worker));
      assert.equal(peers.length, rounds - rounds / 8);
      await until(() => peers.every((peer) => peer.closed.length === 1), 'every close is told once');
      await until(() => descriptors() <= before, `descriptors fall back to ${before}`);
    });

    test('a port in use and an address of others are refused with listen_failed', async () => {
      const { server } = await begin();
      assert.ok(server.port > 0);
      const options = {
        path: '/v1',
        protocol: 'weft.v1',
        maxMessage: 1,
        maxBuffered: 1,
        accept: () => assert.fail('nothing connects'),
        http: () => ({ status: 200, body: '' }),
      };
      await assert.rejects(listen({ ...options, host: '127.0.0.1', port: server.port }, engine), {
        code: 'listen_failed',
      });
      await assert.rejects(listen({ ...options, host: '203.0.113.1', port: 0 }, engine), { code: 'listen_failed' });
    });

    test('pause refuses newcomers and keeps the others; close ends those with 1001', async () => {
      const { url, server, peers } = await begin();
      const client = await Client.open(url);
      server.pause();
      const newcomer = new Client(url);
      await newcomer.closed();
      client.ws.send(Uint8Array.of(5));
      await until(() => client.received.length === 1, 'the echo');
      const closing = server.close();
      assert.equal((await client.closed()).code, 1001);
      await closing;
      assert.deepEqual(
        peers.map((peer) => peer.closed),
        [[1001]],
      );
      await server.close();
    });

    test('close does not wait for a client that answers nothing', async () => {
      const harness = await start(engine);
      const net = await rawClient(harness);
      const began = performance.now();
      await harness.server.close();
      assert.ok(performance.now() - began < LIMITS.lingerMs * 4);
      assert.deepEqual(harness.peers[0]?.closed, [1001]);
      net.destroy();
    });
  });
}

async function exchange(port: number, request: string): Promise<string> {
  const net = connect(port, '127.0.0.1');
  let reply = '';
  net.on('data', (bytes) => {
    reply += bytes.toString('latin1');
  });
  net.on('error', () => {});
  net.write(request);
  await until(() => reply.includes('\r\n\r\n') || net.destroyed, 'an answer');
  net.destroy();
  return reply;
}

function descriptors(): number {
  return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
}
