// Owns the network between nodes on a real machine: a listener of its own, as for clients, and dialling by ws.
// Invariant: a frame far over the limit is refused by its header, before it is buffered; what is not taken from a listener's buffer
// breaks the wire, for a wire loses nothing in the middle.
// Must not: believe anybody: who is there is for the greeting to find out (cluster/link-greeting.ts).

import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { WebSocket } from 'ws';
import { LIMITS } from '../actors/limits.js';
import { ENDS, type End, type Listening, type Net, type Wire, type WireHandler } from '../cluster/net.js';
import { type EngineChoice, listen } from './server.js';
import type { HttpRequest, HttpResponse, Socket, SocketHandler } from './socket.js';
import type { TlsFiles } from './tls.js';

export interface PeerNetOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** What others dial instead of `host`, where that is all of a machine's addresses. */
  readonly reachedAt?: string;
  /** Both directions are TLS then. Those whom we dial must have a certificate for the address that they are dialled at. */
  readonly tls?: TlsFiles;
  /** PEM file of the authorities that may have signed it, besides the public ones. Absent: our own certificate is one. */
  readonly authorities?: string;
  readonly engine?: EngineChoice;
  /** Told of each dial: null where somebody answered, else a code of the system or of TLS, or a text. */
  dialled?(address: string, reason: string | null): void;
  /** Answers operators who ask this very node. */
  http?(request: HttpRequest): HttpResponse | Promise<HttpResponse>;
}

const PATH = '/peer';
const PROTOCOL = 'weft.peer';
/** The close codes that stand for the ends, from here on in their order; 4000 to 4999 are free for use (RFC 6455 §7.4.2). */
const FIRST_CODE = 4_600;
const TOO_BIG = 1009;
/** A batch with its head. */
const MOST = LIMITS.linkBatchBytes + LIMITS.linkGreeting;

/** The network of this machine. `listen` rejects with ListenError or TlsError, and so does this with TlsError. */
export function createPeerNet(options: PeerNetOptions): Net {
  const ca = options.tls === undefined ? undefined : authorities(options.tls, options.authorities);
  return {
    listen: (accept) => listenFor(options, accept),
    dial: (address, handler) => new Dialled(address, handler, ca, (reason) => options.dialled?.(address, reason)),
  };
}

async function listenFor(options: PeerNetOptions, accept: (wire: Wire) => WireHandler): Promise<Listening> {
  const { host, port, tls, engine, http, reachedAt = host } = options;
  const server = await listen(
    {
      host,
      port,
      path: PATH,
      protocol: PROTOCOL,
      maxMessage: MOST,
      // The peer's credit bounds what links have here; beyond it are answers to who asks and does not read.
      maxBuffered: LIMITS.linkBytes * 2,
      ...(tls === undefined ? {} : { tls }),
      accept: (socket) => new Accepted(socket, accept),
      http: (request) => http?.(request) ?? { status: 404, body: 'nodes of a cluster talk here\n' },
    },
    engine,
  );
  const name = reachedAt.includes(':') ? `[${reachedAt}]` : reachedAt;
  return {
    address: `${server.secure ? 'wss' : 'ws'}://${name}:${server.port}${PATH}`,
    close: () => server.close(),
  };
}

class Accepted implements Wire, SocketHandler {
  readonly address: string;
  readonly #socket: Socket;
  #handler: WireHandler | undefined;

  constructor(socket: Socket, accept: (wire: Wire) => WireHandler) {
    this.#socket = socket;
    this.address = socket.address;
    this.#handler = accept(this);
  }

