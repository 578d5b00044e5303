// Owns the WebSocket and HTTP server on uWebSockets.js.
// Invariant: a native socket is touched only between `open` and `close`: afterwards any call on it throws, so the
// connection forgets it first.
// Must not: keep a message's bytes (they are gone when the handler returns), or rely on `drain` (uWebSockets#1047).
// Absent on purpose: compression (bodies are ciphertext) and automatic pings (the client keeps the connection alive).

import { STATUS_CODES } from 'node:http';
import { assert } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import { addressOf } from './address.js';
import { clientAddress, Origins, subprotocol } from './handshake.js';
import { answer, closeReason } from './http.js';
import { freePort } from './port.js';
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
import { readTls, type TlsFiles } from './tls.js';
import type { NativeApp, NativeRequest, NativeResponse, NativeSocket, Uws } from './uws-native.js';

/**
 * uWebSockets.js cuts a connection off without a close frame when a message is over its limit. It is given twice ours, so
 * that a message somewhat too large is seen whole and answered with 1009.
 */
const SPARE = 2;
/** LIBUS_LISTEN_DEFAULT, which the package does not name: SO_REUSEPORT. */
const SHARED_PORT = 0;
/** What it tells the close handler when it has cut off such a connection. */
const TOO_BIG = 'Received too big message';
/** Bytes from which the engine takes a message for long. */
const LONG = 16_384;
const TEXT = 'text/plain; charset=utf-8';
const OUTCOMES: readonly SendOutcome[] = ['queued', 'sent', 'dropped'];

class UwsSocket implements Socket {
  readonly address: string;
  #native: NativeSocket | undefined;
  #handler: SocketHandler | undefined;
  #code = 0;

  constructor(native: NativeSocket, address: string) {
    this.#native = native;
    this.address = address === '' ? addressOf(new Uint8Array(native.getRemoteAddress())) : address;
  }

