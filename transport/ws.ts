// Owns the WebSocket and HTTP server on Node's http and the ws package, for machines without uWebSockets.js.
// Invariant: behaves as uws.ts does; test/transport runs one contract suite over both.
// Must not: pass on bytes that the caller may reuse: Node holds what the kernel did not take, so `send` copies.

import { createServer, type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { assert } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import { plainAddress } from './address.js';
import { clientAddress, type Denial, Origins, subprotocol } from './handshake.js';
import { answer, closeReason } from './http.js';
import {
  type HttpRequest,
  type HttpResponse,
  ListenError,
  type SendOutcome,
  type Server,
  type ServerOptions,
  type Socket,
  type SocketHandler,
} from './socket.js';
import { readTls, type Tls } from './tls.js';

/** Looks at each socket within the idle time: more would cost more, fewer would let a silent client stay longer. */
const SWEEPS = 4;

class WsSocket implements Socket {
  readonly address: string;
  readonly #ws: WebSocket;
  readonly #net: NetSocket;
  readonly #maxBuffered: number;
  #handler: SocketHandler | undefined;
  #code: number | undefined;
  #corked = false;
  #waiting = false;
  #heard = 0;
  #silent = 0;

  constructor(ws: WebSocket, net: NetSocket, address: string, maxBuffered: number) {
    this.#ws = ws;
    this.#net = net;
    this.#maxBuffered = maxBuffered;
    this.address = address;
    ws.on('message', (data, isBinary) => this.#message(data, isBinary));
    ws.on('close', (code) => this.#closed(code));
    ws.on('error', (error) => {
      // Other errors are followed by `close` with 1006, like any broken connection.
      if ('code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#closed(1009);
    });
  }

  open(options: ServerOptions): void {
    this.#handler = options.accept(this);
    if (this.#code !== undefined) this.#handler.closed(this.#code);
  }

  send(bytes: Uint8Array): SendOutcome {
    if (this.#code !== undefined) return 'dropped';
    const before = this.buffered();
    if (before > this.#maxBuffered) return 'dropped';
    this.#ws.send(Buffer.from(bytes), this.#flushed);
    // Within a cork nothing has reached the kernel yet; what was there before tells whether it is taking bytes.
    if (this.#corked ? before === 0 : this.buffered() === 0) return 'sent';
    this.#waiting = true;
    return 'queued';
  }

  buffered(): number {
    return this.#code === undefined ? this.#ws.bufferedAmount : 0;
  }

  cork(task: () => void): void {
    if (this.#corked || this.#code !== undefined) {
      task();
      return;
    }
    this.#corked = true;
    this.#net.cork();
    try {
      task();
    } finally {
      this.#net.uncork();
      this.#corked = false;
      if (this.buffered() > 0) this.#waiting = true;
    }
  }

  close(code: number, reason: string): void {
    if (this.#code !== undefined) return;
    this.#ws.close(code, closeReason(reason));
    this.#closed(code);
  }

  /** Called at even intervals: cuts the connection when no byte has come during SWEEPS of them. */
  sweep(): void {
    const heard = this.#net.bytesRead;
    this.#silent = heard === this.#heard ? this.#silent + 1 : 0;
    this.#heard = heard;
    if (this.#silent >= SWEEPS) this.terminate();
  }

  terminate(): void {
    this.#ws.terminate();
    this.#closed(1006);
  }

  readonly #flushed = (): void => {
    if (!this.#waiting || this.#code !== undefined || this.buffered() > 0) return;
    this.#waiting = false;
    this.#handler?.drained();
  };

  #message(data: RawData, isBinary: boolean): void {
    if (this.#code !== undefined) return;
    if (!isBinary) this.#handler?.text();
    else if (data instanceof Uint8Array) this.#handler?.message(data);
  }

  #closed(code: number): void {
    if (this.#code !== undefined) return;
    this.#code = code;
    this.#handler?.closed(code);
  }
}

export function listenWs(options: ServerOptions): Promise<Server> {
  const open = new Set<WsSocket>();
  const origins = new Origins(options.origins ?? [], options.host);
  const { tls } = options;
  const timeouts = {
    headersTimeout: LIMITS.requestMs,
    requestTimeout: LIMITS.requestMs,
    connectionsCheckingInterval: LIMITS.requestMs / 2,
  };
  const take = (request: IncomingMessage, response: ServerResponse): void => serve(options, request, response);
  const secure: SecureServer | null =
    tls === undefined
      ? null
      : createSecureServer({ ...timeouts, ...pair(readTls(tls)), handshakeTimeout: LIMITS.requestMs }, take);
  const http = secure ?? createServer(timeouts, take);
  // Not a literal: the types lag behind the package, which has closeTimeout.
  const upgradeOptions = {
    noServer: true,
    perMessageDeflate: false,
    maxPayload: options.maxMessage,
    closeTimeout: LIMITS.closeMs,
    // Asked only when some are offered, and ours is among them then.
    handleProtocols: () => options.protocol,
  };
  const upgrades = new WebSocketServer(upgradeOptions);
  http.on('upgrade', (request: IncomingMessage, net: NetSocket, head: Buffer) => {
    // From here on the socket is ours, and a reset without a listener would end the process.
    net.on('error', () => {});
    if (pathOf(request) !== options.path) {
      const response = new ServerResponse(request);
      response.assignSocket(net);
      response.shouldKeepAlive = false;
      response.once('finish', () => net.end(() => net.destroy()));
      serve(options, request, response);
      return;
    }
    if (subprotocol(request.headers['sec-websocket-protocol'] ?? '', options.protocol) === undefined) {
      refuse(net, { status: 400, body: '' });
      return;
    }
    const denied = origins.judge(request.headers.origin ?? '', request.headers.host ?? '');
    if (denied !== null) {
      refuse(net, denied);
      return;
    }
    upgrades.handleUpgrade(request, net, head, (ws) => {
      const address = addressOfClient(request, net, options);
      const socket = new WsSocket(ws, net, address, options.maxBuffered);
      open.add(socket);
      net.once('close', () => open.delete(socket));
      socket.open(options);
    });
  });
  const sweep = setInterval(
    () => {
      for (const socket of open) socket.sweep();
    },
    (options.idleMs ?? LIMITS.idleMs) / SWEEPS,
  );
  sweep.unref();

  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => {
      clearInterval(sweep);
      reject(new ListenError(options.host, options.port, error.code ?? error.message));
    });
    http.listen(options.port, options.host, () => {
      const address = http.address();
      const closed = new Promise<void>((done) => http.once('close', done));
      resolve({
        engine: 'ws',
        host: options.host,
        port: typeof address === 'object' && address !== null ? address.port : options.port,
        secure: secure !== null,
        renew: async () => {
          assert(secure !== null && tls !== undefined, 'only TLS has a certificate');
          const read = readTls(tls);
          secure.setSecureContext(pair(read));
          return read.ends;
        },
        pause: () => http.close(),
        close: async () => {
          clearInterval(sweep);
          http.close();
          for (const socket of open) socket.close(1001, 'server stops');
          const cut = setTimeout(() => {
            http.closeAllConnections();
            for (const socket of open) socket.terminate();
          }, LIMITS.lingerMs);
          await closed;
          clearTimeout(cut);
        },
      });
    });
  });
}

function refuse(net: Duplex, { status, body }: Denial): void {
  const type = 'content-type: text/plain; charset=utf-8\r\n';
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nconnection: close\r\n${type}`;
  net.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () => net.destroy());
}

/** What a secure context takes of it. */
function pair({ cert, key }: Tls): { readonly cert: Buffer; readonly key: Buffer } {
  return { cert, key };
}

function addressOfClient(request: IncomingMessage, net: NetSocket, { trustProxy }: ServerOptions): string {
  const peer = plainAddress(net.remoteAddress);
  // Node joins several lines of a header that is none of its own with commas.
  const lines = request.headers['x-forwarded-for'] ?? '';
  return trustProxy === true ? clientAddress(peer, String(lines)) : peer;
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0] ?? '/';
}

function serve(options: ServerOptions, incoming: IncomingMessage, outgoing: ServerResponse): void {
  // Nobody reads the body; unread, it would hold the connection up.
  incoming.resume();
  const request = new WsRequest(incoming);
  const result = answer(options.http, request);
  if (!(result instanceof Promise)) write(outgoing, result);
  // `result` never rejects, and an aborted response takes and drops what is written to it.
  else void result.then((value) => write(outgoing, value));
}

function write(outgoing: ServerResponse, { status, headers, body }: HttpResponse): void {
  // Node leaves the body out where the request was a HEAD.
  outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
}

class WsRequest implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly address: string;
  readonly #headers: IncomingMessage['headers'];

  constructor(request: IncomingMessage) {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.method = request.method ?? 'GET';
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.query = mark < 0 ? '' : url.slice(mark + 1);
    this.address = plainAddress(request.socket.remoteAddress);
    this.#headers = request.headers;
  }

  header(name: string): string {
    const value = this.#headers[name.toLowerCase()];
    return Array.isArray(value) ? value.join(', ') : (value ?? '');
  }
}
