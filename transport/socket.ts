// Owns the contract between a WebSocket server (uWebSockets.js or ws) and what is behind it.
// Invariant: bytes handed over in either direction belong to the callee only during the call; whoever keeps them copies.
// Must not: know frames or actors.

import type { TlsFiles } from './tls.js';

/** `sent`: with the kernel. `queued`: buffered by us, `drained` follows. `dropped`: over the buffer's limit, not sent. */
export type SendOutcome = 'sent' | 'queued' | 'dropped';

/** One accepted client connection. All calls are safe after the close and then do nothing. */
export interface Socket {
  /** Remote address as text, for limits and logs. */
  readonly address: string;
  /** Sends one binary frame; `bytes` may be reused as soon as this returns. */
  send(bytes: Uint8Array): SendOutcome;
  /** Bytes accepted but not yet with the kernel. */
  buffered(): number;
  /** Packs the sends made within `task` into as few system calls as possible. */
  cork(task: () => void): void;
  /** Ends the connection; `closed` may come before this returns. A reason beyond 123 bytes is cut. */
  close(code: number, reason: string): void;
}

/** The owner of one connection. */
export interface SocketHandler {
  /** A whole binary message; `bytes` is valid only during the call. */
  message(bytes: Uint8Array): void;
  /** A text message came: the protocol has none. */
  text(): void;
  /** The send buffer emptied after `queued`. May not come; poll `buffered` too. */
  drained(): void;
  /**
   * Exactly once, after which the socket is dead. The code is the peer's or that of our own `close`; 1006: the connection
   * broke or was idle for too long; 1005: the peer gave none.
   */
  closed(code: number): void;
}

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  header(name: string): string;
  readonly address: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

export interface ServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** WebSocket path; others are HTTP. */
  readonly path: string;
  /** Subprotocol offered; a client that asks for others only is refused with 400. */
  readonly protocol: string;
  /** Largest message in bytes; a larger one closes with 1009. */
  readonly maxMessage: number;
  /** Bytes buffered per connection before sends are dropped. */
  readonly maxBuffered: number;
  /** ms without a byte from the client before it is cut off (closed with 1006). The uws engine counts in steps of 4 s. */
  readonly idleMs?: number;
  /** Origins whose pages may connect besides the server's own; `*`: all (handshake.ts). None are listed if absent. */
  readonly origins?: readonly string[];
  /** Peers on this machine are proxies: the client's address is in their X-Forwarded-For. */
  readonly trustProxy?: boolean;
  /** Serve TLS with these. */
  readonly tls?: TlsFiles;
  /** Other processes of this user listen at the same port, and the kernel gives each its part of the clients. Not by the ws engine. */
  readonly shared?: boolean;
  accept(socket: Socket): SocketHandler;
  http(request: HttpRequest): HttpResponse | Promise<HttpResponse>;
}

export interface Server {
  readonly engine: 'uws' | 'ws';
  readonly host: string;
  readonly port: number;
  /** Serves TLS. */
  readonly secure: boolean;
  /**
   * New connections get the certificate that the files hold now; open ones live on. Resolves to its end, wall ms. Rejects with
   * TlsError, the old one staying in use, where it cannot be used.
   */
  renew(): Promise<number>;
  /** Only where others share the port: leaves new connections to them, until told otherwise. May be said often. */
  readonly aside?: (on: boolean) => void;
  /** Stops accepting; open connections stay. */
  pause(): void;
  /** Closes the listener and what is still open (code 1001). */
  close(): Promise<void>;
}

/** The address could not be had: in use, not ours, or not permitted. */
export class ListenError extends Error {
  readonly code = 'listen_failed';

  constructor(
    readonly host: string,
    readonly port: number,
    /** The system's code, or a text. */
    readonly reason: string,
  ) {
    super(`cannot listen on ${host.includes(':') ? `[${host}]` : host}:${port}: ${reason}`);
    this.name = 'ListenError';
  }
}
