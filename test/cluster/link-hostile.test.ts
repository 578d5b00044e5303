// Owns the tests of who is no peer: other secrets, recorded bytes, reflected greetings, frames that no node sends, other versions.
// Invariant: each of them ends with the listener serving its peer, and with nothing handled.
// Must not: use sockets (test/transport/peer-net.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { batch, challenge, decode, hello, ping, pong, proof, taken, welcome } from '../../cluster/link-frames.js';
import { Dialler, Listener, type Step } from '../../cluster/link-greeting.js';
import { SPEECH } from '../../cluster/versions.js';
import { ManualWorld } from '../actors/manual-world.js';
import { macOf, type Peer, Scene } from './link-scene.js';

const WHO = { node: 'a', incarnation: 1, to: 'b', toIncarnation: 1 };
const mac = macOf('one');

/** What somebody at `address` hears of the frames that he sends, one after the other; the last is how it ended. */
function intrude(scene: Scene, address: string, ...frames: Uint8Array[]): (Uint8Array | string)[] {
  const heard: (Uint8Array | string)[] = [];
  const wire = scene.net.dial('intruder', address, {
    opened() {},
    message: (bytes) => heard.push(bytes.slice()),
    closed: (end) => heard.push(end),
  });
  scene.world.advance(3);
  for (const frame of frames) wire.send(frame);
  scene.world.advance(3);
  return heard;
}

function replyOf(step: Step): Uint8Array {
  assert.ok('reply' in step, step.type);
  return step.reply;
}

test('a greeting proves both sides to each other', () => {
  const world = new ManualWorld();
  const [dialler, listener] = [new Dialler(world, mac, WHO), new Listener(world, mac)];
  const challenged = replyOf(listener.message(dialler.hello));
  const proved = listener.message(replyOf(dialler.message(challenged)));
  assert.equal(proved.type, 'proved');
  assert.deepEqual(dialler.message(replyOf(proved)), { type: 'welcome', version: SPEECH.links.high });
});

test('a listener that lacks the secret is not believed', () => {
  const world = new ManualWorld();
  const dialler = new Dialler(world, mac, WHO);
  const challenged = replyOf(new Listener(world, mac).message(dialler.hello));
  dialler.message(challenged);
  assert.deepEqual(dialler.message(welcome(new Uint8Array(32))), { type: 'refused', end: 'secret' });
  assert.deepEqual(new Dialler(world, mac, WHO).message(welcome(new Uint8Array(0))), { type: 'refused', end: 'frame' });
});

test('the proof of one side is none for the other, and none for another pair, incarnation or version', () => {
  const world = new ManualWorld();
  const dialler = new Dialler(world, mac, WHO);
  const listener = new Listener(world, mac);
  const proving = replyOf(dialler.message(replyOf(listener.message(dialler.hello))));
  // Reflected: what the dialler proved, as the listener's answer to it.
  assert.equal(dialler.message(welcome(proving.subarray(1))).type, 'refused');
  for (let i = 1; i < dialler.hello.length; i++) {
    const forged = dialler.hello.slice();
    forged[i]! ^= 1;
    const other = new Listener(new ManualWorld(), mac);
    other.message(forged);
    assert.equal(other.message(proving).type, 'refused', `byte ${i} of HELLO`);
  }
});

test('versions: the lower one of both, none where they do not meet, and nobody between can talk it down', () => {
  const world = new ManualWorld();
  const meet = (ours: [number, number], theirs: [number, number]): Step => {
    const dialler = new Dialler(world, mac, WHO, { low: ours[0], high: ours[1] });
    const listener = new Listener(world, mac, { low: theirs[0], high: theirs[1] });
    const step = dialler.message(replyOf(listener.message(dialler.hello)));
    if (step.type !== 'wait') return step;
    const proved = listener.message(step.reply);
    const welcomed = dialler.message(replyOf(proved));
    assert.deepEqual(proved.type === 'proved' && proved.version, welcomed.type === 'welcome' && welcomed.version);
    return welcomed;
  };
  assert.deepEqual(meet([1, 3], [2, 5]), { type: 'welcome', version: 3 });
  assert.deepEqual(meet([1, 1], [1, 2]), { type: 'welcome', version: 1 });
  assert.deepEqual(meet([1, 1], [2, 2]), { type: 'refused', end: 'version' });
  const listener = new Listener(world, mac, { low: 1, high: 2 });
  const dialler = new Dialler(world, mac, WHO, { low: 1, high: 2 });
  const told = replyOf(listener.message(dialler.hello)).slice();
  told[4] = 1;
  assert.equal(listener.message(replyOf(dialler.message(told))).type, 'refused');
});

test('the bytes of a whole session, sent again, let nobody in and end no link', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  a!.send('b', 'once');
  scene.world.advance(30);
  const recorded = [...scene.net.open('a')[0]!.log];
  assert.ok(recorded.length >= 3);
  const heard = intrude(scene, 'b', ...recorded);
  assert.equal(heard.at(-1), 'secret');
  serves(scene, a!, b!);
  assert.equal(b!.got.filter((line) => line.endsWith('once')).length, 1);
});

