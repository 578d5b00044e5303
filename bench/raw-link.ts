// Owns the SDK's link over a bench's cheap socket: thousands of sessions in one process cost little beside the server they measure.
// Invariant: what links promise (client/link.ts): events come asynchronously, `closed` once, with the code of the server's close frame.
// Where a port has just refused a connection, the next ones are refused without asking: ten thousand that dial a dead node would keep the
// machine from starting another.
// Must not: be used outside the bench.

import type { Dial } from '../client/index.js';
import { openRaw, type RawSocket } from './raw-socket.js';

/** The connection broke or never came about (RFC 6455 §7.1.5). */
const BROKEN = 1006;

/** ms for which one that was refused speaks for all. */
const REFUSED_MS = 50;

let refused = Number.NEGATIVE_INFINITY;

/** `localAddress`: where it connects from. */
export function dialRaw(localAddress: string): Dial {
  return (url, protocol, events) => {
    let raw: RawSocket | undefined;
    let over = false;
    const finish = (code: number): void => {
      if (over) return;
      over = true;
      events.closed(code, '');
    };
    const message = (bytes: Uint8Array): void => {
      if (!over) events.message(Uint8Array.prototype.slice.call(bytes));
    };
    if (performance.now() - refused < REFUSED_MS) setImmediate(() => finish(BROKEN));
    else {
      openRaw(url, protocol, message, localAddress, (code) => finish(code ?? BROKEN)).then(
        (socket) => {
          raw = socket;
          if (over) socket.close();
          else events.open();
        },
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'ECONNREFUSED') refused = performance.now();
          finish(BROKEN);
        },
      );
    }
    return {
      send: (bytes) => raw?.send(bytes),
      buffered: () => raw?.waiting ?? 0,
      close(code) {
        raw?.close();
        queueMicrotask(() => finish(code));
      },
    };
  };
}
