// Owns the tests of the SENDs that wait for a shard to have an owner: in order, once, or refused in time.
// Invariant: nothing here depends on time but by the scene's clock.
// Must not: test what a lost link loses (router-losses.test.ts).

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { idText } from '../../actors/message-id.js';
import type { ChatMessage, ConnectionMessage } from '../../actors/messages.js';
import { type Ear, ID, KEY, type RouterScene, send, type TestNode, three } from './router-scene.js';

const numbers = (ear: Ear<ChatMessage>): number[] =>
  ear.heard.map((message) => (typeof message === 'object' && message.type === 'send' ? message.n : Number.NaN));

/** What a connection heard: refusals by number and code, ends of what it monitors (those come first, as signals do). */
const told = (line: Ear<ConnectionMessage>): string[] =>
  line.heard.map((news) => {
    if (typeof news === 'string') return news;
    return news.type === 'failed' ? `${news.n} ${news.code}` : news.type;
  });

/** As a connection does: monitors the chat with the first message to it. */
function sends(node: TestNode, line: Ear<ConnectionMessage>, ...which: number[]): void {
  const { chats } = node.router.routed;
  line.ref.tell((context) => {
    for (const n of which) assert.equal(chats.tell(KEY, send(line.ref, n)), 'ok');
    context.monitor(chats.lookup(KEY)!);
  });
}

/** Nobody's chat, and three SENDs from a connection of b. */
function waiting(): { scene: RouterScene; a: TestNode; b: TestNode; c: TestNode; line: Ear<ConnectionMessage> } {
  const all = three();
  const { scene, b } = all;
  const line = b.connection();
  scene.give(null, { chat: KEY });
  sends(b, line, 1, 2, 3);
  scene.settle();
  assert.equal(b.router.stats().buffered, 3);
  assert.deepEqual(told(line), []);
  return { ...all, line };
}

/** The chat's actor ends, and the connection hears of it. */
function ends(scene: RouterScene, at: TestNode, line: Ear<ConnectionMessage>): void {
  at.chats.ear(KEY).ref.tell((context) => context.stop());
  scene.settle();
  assert.deepEqual(told(line), [`down ${KEY} normal`]);
}

describe('SENDs to a shard that changes hands', () => {
  test('go to its next owner, each once and in order; and what monitors the chat monitors its actor there', () => {
    const { scene, b, c, line } = waiting();
    scene.give('c', { chat: KEY });
    sends(b, line, 4);
    scene.settle();
    assert.deepEqual(numbers(c.chats.ear(KEY)), [1, 2, 3, 4]);
    assert.equal(b.router.stats().buffered, 0);
    scene.give('c', { chat: KEY });
    scene.world.advance(2 * LIMITS.bufferedMs);
    scene.settle();
    assert.equal(c.chats.ear(KEY).heard.length, 4);
    c.chats.ear(KEY).ref.tell((context) => context.stop());
    scene.settle();
    assert.deepEqual(told(line), [`down ${KEY} normal`, `down ${KEY} normal`], 'once for each monitor');
  });

  test('stay, where the next owner is this node', () => {
    const { scene, b, line } = waiting();
    scene.give('b', { chat: KEY });
    scene.settle();
    assert.deepEqual(numbers(b.chats.ear(KEY)), [1, 2, 3]);
    ends(scene, b, line);
  });

  test('wait for the link to the owner', () => {
    const { scene, a, b } = three();
    const line = b.connection();
    scene.cable('a', 'b').break();
    sends(b, line, 1, 2);
    scene.settle();
    assert.equal(b.router.stats().buffered, 2);
    scene.cable('a', 'b').mend();
    scene.settle();
    assert.deepEqual(numbers(a.chats.ear(KEY)), [1, 2]);
    ends(scene, a, line);
  });

  test('stay where they are while the owner is out of reach, whatever becomes of other links and shards', () => {
    const { scene, b } = waiting();
    scene.cable('b', 'c').break();
    scene.give('c', { chat: KEY });
    scene.cable('a', 'b').break();
    scene.cable('a', 'b').mend();
    scene.give('b', { user: 'bob' });
    scene.settle();
    assert.equal(b.router.stats().buffered, 3);
  });
});

describe('SENDs that waited in vain', () => {
  test('are refused together when the time of the first is over: what stayed would overtake its retry; then the shard takes none', () => {
    const { scene, b, c, line } = waiting();
    scene.world.advance(LIMITS.bufferedMs / 2);
    sends(b, line, 4);
    scene.settle();
    scene.world.advance(LIMITS.bufferedMs / 2 + 1);
    scene.settle();
    const ended = `down ${KEY} noproc`;
    const refused = [1, 2, 3, 4].map((n) => `${n} unavailable`);
    assert.deepEqual(told(line), [ended, ended, ...refused]);
    assert.equal(b.router.stats().buffered, 0);
    assert.equal(b.router.routed.chats.tell(KEY, send(line.ref, 1)), 'busy');
    scene.give('c', { chat: KEY });
    scene.give(null, { chat: KEY });
    scene.settle();
    assert.equal(c.chats.ears.size, 0);
    sends(b, line, 1);
    scene.give('c', { chat: KEY });
    scene.settle();
    assert.deepEqual(numbers(c.chats.ear(KEY)), [1], 'another change of owners is another time');
  });

  test('are refused at once when there is no room', () => {
    const { scene, b, line } = waiting();
    const large = { ...send(line.ref, 9), body: new Uint8Array(LIMITS.body) };
    const { chats } = b.router.routed;
    let taken = 0;
    while (chats.tell(KEY, large) === 'ok') taken += 1;
    assert.equal(chats.tell(KEY, large), 'busy');
    assert.ok(taken * LIMITS.body < LIMITS.bufferedBytes && (taken + 2) * LIMITS.body >= LIMITS.bufferedBytes);
    scene.give('b', { chat: KEY });
    scene.settle();
    scene.give(null, { chat: KEY });
    assert.equal(chats.tell(KEY, large), 'ok', 'what has gone takes no room');
  });

  test('are refused where what they follow is with an actor that may decline it yet', () => {
    const { scene, b, line } = waiting();
    const { chats } = b.router.routed;
    const [other, known] = ['0193c0de-0000-7000-8000-000000000001', idText(ID)];
    assert.equal(chats.tell(KEY, { ...send(line.ref, 4), after: other }), 'busy');
    assert.equal(b.router.stats().buffered, 3);
    assert.equal(chats.tell(KEY, { ...send(line.ref, 4), after: known }), 'ok');
    scene.give('b', { chat: KEY });
    scene.settle();
    assert.deepEqual(numbers(b.chats.ear(KEY)), [1, 2, 3, 4]);
  });

  test('are refused as its pool refuses them, when it has come', () => {
    const { scene, b, line } = waiting();
    b.chats.mood = 'dead';
    scene.give('b', { chat: KEY });
    scene.settle();
    assert.deepEqual(told(line), [`down ${KEY} noproc`, '1 unavailable', '2 unavailable', '3 unavailable']);
  });
});
