// Owns finding a free port.
// Invariant: leaves nothing behind.
// Must not: hold the port: whoever asks listens right after, and asks again if somebody was quicker.

import { createServer } from 'node:net';

/**
 * A port that is free at `host`; rejects with the system's error if the host is not ours.
 *
 * uWebSockets.js sets SO_REUSEADDR only where it is given a port. One that listens on a port of the system's choice could,
 * once killed, not take that port again while connections of its former life are in TIME-WAIT.
 */
export function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ host, port: 0, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
