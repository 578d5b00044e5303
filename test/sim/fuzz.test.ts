// Owns the quick part of the long trial: hostile servers for the SDK, hostile clients for a node over sockets.
// Invariant: as in sim/fuzz-*.ts; a failure prints its seed and the frames.
// Must not: take longer than some seconds: `npm run simulate -- --fuzz` takes its time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ordeals, tryClient } from '../../sim/fuzz-client.js';
import { FuzzNode } from '../../sim/fuzz-node.js';
import { CLOSE } from '../../transport/frames.js';

test('the SDK comes through 400 hostile servers, and back to an honest one', async () => {
  let through = 0;
  await fc.assert(
    fc.asyncProperty(ordeals, async (ordeal) => {
      if (await tryClient(ordeal)) through += 1;
    }),
    { numRuns: 400 },
  );
  assert.ok(through > 350, `${through} of 400`);
});

test('the SDK takes any number of a server: no timer is set beyond what engines can wait', async () => {
  const most = Number.MAX_SAFE_INTEGER;
  for (const heartbeat of [2 ** 31, 2 ** 32, most]) {
    const welcome = [1, 64, 65_536, 0, heartbeat, most];
    // GOAWAY and ERROR that ask to wait for ever.
    for (const frame of ['932fcf001fffffffffffffa0', '962a00a46275737901cf001fffffffffffffa0']) {
      assert.equal(await tryClient({ welcome, frames: [Uint8Array.from(Buffer.from(frame, 'hex'))] }), true);
    }
  }
});

test('a node under 40 hostile clients: coded closes, no crash, honest clients in order', async (t) => {
  const node = await FuzzNode.start();
  t.after(() => node.stop());
  const ends = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(node.assaults(), async (assault) => {
      const end = await node.try(assault);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }),
    { numRuns: 40 },
  );
  assert.ok(ends.has(CLOSE.badFrame) && ends.size > 1, `${[...ends]}`);
});
