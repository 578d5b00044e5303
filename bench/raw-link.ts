// Owns the SDK's link over a bench's cheap socket: thousands of sessions in one process cost little beside the server they measure.
// Invariant: what links promise (client/link.ts): events come asynchronously, `closed` once, with the code of the server's close frame.
// Must not: be used outside the bench.

import type { Dial } from '../client/index.js';
import { openRaw, type RawSocket } from './raw-socket.js';

/** The connection broke or never came about (RFC 6455 §7.1.5). */
const BROKEN = 1006;

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
    openRaw(url, protocol, message, localAddress, (code) => finish(code ?? BROKEN)).then(
      (socket) => {
        raw = socket;
        if (over) socket.close();
        else events.open();
      },
      () => finish(BROKEN),
    );
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
