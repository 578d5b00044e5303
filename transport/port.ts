// Owns finding a free port.
// Invariant: leaves nothing behind.
// Must not: hold the port: whoever asks listens right after, and asks again if somebody was quicker.

import { createServer } from 'node:net';

/**
 * A port that is free at `host`: any, or this one. Rejects with the system's error if the host is not ours, or if anybody
 * listens there, be it at a shared port.
 *
 * uWebSockets.js sets SO_REUSEADDR only where it is given a port. One that listens on a port of the system's choice could,
 * once killed, not take that port again while connections of its former life are in TIME-WAIT.
 */
export function freePort(host: string, port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ host, port, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
