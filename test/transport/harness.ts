// Owns what the transport tests share: a server whose connections note all that happens to them, and clients.
// Invariant: nothing here waits for a fixed time; a condition that never holds fails with its name.
// Must not: know an engine's insides.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket as NetSocket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { type EngineChoice, listen } from '../../transport/server.js';
import type { Server, ServerOptions, Socket } from '../../transport/socket.js';

export interface Peer {
  readonly socket: Socket;
  readonly messages: Uint8Array[];
  texts: number;
  drained: number;
  readonly closed: number[];
}

export interface Harness {
  readonly server: Server;
  readonly url: string;
  readonly http: string;
  /** One per accepted connection, in order. */
  readonly peers: Peer[];
}

type Hooks = { accept?(peer: Peer): void; message?(peer: Peer, bytes: Uint8Array): void; text?(peer: Peer): void };

/** A server on a free port that echoes, unless `hooks` or `options` say otherwise. Closed by the caller. */
export async function start(
  engine: EngineChoice,
  options: Partial<ServerOptions> = {},
  hooks: Hooks = {},
): Promise<Harness> {
  const peers: Peer[] = [];
  const server = await listen(
    {
      host: '127.0.0.1',
      port: 0,
      path: '/v1',
      protocol: 'weft.v1',
      maxMessage: 131_072,
      maxBuffered: 1_048_576,
      accept: (socket) => {
        const peer: Peer = { socket, messages: [], texts: 0, drained: 0, closed: [] };
        peers.push(peer);
        hooks.accept?.(peer);
        return {
          message: (bytes) => {
            assert.equal(peer.closed.length, 0, 'no message after the close');
            peer.messages.push(bytes.slice());
            if (hooks.message) hooks.message(peer, bytes);
            else socket.send(bytes);
          },
          text: () => {
            peer.texts++;
            hooks.text?.(peer);
          },
          drained: () => {
            peer.drained++;
          },
          closed: (code) => {
            peer.closed.push(code);
          },
        };
      },
      http: ({ path }) => ({ status: 404, body: `nothing at ${path}` }),
      ...options,
    },
    engine,
  );
  const at = `127.0.0.1:${server.port}`;
  return { server, url: `ws://${at}/v1`, http: `http://${at}`, peers };
}

export class Client {
  readonly ws: WebSocket;
  readonly received: Uint8Array[] = [];
  /** Code and reason, once closed. */
  end: { readonly code: number; readonly reason: string } | undefined;

  constructor(url: string, protocols: string[] = ['weft.v1']) {
    this.ws = new WebSocket(url, protocols, { perMessageDeflate: false });
    this.ws.on('message', (data: Buffer) => this.received.push(Uint8Array.from(data)));
    this.ws.on('close', (code, reason) => {
      this.end = { code, reason: reason.toString() };
    });
    this.ws.on('error', () => {});
  }

  static async open(url: string, protocols?: string[]): Promise<Client> {
    const client = new Client(url, protocols);
    await until(() => client.ws.readyState === WebSocket.OPEN, 'the client is open');
    return client;
  }

  async closed(): Promise<{ readonly code: number; readonly reason: string }> {
    await until(() => this.end !== undefined, 'the client is closed');
    return this.end!;
  }
}

/** A TCP connection that has done the WebSocket handshake by hand and then sends what it likes. */
export async function rawClient(harness: Harness): Promise<NetSocket> {
  const net = connect({ port: harness.server.port, host: '127.0.0.1', allowHalfOpen: true });
  net.on('error', () => {});
  net.write(handshake('/v1'));
  const [head] = (await once(net, 'data')) as [Buffer];
  assert.match(head.toString('latin1'), /^HTTP\/1\.1 101 /);
  return net;
}

export function handshake(path: string, lines: readonly string[] = []): string {
  return `${[
    `GET ${path} HTTP/1.1`,
    'Host: localhost',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol: weft.v1',
    ...lines,
  ].join('\r\n')}\r\n\r\n`;
}

export async function until(holds: () => boolean, what: string, ms = 15_000): Promise<void> {
  const end = performance.now() + ms;
  while (!holds()) {
    assert.ok(performance.now() < end, `in time: ${what}`);
    await sleep(2);
  }
}