  open(options: ServerOptions): void {
    this.#handler = options.accept(this);
    if (this.#native === undefined) this.#handler.closed(this.#code);
  }

  send(bytes: Uint8Array): SendOutcome {
    // Asking for compression, which is off, changes no byte, but keeps the engine from a short cut that it has for long messages:
    // before 20.34 it lost the message and kept its header where the kernel was full just then (uWebSockets#1662).
    return OUTCOMES[this.#native?.send(bytes, true, bytes.length >= LONG) ?? 2] ?? 'dropped';
  }

  buffered(): number {
    return this.#native?.getBufferedAmount() ?? 0;
  }

  cork(task: () => void): void {
    if (this.#native === undefined) task();
    else this.#native.cork(task);
  }

  close(code: number, reason: string): void {
    this.#native?.end(code, closeReason(reason));
  }

  message(bytes: ArrayBuffer, isBinary: boolean, limit: number): void {
    if (bytes.byteLength > limit) this.close(1009, 'message too big');
    else if (isBinary) this.#handler?.message(new Uint8Array(bytes));
    else this.#handler?.text();
  }

  drain(): void {
    if (this.buffered() === 0) this.#handler?.drained();
  }

  closed(code: number): void {
    this.#native = undefined;
    this.#code = code;
    this.#handler?.closed(code);
  }
}

interface UserData {
  socket: UwsSocket | undefined;
  /** The client's behind a proxy; '' where it is the peer's. */
  readonly address: string;
}

export async function listenUws(uws: Uws, options: ServerOptions): Promise<Server> {
  const open = new Set<UwsSocket>();
  // All of them: the connections that an app took are its own, and must not lose it to the garbage collector.
  const apps = [createApp(uws, options, open)];
  let listener = await listenOn(uws, apps[0]!, options);
  let listening = true;
  const port = uws.us_socket_local_port(listener);
  let over = false;
  const rest = (): void => {
    if (listening) uws.us_listen_socket_close(listener);
    listening = false;
  };
  /** With the newest app: it has the newest certificate. */
  const resume = (): void => {
    apps.at(-1)!.listen(options.host, port, claimOf(uws, options), (next) => {
      listening = Boolean(next);
      listener = next;
    });
  };
  const pause = (): void => {
    rest();
    over = true;
  };
  const aside = (on: boolean): void => {
    if (on) rest();
    else if (!listening && !over) resume();
  };
  return {
    engine: 'uws',
    host: options.host,
    port,
    secure: options.tls !== undefined,
    renew: async () => {
      assert(options.tls !== undefined, 'only TLS has a certificate');
      const { ends } = readTls(options.tls);
      const app = createApp(uws, options, open);
      // A context's certificate cannot be replaced, so another app takes over the port, within one turn. What the kernel has
      // accepted and not handed over by then is reset, so what gathered while the context was made is taken first.
      await new Promise((resolve) => setImmediate(setImmediate, resolve));
      if (over) return ends;
      apps.push(app);
      if (!listening) return ends;
      rest();
      resume();
      if (!listening) throw new ListenError(options.host, port, 'the port was lost while the certificate was renewed');
      return ends;
    },
    ...(options.shared === true ? { aside } : {}),
    pause,
    close: async () => {
      pause();
      for (const socket of [...open]) socket.close(1001, 'server stops');
      // Who does not close in turn, or keeps a connection of HTTP for its next question, would keep the process alive.
      setTimeout(() => {
        for (const app of apps) app.close();
      }, LIMITS.lingerMs).unref();
    },
  };
}

function createApp(uws: Uws, options: ServerOptions, open: Set<UwsSocket>): NativeApp {
  const { tls } = options;
  const origins = new Origins(options.origins ?? [], options.host);
  const app = tls === undefined ? uws.App() : secureApp(uws, tls);
  app.ws<UserData>(options.path, {
    compression: uws.DISABLED,
    maxPayloadLength: options.maxMessage * SPARE,
    maxBackpressure: options.maxBuffered,
    closeOnBackpressureLimit: false,
    idleTimeout: idleSeconds(options.idleMs ?? LIMITS.idleMs),
    sendPingsAutomatically: false,
    upgrade: (response, request, context) => {
      const offered = request.getHeader('sec-websocket-protocol');
      const protocol = subprotocol(offered, options.protocol);
      const version = request.getHeader('sec-websocket-version');
      if (protocol === undefined || version !== '13') {
        response.writeStatus('400 Bad Request').writeHeader('sec-websocket-version', '13').end('', true);
        return;
      }
      const denied = origins.judge(request.getHeader('origin'), request.getHeader('host'));
      if (denied !== null) {
        const status = `${denied.status} ${STATUS_CODES[denied.status] ?? ''}`;
        response.writeStatus(status).writeHeader('content-type', TEXT).end(denied.body, true);
        return;
      }
      const key = request.getHeader('sec-websocket-key');
      const address = options.trustProxy === true ? forwarded(request, response) : '';
      response.upgrade<UserData>({ socket: undefined, address }, key, protocol, '', context);
    },
    open: (native) => {
      const data = native.getUserData();
      const socket = new UwsSocket(native, data.address);
      data.socket = socket;
      open.add(socket);
      socket.open(options);
    },
    message: (native, bytes, isBinary) => native.getUserData().socket?.message(bytes, isBinary, options.maxMessage),
    drain: (native) => native.getUserData().socket?.drain(),
    close: (native, code, reason) => {
      const { socket } = native.getUserData();
      if (socket === undefined) return;
      open.delete(socket);
      socket.closed(code === 1006 && Buffer.from(reason).toString() === TOO_BIG ? 1009 : code);
    },
  });
  app.any('/*', (response, request) => serve(options, response, request));
  return app;
}

function secureApp(uws: Uws, tls: TlsFiles): NativeApp {
  // First, for a reason that can be told: the engine's own error names none.
  readTls(tls);
  return uws.SSLApp({ cert_file_name: tls.cert, key_file_name: tls.key });
}

/** The client's address where the peer is a proxy. */
function forwarded(request: NativeRequest, response: NativeResponse): string {
  const lines: string[] = [];
  // Not getHeader: of several lines it has the first, which the client may have written.
  request.forEach((name, value) => {
    if (name === 'x-forwarded-for') lines.push(value);
  });
  return clientAddress(addressOf(new Uint8Array(response.getRemoteAddress())), lines.join(','));
}

/** Exclusive unless it is meant: otherwise SO_REUSEPORT lets a second process share the port, and it would get half of the clients. */
function claimOf(uws: Uws, { shared }: ServerOptions): number {
  return shared === true ? SHARED_PORT : uws.LIBUS_LISTEN_EXCLUSIVE_PORT;
}

async function listenOn(uws: Uws, app: NativeApp, options: ServerOptions): Promise<unknown> {
  const { host, port } = options;
  const attempt = (at: number): Promise<unknown> =>
    new Promise((resolve) => app.listen(host, at, claimOf(uws, options), resolve));
  for (let tries = port === 0 ? LIMITS.portTries : 1; tries > 0; tries -= 1) {
    const chosen = port === 0 ? await freePort(host).catch(() => 0) : port;
    const listener = chosen === 0 ? false : await attempt(chosen);
    if (listener) return listener;
  }
  // The engine does not say why; the system does, unless the port is free by now.
  const reason = await freePort(host, port).then(
    () => 'the port was lost to another process',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
  );
  throw new ListenError(host, port, reason);
}

/** The engine takes 8 to 960 s in steps of 4 s. */
function idleSeconds(ms: number): number {
  return Math.min(960, Math.max(8, Math.ceil(ms / 4_000) * 4));
}

function serve(options: ServerOptions, response: NativeResponse, native: NativeRequest): void {
  // Always, and first: a handler that returns with neither this nor an answer, say because it threw, ends the process.
  let aborted = false;
  response.onAborted(() => {
    aborted = true;
  });
  const request = new UwsRequest(native, response);
  const result = answer(options.http, request);
  if (result instanceof Promise) {
    // `result` never rejects: answer() turned that into a response.
    void result.then((value) => {
      if (!aborted) response.cork(() => write(response, request, value));
    });
  } else write(response, request, result);
}

function write(response: NativeResponse, request: HttpRequest, { status, headers, body }: HttpResponse): void {
  response.writeStatus(`${status} ${STATUS_CODES[status] ?? ''}`);
  for (const [name, value] of Object.entries(headers ?? {})) response.writeHeader(name, value);
  if (request.method !== 'HEAD') response.end(body);
  // Not endWithoutBody(length): before 20.31 that neither answers nor says so.
  else response.writeHeader('content-length', `${Buffer.byteLength(body)}`).endWithoutBody();
}

/** Copies the native request, which is gone when the route handler returns. */
class UwsRequest implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly address: string;
  readonly #headers = new Map<string, string>();

  constructor(request: NativeRequest, response: NativeResponse) {
    this.method = request.getMethod().toUpperCase();
    this.path = request.getUrl();
    this.query = request.getQuery();
    this.address = addressOf(new Uint8Array(response.getRemoteAddress()));
    request.forEach((name, value) => {
      this.#headers.set(name, value);
    });
  }

  header(name: string): string {
    return this.#headers.get(name.toLowerCase()) ?? '';
  }
}
