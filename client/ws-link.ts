// Owns the adapter from WebSocket objects, a browser's or those of `ws`, to Link.
// Invariant: `closed` is told once, at the latest LIMITS.clientCloseMs after `close`, also when the peer is gone.
// Must not: import a WebSocket: the platform's entry brings its constructor.

import { LIMITS } from '../actors/limits.js';
import type { Dial, Link } from './link.js';

/** What browsers' WebSocket and that of `ws` have in common, as far as it is used. */
export interface SocketLike {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { readonly data: unknown } & never) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string } & never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code: number, reason: string): void;
  /** `ws` only: drops the connection without the closing handshake. */
  terminate?(): void;
}

const OPEN = 1;
/** The connection broke or never came about (RFC 6455 §7.1.5). */
const BROKEN = 1006;

export function dialWith(open: (url: string, protocol: string) => SocketLike): Dial {
  return (url, protocol, events) => {
    let done = false;
    let socket: SocketLike | undefined;
    const finish = (code: number, reason: string): void => {
      if (done) return;
      done = true;
      events.closed(code, reason);
    };
    try {
      socket = open(url, protocol);
    } catch {
      // A malformed URL. As asynchronous as any other failure.
      queueMicrotask(() => finish(BROKEN, 'no connection'));
    }
    if (socket !== undefined) attach(socket, events, finish, () => done);
    return linkOf(socket, finish);
  };
}

function attach(
  socket: SocketLike,
  events: Parameters<Dial>[2],
  finish: (code: number, reason: string) => void,
  done: () => boolean,
): void {
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    if (!done()) events.open();
  };
  socket.onmessage = (event: { readonly data: unknown }) => {
    // Text is not of the protocol; the codec would have to guess.
    if (!done() && event.data instanceof ArrayBuffer) events.message(new Uint8Array(event.data));
  };
  socket.onclose = (event: { readonly code: number; readonly reason: string }) => finish(event.code, event.reason);
  // A close follows each error and says as much as a browser may know.
  socket.onerror = () => {};
}

function linkOf(socket: SocketLike | undefined, finish: (code: number, reason: string) => void): Link {
  return {
    send(bytes) {
      if (socket?.readyState === OPEN) socket.send(Uint8Array.from(bytes));
    },
    buffered: () => socket?.bufferedAmount ?? 0,
    close(code, reason) {
      socket?.close(code, reason);
      const timer: unknown = setTimeout(() => {
        socket?.terminate?.();
        finish(BROKEN, reason);
      }, LIMITS.clientCloseMs);
      // Node's timers hold the process; a browser's are numbers.
      if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') {
        timer.unref();
      }
    },
  };
}
