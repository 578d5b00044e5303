// Owns the tests of links between nodes that find each other, lose each other and come back.
// Invariant: one deterministic world a test.
// Must not: look into frames (link-frames.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { Scene } from './link-scene.js';

test('each pair has one link, dialled by the lower id', async () => {
  const scene = new Scene();
  const [a, b, c] = await scene.cluster('a', 'b', 'c');
  assert.equal(scene.net.dials, 3);
  assert.equal(a!.send('b', 'hello'), 'ok');
  assert.equal(c!.send('a', 'hi'), 'ok');
  scene.world.advance(5);
  assert.deepEqual(b!.got, ['a 1: hello']);
  assert.deepEqual(a!.got, ['c 2: hi']);
  assert.equal(scene.net.dials, 3);
});

test('what is sent is taken, in order, and said so', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  const link = a!.link('b');
  for (let i = 1; i <= 40; i++) assert.equal(a!.send('b', `n${i}`), 'ok');
  assert.deepEqual([link.sent, link.taken], [40, 0]);
  scene.world.advance(2);
  assert.equal(link.taken, 32, 'every 16th at once');
  scene.world.advance(LIMITS.linkAckMs + 2);
  assert.deepEqual([link.taken, link.buffered], [40, 0]);
  assert.deepEqual(
    b!.got,
    Array.from({ length: 40 }, (_, i) => `a 1: n${i + 1}`),
  );
});
