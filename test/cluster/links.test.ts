// Owns the tests of links between nodes that find each other, lose each other and come back.
// Invariant: one deterministic world a test; scene and peers assert throughout that nothing is handled after its session's end.
// Must not: look into frames (link-frames.test.ts), or count credit (link-credit.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { Scene } from './link-scene.js';

/** ms after which silence has ended a link, whatever chance made of its first beat. */
const SILENCE = LIMITS.linkBeatMs * (LIMITS.linkBeats + 2);
/** ms after which a broken link stands again, at the latest. */
const AGAIN = LIMITS.linkRetryMostMs + LIMITS.linkGreetingMs;

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

test('idle links stand for hours, at two frames a beat and side', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  const before = scene.net.open('a')[0]!.log.length;
  scene.world.advance(3_600_000);
  assert.deepEqual([a!.said, b!.said], [['up b'], ['up a']]);
  const beats = 3_600_000 / LIMITS.linkBeatMs;
  assert.ok(scene.net.open('a')[0]!.log.length - before <= 2 * beats + 2);
  assert.equal(a!.links.stats()[0]!.roundTrip, 2 * scene.net.delay);
});

test('a cut is told to both sides, and mended by itself, with what was sent before neither repeated nor mixed in', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  a!.send('b', 'taken');
  scene.world.advance(5);
  const old = a!.link('b');
  a!.send('b', 'on its way');
  scene.net.cut('a', 'b');
  assert.equal(old.send(Uint8Array.of(1)), 'down');
  scene.world.advance(AGAIN);
  assert.deepEqual(a!.said, ['up b', 'down b broken', 'up b']);
  assert.deepEqual(b!.said, ['up a', 'down a broken', 'up a']);
  assert.notEqual(a!.link('b'), old);
  assert.equal(old.send(Uint8Array.of(1)), 'down');
  a!.send('b', 'new');
  scene.world.advance(5);
  assert.deepEqual(b!.got, ['a 1: taken', 'a 2: new']);
  assert.deepEqual([a!.link('b').sent, a!.links.stats()[0]!.resets], [1, 1]);
});

for (const [from, to] of [
  ['a', 'b'],
  ['b', 'a'],
] as const) {
  test(`a partition of ${from} to ${to} alone ends the link on both sides, within a lease's time and a beat`, async () => {
    const scene = new Scene();
    const [a, b] = await scene.cluster('a', 'b');
    scene.net.clog(from, to);
    scene.world.advance(SILENCE);
    for (const peer of [a!, b!]) {
      assert.equal(peer.said.length, 2, `${peer.name}: ${peer.said}`);
      assert.equal(peer.links.stats()[0]!.state, 'down');
    }
    scene.world.advance(30_000);
    assert.equal(a!.said.length, 2, 'no link of one direction');
    scene.net.unclog(from, to, true);
    scene.world.advance(AGAIN);
    a!.send('b', 'out');
    b!.send('a', 'home');
    scene.world.advance(5);
    assert.deepEqual([a!.got.length, b!.got.length], [1, 1]);
  });
}

test('what a clogged network held of an old session and lets go later is handled by nobody', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  scene.net.clog('a', 'b');
  for (let i = 0; i < 50; i++) a!.send('b', `old ${i}`);
  b!.send('a', 'seen');
  scene.world.advance(SILENCE + 10_000);
  assert.equal(b!.links.link('a'), undefined);
  scene.net.unclog('a', 'b');
  scene.world.advance(AGAIN);
  a!.send('b', 'new');
  scene.world.advance(5);
  assert.deepEqual(b!.got, ['a 2: new']);
});

test('half-open: a peer whose machine is gone is noticed, and let in again when it is back', async () => {
  const scene = new Scene();
  const [a] = await scene.cluster('a', 'b');
  scene.net.vanish('b');
  scene.world.advance(SILENCE);
  assert.deepEqual(a!.said, ['up b', 'down b silent']);
  const back = await scene.node('b', { incarnation: 2 });
  scene.view([a!, back]);
  scene.world.advance(50);
  assert.deepEqual(a!.said.at(-1), 'up b');
  assert.equal(a!.link('b').incarnation, 2);
});

test('half-open the other way: the dialler lost its wire and the listener has not noticed', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  for (const wire of scene.net.open('a')) wire.closed('broken');
  b!.send('a', 'into the void');
  scene.world.advance(AGAIN);
  assert.deepEqual(a!.said, ['up b', 'down b broken', 'up b']);
  assert.deepEqual(b!.said, ['up a', 'down a renewed', 'up a']);
});

test('a newer incarnation ends the links to the older, which is let in by nobody', async () => {
  const scene = new Scene();
  const [a, old, c] = await scene.cluster('a', 'b', 'c');
  const successor = await scene.node('b', { incarnation: 2, at: 'elsewhere' });
  // The zombie still believes in the old view; the others do not.
  for (const peer of [a!, c!, successor]) peer.links.peers([a!.member, successor.member, c!.member]);
  assert.equal(a!.said.at(-1), 'down b replaced');
  scene.world.advance(10_000);
  assert.deepEqual(old!.said.slice(2), ['down a replaced', 'down c replaced']);
  assert.deepEqual(successor.said.sort(), ['up a', 'up c']);
  assert.equal(a!.link('b').incarnation, 2);
  // As a dialler it hears why; as a listener, that it is not whom they mean.
  assert.equal(old!.links.stats().find(({ node }) => node === 'c')!.end, 'replaced');
  a!.links.peers([a!.member, { ...successor.member, address: old!.links.address }, c!.member]);
  scene.world.advance(1_000);
  assert.equal(a!.links.stats().find(({ node }) => node === 'b')!.end, 'elsewhere');
});

