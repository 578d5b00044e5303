// Owns the tests of what the servers do about clients that fall silent.
// Invariant: a client that pings lives; one that is silent is cut off in the documented time; none holds a socket for ever.
// Must not: run one case after the other: uWebSockets.js counts in steps of 4 s, from 8 s on.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { loadUws } from '../../transport/uws-native.js';
import { Client, rawClient, start, until } from './harness.js';

const SETTINGS = { uws: { idleMs: 8_000, latest: 13_000 }, ws: { idleMs: 1_000, latest: 3_000 } } as const;

describe('silent clients', { concurrency: true }, () => {
  for (const engine of ['uws', 'ws'] as const) {
    if (engine === 'uws' && loadUws() === undefined) continue;
    const { idleMs, latest } = SETTINGS[engine];

    test(`${engine}: who pings or sends stays, who only listens is cut off`, async () => {
      const { server, url, peers } = await start(engine, { idleMs });
      const silent = await Client.open(url);
      const pinging = await Client.open(url);
      const sending = await Client.open(url);
      const began = performance.now();
      const beat = setInterval(() => {
        pinging.ws.ping();
        sending.ws.send(Uint8Array.of(1));
        // What the server sends does not keep a silent client alive.
        for (const { socket } of peers) socket.send(Uint8Array.of(2));
      }, idleMs / 5);
      await until(() => silent.end !== undefined, 'the silent one is cut off', latest);
      clearInterval(beat);
      assert.ok(performance.now() - began > idleMs / 2, 'not early');
      assert.deepEqual(
        peers.map((peer) => peer.closed),
        [[1006], [], []],
      );
      assert.equal(silent.end?.code, 1006);
      await server.close();
    });

    test(`${engine}: a client that ignores the close frame is freed`, async () => {
      const harness = await start(engine, { idleMs });
      const net = await rawClient(harness);
      let ended = 0;
      net.on('end', () => ended++);
      net.resume();
      harness.peers[0]?.socket.close(4400, 'go');
      assert.deepEqual(harness.peers[0]?.closed, [4400]);
      // Our side stays open and says nothing; once the server has freed its end, what we write is answered by a reset.
      await until(
        () => {
          if (!net.destroyed) net.write(Uint8Array.of(0));
          return net.destroyed;
        },
        'the server frees the socket',
        Math.max(LIMITS.closeMs + 3_000, latest),
      );
      await harness.server.close();
    });
  }
});
