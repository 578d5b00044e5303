// Owns the proof that simulated links behave as sockets do: order, loss at a break, half-open ends, readers that stop.
// Invariant: no machine's time.
// Must not: run the product's actors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock } from '../../sim/clock.js';
import type { Connection } from '../../sim/link.js';
import { Network } from '../../sim/network.js';
import { Process } from '../../sim/process.js';
import type { Socket } from '../../transport/socket.js';

const TAP = { opened: () => undefined, left: () => undefined, arrived: () => undefined, closed: () => undefined };

/** A listener that remembers, and a client that does. */
async function scene(kernel = 1_000, idleMs = 60_000) {
  const clock = new Clock();
  const network = new Network(clock, 1, { latency: [5, 10], kernel, bandwidth: Number.POSITIVE_INFINITY }, TAP);
  const process = (name: string, number: number): Process =>
    new Process({ clock, seed: 1, name, number, skew: 0, turn: [0.1, 0.1] });
  const node = process('node', 1);
  const device = process('device', 2);
  const heard: string[] = [];
  const got: string[] = [];
  let socket: Socket | null = null;
  network.listen(node, 'ws://n1', {
    maxMessage: 1_000,
    maxBuffered: 2_000,
    idleMs,
    accept: (accepted) => {
      socket = accepted;
      return {
        message: (bytes) => heard.push(Buffer.from(bytes).toString()),
        text: () => undefined,
        drained: () => heard.push('drained'),
        closed: (code) => heard.push(`closed ${code}`),
      };
    },
  });
  const client = network.dial(device, 'ada.1', 'ws://n1', {
    open: () => got.push('open'),
    message: (bytes) => got.push(Buffer.from(bytes).toString()),
    closed: (code) => got.push(`closed ${code}`),
  });
  await clock.run(30);
  assert.deepEqual(got, ['open']);
  const [link] = network.of('ada.1') as [Connection];
  return { clock, network, node, device, heard, got, client, link, socket: socket! as Socket };
}

test('frames pass in order both ways, and take their time; a close follows them', async () => {
  const { clock, heard, got, client, socket, network } = await scene();
  for (let n = 0; n < 5; n += 1) client.send(Buffer.from(`up ${n}`));
  for (let n = 0; n < 5; n += 1) assert.equal(socket.send(Buffer.from(`down ${n}`)), 'sent');
  await clock.run(clock.now + 4);
  assert.deepEqual(heard, []);
  socket.close(4_409, 'replaced');
  await clock.run(clock.now + 50);
  assert.deepEqual(got, ['open', 'down 0', 'down 1', 'down 2', 'down 3', 'down 4', 'closed 4409']);
  // The node closed first: what was on its way to it is not read any more.
  assert.deepEqual(heard, ['closed 4409']);
  assert.equal(network.links.size, 0);
});

test('a break loses the newest frames and keeps whole ones; both ends learn of it', async () => {
  const { clock, heard, got, client, link } = await scene();
  for (let n = 0; n < 20; n += 1) client.send(Buffer.from(`up ${n}`));
  link.break();
  client.send(Buffer.from('too late'));
  await clock.run(clock.now + 100);
  const frames = heard.slice(0, -1);
  assert.deepEqual(
    frames,
    Array.from({ length: frames.length }, (_, n) => `up ${n}`),
  );
  assert.equal(heard.at(-1), 'closed 1006');
  assert.deepEqual(got, ['open', 'closed 1006']);
});

test('a half-open link: the end that is not told goes on, until the node finds it idle', async () => {
  const { clock, heard, got, socket, link, network } = await scene(1_000, 5_000);
  link.break({ client: false, server: true });
  await clock.run(clock.now + 100);
  assert.deepEqual(got, ['open', 'closed 1006']);
  assert.deepEqual(heard, []);
  assert.equal(socket.send(Buffer.alloc(900)), 'sent');
  assert.equal(socket.send(Buffer.alloc(900)), 'queued');
  await clock.run(clock.now + 6_000);
  assert.deepEqual(heard, ['closed 1006']);
  assert.equal(network.links.size, 0);
});

test('a reader that stops: the kernels fill, then the process buffers, then it drops; reading on drains it', async () => {
  const { clock, heard, got, socket, link } = await scene();
  link.stall(true);
  const outcomes = Array.from({ length: 5 }, () => socket.send(Buffer.alloc(900, 'a')));
  assert.deepEqual(outcomes, ['sent', 'queued', 'queued', 'queued', 'dropped']);
  await clock.run(clock.now + 1_000);
  assert.equal(socket.buffered(), 2_600);
  assert.equal(got.length, 1);
  link.stall(false);
  await clock.run(clock.now + 100);
  assert.equal(got.length, 5);
  assert.equal(socket.buffered(), 0);
  assert.deepEqual(heard, ['drained']);
});

test('a clogged direction holds frames back, and brings them when it is open again', async () => {
  const { clock, network, heard, got, client, socket } = await scene();
  const open = network.clog('ada.1', 'ws://n1');
  client.send(Buffer.from('held'));
  socket.send(Buffer.from('passes'));
  await clock.run(clock.now + 1_000);
  assert.deepEqual(heard, []);
  assert.deepEqual(got, ['open', 'passes']);
  open();
  await clock.run(clock.now + 100);
  assert.deepEqual(heard, ['held']);
});

test('nobody listens, no network, a dead process: dialling fails as on a machine', async () => {
  const { clock, network, node, device, got } = await scene();
  network.unplug('ada.1', true);
  const tries: string[] = [];
  const dial = (): void => {
    network.dial(device, 'ada.1', 'ws://n1', {
      open: () => tries.push('open'),
      message: () => undefined,
      closed: (code) => tries.push(`closed ${code}`),
    });
  };
  dial();
  await clock.run(clock.now + 100);
  assert.deepEqual([got.at(-1), ...tries], ['closed 1006', 'closed 1006']);
  network.unplug('ada.1', false);
  node.end();
  network.died(node, false);
  dial();
  await clock.run(clock.now + 100);
  assert.deepEqual(tries, ['closed 1006', 'closed 1006']);
  assert.equal(network.links.size, 0);
});