test('whoever sees itself gone from the view has no links, and takes none', async () => {
  const scene = new Scene();
  const [a, b, c] = await scene.cluster('a', 'b', 'c');
  b!.links.peers([a!.member, c!.member]);
  assert.deepEqual(b!.said.slice(2).sort(), ['down a gone', 'down c gone']);
  scene.world.advance(10_000);
  assert.equal(a!.links.link('b'), undefined);
  assert.equal(a!.links.link('c')?.state, 'up');
  b!.links.peers([a!.member, { ...b!.member, incarnation: 2 }, c!.member]);
  for (const peer of [a!, c!]) peer.links.peers([a!.member, { ...b!.member, incarnation: 2 }, c!.member]);
  scene.world.advance(AGAIN);
  assert.equal(a!.link('b').incarnation, 2);
});

test('views that come at different times: who is dialled too early asks for the view, and is there a moment later', async () => {
  const scene = new Scene();
  const [a, b] = [await scene.node('a'), await scene.node('b')];
  const both = [a.member, b.member];
  a.links.peers(both);
  b.links.peers([b.member]);
  scene.world.advance(40);
  assert.deepEqual(b.strangers, ['a 1']);
  assert.deepEqual(a.refusals, [], 'a view that lags is no trouble');
  b.links.peers(both);
  scene.world.advance(500);
  assert.deepEqual([a.said, b.said], [['up b'], ['up a']]);
});

test('who reads the view within the question lets the peer in at once', async () => {
  const scene = new Scene();
  const [a, b] = [await scene.node('a'), await scene.node('b')];
  const both = [a.member, b.member];
  b.links.peers([b.member]);
  b.stranger = () => b.links.peers(both);
  a.links.peers(both);
  scene.world.advance(40);
  assert.deepEqual([a.said, b.said], [['up b'], ['up a']]);
});

test('a storm of resets is paced: fast at first, never more than some a second, and forgotten when a link has stood', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  let storms = 0;
  a!.onUp = () => {
    storms++;
    scene.world.timer(1, () => scene.net.cut('a', 'b'));
  };
  scene.net.cut('a', 'b');
  scene.world.advance(1_000);
  assert.ok(storms >= 3, `${storms} in the first second`);
  storms = 0;
  scene.world.advance(60_000);
  const most = 60_000 / (LIMITS.linkRetryMostMs / 2);
  assert.ok(storms >= 40 && storms <= most, `${storms} in a minute`);
  a!.onUp = () => {};
  scene.world.advance(LIMITS.linkStableMs + 5_000);
  const before = scene.world.time;
  scene.net.cut('a', 'b');
  while (a!.links.link('b') === undefined) scene.world.advance(5);
  assert.ok(scene.world.time - before < 2 * LIMITS.linkRetryMs, 'as if nothing had been');
  assert.equal(b!.faults.length, 0);
});

test('an address where nobody answers is given up in time, and dialled again', async () => {
  const scene = new Scene();
  const [a, b] = [await scene.node('a'), await scene.node('b')];
  scene.net.clog('b', 'a');
  scene.view([a, b]);
  scene.world.advance(60_000);
  assert.ok(scene.net.dials >= 20 && scene.net.dials <= 60, `${scene.net.dials} dials in a minute`);
  assert.equal(a.links.stats()[0]!.end, 'silent');
  assert.ok(scene.net.open('b').length <= 2, 'the listener keeps no wire of them');
  scene.net.unclog('b', 'a', true);
  scene.world.advance(AGAIN);
  assert.deepEqual(a.said, ['up b']);
});

test('a pause of one process is no silence of its peers', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  // All stand still, then everything is due at once: timers before what the network has.
  scene.world.time += 60_000;
  scene.world.advance(5_000);
  assert.deepEqual([a!.said, b!.said], [['up b'], ['up a']]);
});

test('handlers that fail end their session and are told as faults; the next session is a fresh one', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  b!.onBatch = () => {
    throw new Error('poison');
  };
  a!.send('b', 'one');
  a!.send('b', 'two');
  scene.world.advance(5);
  assert.deepEqual(b!.got, ['a 1: one']);
  assert.equal(b!.faults.length, 1);
  assert.equal(a!.said.at(-1), 'down b fault');
  b!.onBatch = () => {};
  scene.world.advance(AGAIN);
  a!.send('b', 'three');
  scene.world.advance(5);
  assert.equal(b!.got.at(-1), 'a 2: three');
});

test('after close() there is nothing: no wire, no timer, nobody let in', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  await b!.links.close();
  scene.world.advance(10);
  assert.deepEqual([a!.said.at(-1), b!.said.at(-1)], ['down b gone', 'down a gone']);
  await a!.links.close();
  scene.world.advance(10_000);
  assert.deepEqual([scene.net.wires.size, scene.world.pending], [0, 0]);
});
