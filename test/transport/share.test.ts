// Owns the test that several processes serve one port, and what becomes of it when one of them is paused or dies.
// Invariant: each request is a connection of its own, as the kernel deals out connections.
// Must not: ask how evenly: the kernel goes by a hash of the client's address and port.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get } from 'node:http';
import { test } from 'node:test';
import { loadUws } from '../../transport/uws-native.js';
import { serve } from './serving.js';

const REQUESTS = 60;

function ask(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent: false }, (response) => {
      response.setEncoding('utf8').on('data', resolve);
    }).on('error', reject);
  });
}

/** Processes that answered. */
async function answering(port: number): Promise<Set<number>> {
  const pids = await Promise.all(Array.from({ length: REQUESTS }, () => ask(port)));
  return new Set(pids.map(Number));
}

test('processes share a port; the others take the clients of one that pauses or is killed', {
  skip: loadUws() === undefined && 'uWebSockets.js does not load here',
}, async (t) => {
  const one = await serve('uws', 0, true);
  const { port } = one;
  const [two, three] = await Promise.all([serve('uws', port, true), serve('uws', port, true)]);
  t.after(() => {
    for (const { child } of [one, two, three]) child.kill('SIGKILL');
  });
  const pids = [one, two, three].map(({ child }) => child.pid!);
  assert.deepEqual(await answering(port), new Set(pids));
  await assert.rejects(serve('uws', port), /listen_failed/, 'nobody else gets a part of the clients');
  await assert.rejects(serve('ws', port, true), /only uWebSockets\.js can share a port/);

  two.child.kill('SIGTERM');
  await once(two.child, 'message');
  assert.deepEqual(await answering(port), new Set([pids[0], pids[2]]));

  const ended = once(three.child, 'close');
  three.child.kill('SIGKILL');
  await ended;
  assert.deepEqual(await answering(port), new Set([pids[0]]));
  const again = await serve('uws', port, true);
  t.after(() => again.child.kill('SIGKILL'));
  assert.deepEqual(await answering(port), new Set([pids[0], again.child.pid]));
});