  send(bytes: Uint8Array): boolean {
    if (this.#handler === undefined) return false;
    if (this.#socket.send(bytes) !== 'dropped') return true;
    this.#breakOff();
    return false;
  }

  buffered(): number {
    return this.#handler === undefined ? 0 : this.#socket.buffered();
  }

  close(end: End): void {
    if (this.#handler === undefined) return;
    this.#handler = undefined;
    this.#socket.close(codeOf(end), end);
  }

  message(bytes: Uint8Array): void {
    this.#handler?.message(bytes);
  }

  text(): void {
    const handler = this.#handler;
    this.close('frame');
    handler?.closed('frame');
  }

  drained(): void {}

  closed(code: number): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.closed(endOf(code));
  }

  /** A frame was not taken: nothing may follow it. */
  #breakOff(): void {
    const handler = this.#handler;
    this.close('broken');
    queueMicrotask(() => handler?.closed('broken'));
  }
}

class Dialled implements Wire {
  readonly address: string;
  readonly #told: (reason: string | null) => void;
  #ws: WebSocket | undefined;
  #handler: WireHandler | undefined;

  constructor(
    address: string,
    handler: WireHandler,
    ca: readonly string[] | undefined,
    told: (reason: string | null) => void,
  ) {
    this.address = address;
    this.#handler = handler;
    this.#told = told;
    // Who asks for TLS gets no link without it, whatever another node was told.
    if (ca !== undefined && !address.startsWith('wss:')) {
      told('no TLS');
      queueMicrotask(() => this.#closed('broken'));
      return;
    }
    try {
      this.#ws = new WebSocket(address, [PROTOCOL], dialOptions(ca));
    } catch {
      // No address at all, as the row of a node says.
      told('no address');
      queueMicrotask(() => this.#closed('broken'));
      return;
    }
    this.#ws.on('open', () => {
      this.#told(null);
      this.#handler?.opened();
    });
    this.#ws.on('message', (data, isBinary) => {
      if (isBinary && data instanceof Uint8Array) this.#handler?.message(data);
      else this.#failed('frame');
    });
    this.#ws.on('close', (code) => this.#closed(endOf(code)));
    this.#ws.on('error', (error) => {
      if (this.#handler !== undefined && this.#ws?.readyState !== WebSocket.OPEN) this.#told(codeIn(error));
      // Others are followed by `close`.
      if ('code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#failed('frame');
    });
  }

  send(bytes: Uint8Array): boolean {
    if (this.#handler === undefined || this.#ws?.readyState !== WebSocket.OPEN) return false;
    this.#ws.send(bytes);
    return true;
  }

  buffered(): number {
    return this.#handler === undefined ? 0 : (this.#ws?.bufferedAmount ?? 0);
  }

  close(end: End): void {
    const ws = this.#ws;
    if (this.#handler === undefined || ws === undefined) return;
    this.#handler = undefined;
    // The one who dials had waited for long enough.
    if (ws.readyState === WebSocket.CONNECTING) this.#told('no answer');
    ws.close(codeOf(end), end);
    // A peer that reads nothing keeps neither the socket nor what is buffered for it.
    setTimeout(() => ws.terminate(), LIMITS.lingerMs).unref();
  }

  #failed(end: End): void {
    const handler = this.#handler;
    this.close(end);
    handler?.closed(end);
  }

  #closed(end: End): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.closed(end);
  }
}

function codeIn(error: Error): string {
  return 'code' in error ? String(error.code) : error.message;
}

function dialOptions(ca: readonly string[] | undefined): object {
  return {
    perMessageDeflate: false,
    maxPayload: MOST,
    handshakeTimeout: LIMITS.linkGreetingMs,
    // Masks keep scripts in browsers from writing what proxies take for a request (RFC 6455 §10.3); here is neither, and
    // a mask of zeros, which ws leaves out, saves a pass over every byte.
    generateMask: (mask: Buffer) => void mask.fill(0),
    ...(ca === undefined ? {} : { ca }),
  };
}

function authorities(tls: TlsFiles, file: string | undefined): string[] {
  return [...rootCertificates, readFileSync(file ?? tls.cert, 'utf8')];
}

function codeOf(end: End): number {
  return FIRST_CODE + ENDS.indexOf(end);
}

function endOf(code: number): End {
  return code === TOO_BIG ? 'frame' : (ENDS[code - FIRST_CODE] ?? 'broken');
}
