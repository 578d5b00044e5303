// Owns the tests of the SDK over real sockets: the adapter, the process's life, the browser bundle.
// Invariant: every server and process ends with the test that started it.
// Must not: depend on the machine's speed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { WebSocketServer } from 'ws';
import { connect as connectBrowser } from '../../client/browser.js';
import { connect } from '../../client/index.js';
import type { LinkEvents } from '../../client/link.js';
import { platform } from '../../client/platform.js';
import { FakeConnection, FakeServer } from './fake-server.js';

/** The fake server behind a real WebSocket server. */
class Loopback {
  readonly fake = new FakeServer(platform);
  readonly #server: WebSocketServer;

  constructor(port = 0) {
    this.#server = new WebSocketServer({ host: '127.0.0.1', port, handleProtocols: () => 'weft.v1' });
    this.#server.on('connection', (socket) => {
      const events: LinkEvents = {
        open: () => {},
        message: (bytes) => socket.send(bytes),
        closed: (code) => (code === 1006 ? socket.terminate() : socket.close(code)),
      };
      const connection = new FakeConnection(this.fake, events);
      this.fake.connections.push(connection);
      socket.on('message', (data: Buffer) => connection.receive(new Uint8Array(data)));
      socket.on('close', () => {
        connection.open = false;
      });
    });
  }

  async url(): Promise<string> {
    if (this.#server.address() === null) await once(this.#server, 'listening');
    return `ws://127.0.0.1:${this.port}/v1`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const closing: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

function loopback(port = 0): Loopback {
  const server = new Loopback(port);
  closing.push(() => server.close());
  return server;
}

// Node 20 has no WebSocket of its own that is on by default: the browser's entry gets the one of `ws`, whose interface is the same.
for (const [name, open] of [
  ['node', connect],
  ['browser', connectBrowser],
] as const) {
  test(`${name} entry: a session over a real socket, lost and resumed`, async (t) => {
    const { WebSocket } = await import('ws');
    const before = globalThis.WebSocket;
    Object.defineProperty(globalThis, 'WebSocket', { value: WebSocket, configurable: true });
    t.after(() => Object.defineProperty(globalThis, 'WebSocket', { value: before, configurable: true }));
    const server = loopback();
    const session = await open({ url: await server.url(), token: 't', backoff: { base: 20 } });
    t.after(() => session.close());
    const seen: string[] = [];
    session.on('message', ({ seq, text }) => void seen.push(`${seq} ${text}`));
    assert.deepEqual(await session.direct('bob').send('grüße'), { seq: 1 });
    const online = new Promise<void>((resolve) => {
      session.on('state', ({ state }) => (state === 'online' ? resolve() : undefined));
    });
    server.fake.last.cut();
    await online;
    const told = new Promise<void>((resolve) => void session.on('message', () => resolve()));
    server.fake.post(server.fake.chat('bob'), 'antwort');
    await told;
    assert.deepEqual(seen, ['2 antwort']);
    assert.deepEqual(await session.direct('bob').send(new Uint8Array(65_536)), { seq: 3 });
  });
}

describe('no server', () => {
  test('a refused port and a malformed address are time-outs with the reason, not exceptions', async () => {
    const probe = createServer();
    probe.listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    for (const url of [`ws://127.0.0.1:${port}/v1`, 'not an address']) {
      await assert.rejects(connect({ url, token: 't', timeout: 200, backoff: { base: 20 } }), { code: 'timeout' });
    }
  });

  test('a peer that takes the connection and says nothing does not hold `close`', async (t) => {
    const sockets: Socket[] = [];
    const mute: Server = createServer((socket) => void sockets.push(socket));
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      mute.close();
    });
    const url = `ws://127.0.0.1:${(mute.address() as AddressInfo).port}/v1`;
    const session = await connect({ url, token: 't', offline: true });
    await session.close();
    assert.equal(session.state, 'closed');
  });
});

test('a process lives while its session waits for a server, and ends after close', async () => {
  const entry = fileURLToPath(new URL('../../client/index.js', import.meta.url));
  const spare = loopback();
  await spare.url();
  const { port } = spare;
  await spare.close();
  closing.pop();
  const script = `
    import { connect } from ${JSON.stringify(entry)};
    const session = await connect({ url: 'ws://127.0.0.1:${port}/v1', token: 't', offline: true, backoff: { base: 50, cap: 100 } });
    console.log('waiting');
    const { seq } = await session.direct('bob').send('x');
    console.log('sent ' + seq);
    await session.close();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(child.stdout, 'data');
  loopback(port);
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
  assert.equal(output, 'waiting\nsent 1\n');
});

test('the browser bundle holds no Node built-in', async (t) => {
  const entry = fileURLToPath(new URL('../../client/browser.js', import.meta.url));
  const bundle = async (minify: boolean) =>
    build({
      entryPoints: [entry],
      bundle: true,
      platform: 'browser',
      format: 'esm',
      minify,
      write: false,
      metafile: true,
    });
  // platform=browser refuses an import of a built-in; what is left to find is use of Node's globals.
  const { outputFiles, metafile } = await bundle(true);
  const inputs = Object.keys(metafile.inputs);
  assert.ok(
    inputs.every((input) => !input.includes('node_modules') && !input.includes('store-file')),
    inputs.join(),
  );
  const plain = (await bundle(false)).outputFiles[0]!.text;
  for (const global of ['process.', 'Buffer.', 'require(', 'node:', '__dirname']) {
    const code = plain.replaceAll(/^\s*\/\/.*$/gm, '');
    assert.equal(code.includes(global), false, `uses ${global}`);
  }
  const size = outputFiles[0]!.contents.length;
  t.diagnostic(`${(size / 1024).toFixed(1)} KiB minified`);
  assert.ok(size < 84 * 1_024);
});
