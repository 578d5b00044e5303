// Owns the proof that a node stops in order whether its disk is slow or never comes back.
// Invariant: a real node and sockets; the store alone is one that can be held.
// Must not: repeat what stop.test.ts shows of a disk that works.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { openMemory } from '../../storage/memory.js';
import { CLOSE, T } from '../../transport/frames.js';
import { newId, RawClient, testNode, world } from './harness.js';

/** ms within which a node must end. */
const STOP = 5_000;

for (const [disk, ms] of [
  ['slow', LIMITS.drainMs - 300],
  ['gone', Number.POSITIVE_INFINITY],
] as const) {
  test(`a stop while the disk is ${disk}: who waits is answered if that can be, and every connection is closed`, async (t) => {
    const store = openMemory({ world });
    const { url, stop } = await testNode(t, { openStore: async () => store });
    const client = await RawClient.join(url, 'ada', '1');
    const chat = await client.direct('bob');
    const resume = store.stall();
    client.send({ type: T.SEND, chat, id: newId(), body: new Uint8Array(1) });
    client.send({ type: T.PING, n: 1 });
    await client.next(T.PONG);
    if (Number.isFinite(ms)) setTimeout(resume, ms);
    const began = performance.now();
    await stop();
    assert.ok(performance.now() - began < STOP);
    assert.equal(await client.closing(500), CLOSE.goingAway);
    assert.equal(client.frames.filter(({ type }) => type === T.SENT).length, disk === 'slow' ? 1 : 0);
  });
}
