// Owns the test that nothing is lost between a socket that takes bytes and one that has just become full.
// Invariant: whatever the kernel takes at that moment: all, a part, nothing.
// Must not: read frames; their bytes are counted.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rawClient, start, until } from './harness.js';

/** Bytes of messages, and of their frames' heads; with the first two, kernels are often exactly full between two messages. */
const SIZES = [54_000, 55_478, 20_000];
const HEAD = 4;
const ROUNDS = 20;

for (const engine of ['uws', 'ws'] as const) {
  test(`${engine}: a long message that meets a full socket comes whole`, async (t) => {
    const harness = await start(engine, { maxBuffered: 67_108_864 });
    t.after(() => harness.server.close());
    for (const [i, size] of SIZES.entries()) {
      const client = await rawClient(harness);
      let got = 0;
      client.on('data', (bytes: Buffer) => {
        got += bytes.length;
      });
      await until(() => harness.peers.length === i + 1, 'the socket is open');
      const { socket } = harness.peers[i]!;
      let sent = 0;
      for (let round = 0; round < ROUNDS; round++) {
        client.pause();
        do {
          socket.send(new Uint8Array(size));
          sent += HEAD + size;
        } while (socket.buffered() === 0);
        client.resume();
        await until(() => got >= sent, `all of round ${round} with ${size} bytes came`, 5_000);
      }
      assert.equal(got, sent);
      client.destroy();
    }
  });
}