test('a wrong secret is refused on both sides, told once a minute, and harms no other link', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  const wrong = await scene.node('0', { secret: 'two' });
  for (const peer of [a!, b!, wrong]) peer.links.peers([a!.member, b!.member, wrong.member]);
  scene.world.advance(LIMITS.noticeMs * 2.5);
  assert.deepEqual(wrong.said, []);
  assert.equal(b!.refusals.length, 3);
  assert.deepEqual({ ...b!.refusals[0], times: 0 }, { end: 'secret', node: '', address: '0', times: 0 });
  assert.ok(b!.refusals[1]!.times > 20);
  assert.ok(wrong.refusals.every(({ end }) => end === 'secret'));
  serves(scene, a!, b!);
});

test('before it has proved itself, nobody gets more than a challenge, and no frame is handled', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  const greeting = hello({ ...SPEECH.links, ...WHO, nonce: new Uint8Array(16) });
  const cases: Record<string, Uint8Array[]> = {
    'a batch at once': [batch(1, Uint8Array.of(1))],
    'a batch after HELLO': [greeting, batch(1, Uint8Array.of(1))],
    'HELLO twice': [greeting, greeting],
    'a proof of nothing': [proof(new Uint8Array(32))],
    'an empty proof': [greeting, proof(new Uint8Array(0))],
    'a ping': [ping(1)],
    'a challenge': [challenge(1, 1, new Uint8Array(16))],
    'a frame too long': [new Uint8Array(LIMITS.linkGreeting + 1).fill(1)],
    nothing: [new Uint8Array(0)],
    'a type of later versions': [Uint8Array.of(200)],
    'HELLO cut short': [greeting.subarray(0, 20), proof(new Uint8Array(32))],
  };
  for (const [name, frames] of Object.entries(cases)) {
    const heard = intrude(scene, 'b', ...frames.map((frame) => frame.slice()));
    assert.ok(heard.length <= 2, name);
    assert.ok(['frame', 'secret'].includes(String(heard.at(-1))), `${name}: ${heard.at(-1)}`);
  }
  serves(scene, a!, b!);
});

test('wires that say nothing give way to others, and end by themselves', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  const heard: string[] = [];
  for (let i = 0; i < LIMITS.linkWaiting + 5; i++) {
    scene.net.dial('intruder', 'b', { opened() {}, message() {}, closed: (end) => heard.push(end) });
  }
  scene.world.advance(3);
  assert.deepEqual(heard, Array(5).fill('full'));
  scene.net.cut('a', 'b');
  scene.world.advance(LIMITS.linkGreetingMs + 5);
  assert.equal(heard.filter((end) => end === 'silent').length, LIMITS.linkWaiting - 1, 'and one gave way to the peer');
  serves(scene, a!, b!);
});

test('a peer that breaks the rules loses its session: numbers out of order, taken what was not sent, a second greeting', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  const wrong: Uint8Array[] = [
    batch(2, Uint8Array.of(1)),
    batch(1, new Uint8Array(0)),
    batch(1, new Uint8Array(LIMITS.linkBatchBytes + 1)),
    taken(1),
    proof(new Uint8Array(32)),
    Uint8Array.of(0),
    Uint8Array.of(5, 1),
  ];
  for (const [i, frame] of wrong.entries()) {
    scene.net.open('a')[0]!.send(frame);
    scene.world.advance(3);
    assert.equal(b!.said.at(-1), 'down a frame', `frame ${i}`);
    scene.world.advance(3_000);
  }
  assert.deepEqual(b!.got, []);
  serves(scene, a!, b!);
});

test('frames of a later version are counted and passed over, and so are bytes after the known ones', async () => {
  const scene = new Scene();
  const [a, b] = await scene.cluster('a', 'b');
  const wire = scene.net.open('a')[0]!;
  wire.send(Uint8Array.of(77, 1, 2, 3));
  wire.send(Uint8Array.from([...ping(5), 9, 9]));
  scene.world.advance(5);
  assert.equal(b!.links.stats()[0]!.unknown, 1);
  serves(scene, a!, b!);
});

test('frames read as they were written, and whatever else comes is no reason to throw', () => {
  const said = {
    ...SPEECH.links,
    ...WHO,
    incarnation: 2 ** 48 - 1,
    toIncarnation: 2 ** 33 + 7,
    nonce: new Uint8Array(16).fill(9),
  };
  assert.deepEqual(decode(hello(said)), { type: 'hello', ...said });
  assert.deepEqual(decode(batch(2 ** 40 + 3, Uint8Array.of(1, 2))), {
    type: 'batch',
    number: 2 ** 40 + 3,
    payload: Uint8Array.of(1, 2),
  });
  assert.deepEqual(decode(taken(5)), { type: 'taken', number: 5 });
  assert.deepEqual(decode(pong(6)), { type: 'pong', number: 6 });
  const world = new ManualWorld();
  for (let i = 0; i < 20_000; i++) {
    const bytes = world.randomBytes(Math.floor(world.random() * 80));
    if (bytes.length > 0 && i % 2 === 0) bytes[0] = 1 + (i % 8);
    decode(bytes);
    new Listener(world, mac).message(bytes);
    new Dialler(world, mac, WHO).message(bytes);
  }
});

/** `a` gets a batch through to `b`, over the link that stands or the next one. */
function serves(scene: Scene, a: Peer, b: Peer): void {
  scene.world.advance(3_000);
  const before = b.got.length;
  assert.equal(a.send('b', 'still'), 'ok');
  scene.world.advance(30);
  assert.equal(b.got.length, before + 1);
  assert.deepEqual([a.faults, b.faults], [[], []]);
}
