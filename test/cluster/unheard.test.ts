// Owns the tests of watches that are lost between nodes: whose they are hears of it, wherever they were lost; their end is said again.
// Invariant: nothing here depends on time; links break where the test breaks them.
// Must not: test when it is said again (watching.test.ts), or what becomes of other messages (router.test.ts).

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import type { ChatMessage, ConnectionMessage, ConnectionRef, UserMessage } from '../../actors/messages.js';
import { chatKey } from '../../storage/keys.js';
import { oneEntry } from '../actors/delivery.js';
import { type Ear, RouterScene, type TestNode } from './router-scene.js';

const KEY = chatKey(new Uint8Array(16).fill(1));
const REWATCH = { type: 'rewatch', chat: KEY };

const watch = (connection: ConnectionRef, on = true): ChatMessage => ({ type: 'watch', user: 'ada', connection, on });

const watched = (connection: ConnectionRef): UserMessage => ({
  type: 'watched',
  connection,
  watcher: 'ada',
  chat: KEY,
  contact: true,
});

/** The chat lives on a, its member bob on b; ada's connection is c's. */
function three() {
  const scene = new RouterScene('a', 'b', 'c');
  const [a, b, c] = [scene.node('a'), scene.node('b'), scene.node('c')];
  scene.give('a', { chat: KEY });
  scene.give('b', { user: 'bob' });
  return { scene, a, b, c, line: c.connection() };
}

/** As a knows it: it has heard of the watch. */
function known(scene: RouterScene, a: TestNode, c: TestNode, line: Ear<ConnectionMessage>): ConnectionRef {
  c.router.routed.chats.tell(KEY, watch(line.ref));
  scene.settle();
  const { heard } = a.chats.ear(KEY);
  return (heard.at(-1) as { connection: ConnectionRef }).connection;
}

describe('on its way to the chat', () => {
  test('one that arrives is not asked for', () => {
    const { scene, a, c, line } = three();
    known(scene, a, c, line);
    scene.cable('a', 'c').break();
    assert.deepEqual(line.heard, []);
  });

  test('whose node has not opened the shard yet', () => {
    const { scene, c, line } = three();
    // c has read the grant that names b before b has.
    scene.give(null, { chat: KEY }, ['a', 'b']);
    scene.give('b', { chat: KEY }, ['c']);
    assert.equal(c.router.routed.chats.tell(KEY, watch(line.ref)), 'ok');
    scene.settle();
    assert.deepEqual(line.heard, [REWATCH]);
    c.router.routed.chats.tell(KEY, watch(line.ref, false));
    scene.settle();
    assert.deepEqual(line.heard, [REWATCH], 'a chat that is closed needs nothing');
  });

  test('which rests after a crash', () => {
    const { scene, a, c, line } = three();
    a.chats.mood = 'busy';
    c.router.routed.chats.tell(KEY, watch(line.ref));
    scene.settle();
    assert.deepEqual(line.heard, [REWATCH]);
  });

  test('over a link that breaks', () => {
    const { scene, c, line } = three();
    scene.cable('a', 'c').stuck = true;
    c.router.routed.chats.tell(KEY, watch(line.ref));
    scene.settle();
    scene.cable('a', 'c').break();
    scene.settle();
    assert.deepEqual(line.heard, [REWATCH]);
  });

  test('over a link without room: busy, as whoever asks for it can tell', () => {
    const { scene, a, c, line } = three();
    scene.cable('a', 'c').of(c).busy = true;
    const row = new Uint8Array(200_000);
    const info = { chat: new Uint8Array(16).fill(1), key: KEY, kind: 1, pair: null, title: '' };
    scene.give('a', { user: 'eve' });
    a.users.ear('eve');
    for (let seq = 1; seq < 50; seq += 1) {
      c.router.routed.users.lookup('eve')!.tell(oneEntry({ info, seq, row }));
    }
    assert.equal(c.router.routed.chats.tell(KEY, watch(line.ref)), 'busy');
  });
});

describe('on its way to a member, by a chat that is another node\u2019s than the connection', () => {
  test('one that arrives is not asked for', () => {
    const { scene, a, b, c, line } = three();
    assert.equal(a.router.routed.users.tell('bob', watched(known(scene, a, c, line))), 'ok');
    scene.settle();
    scene.cable('a', 'b').break();
    scene.settle();
    assert.equal(b.users.ear('bob').heard.length, 1);
    assert.deepEqual(line.heard, []);
  });

  test('who is nobody\u2019s', () => {
    const { scene, a, c, line } = three();
    const connection = known(scene, a, c, line);
    scene.give(null, { user: 'bob' });
    assert.equal(a.router.routed.users.tell('bob', watched(connection)), 'busy');
    scene.settle();
    assert.deepEqual(line.heard, [REWATCH]);
  });

  test('whose node is out of reach', () => {
    const { scene, a, c, line } = three();
    const connection = known(scene, a, c, line);
    scene.cable('a', 'b').break();
    assert.equal(a.router.routed.users.tell('bob', watched(connection)), 'busy');
    scene.settle();
    assert.deepEqual(line.heard, [REWATCH]);
  });

  test('whose node has not opened the shard yet', () => {
    const { scene, a, b, c, line } = three();
    const connection = known(scene, a, c, line);
    scene.give(null, { user: 'bob' }, ['b', 'c']);
    assert.equal(a.router.routed.users.tell('bob', watched(connection)), 'ok');
    scene.settle();
    assert.deepEqual(line.heard, [REWATCH]);
    assert.equal(b.users.ears.size, 0);
  });

  test('who rests after a crash', () => {
    const { scene, a, b, c, line } = three();
    const connection = known(scene, a, c, line);
    b.users.mood = 'busy';
    a.router.routed.users.tell('bob', watched(connection));
    scene.settle();
    assert.deepEqual(line.heard, [REWATCH]);
  });

  test('over a link that breaks', () => {
    const { scene, a, c, line } = three();
    const connection = known(scene, a, c, line);
    scene.cable('a', 'b').stuck = true;
    a.router.routed.users.tell('bob', watched(connection));
    scene.settle();
    scene.cable('a', 'b').break();
    scene.settle();
    assert.deepEqual(line.heard, [REWATCH]);
  });
});

describe('the end of one, on its way to a member', () => {
  const parted: UserMessage = { type: 'parted', chat: KEY, user: 'ada' };
  const heard = (node: TestNode): unknown[] => node.users.ear('bob').heard;

  test('who rests after a crash', () => {
    const { scene, a, b } = three();
    b.users.mood = 'busy';
    a.router.routed.users.tell('bob', parted);
    scene.settle();
    b.users.mood = 'ok';
    scene.world.advance(LIMITS.retryMs);
    scene.settle();
    assert.deepEqual(heard(b), [parted]);
  });

  test('who is nobody\u2019s, or whose node is out of reach; each once', () => {
    const { scene, a, b } = three();
    const other: UserMessage = { ...parted, chat: KEY.replace('01', '02') };
    scene.give(null, { user: 'bob' });
    for (const message of [parted, other, parted]) a.router.routed.users.tell('bob', message);
    scene.world.advance(LIMITS.retryMs);
    scene.cable('a', 'b').break();
    scene.give('b', { user: 'bob' });
    scene.world.advance(LIMITS.retryMs);
    scene.cable('a', 'b').mend();
    scene.world.advance(LIMITS.retryMs);
    scene.settle();
    assert.deepEqual(heard(b), [parted, other]);
  });

  test('over a link that breaks', () => {
    const { scene, a, b } = three();
    scene.cable('a', 'b').stuck = true;
    a.router.routed.users.tell('bob', parted);
    scene.settle();
    scene.cable('a', 'b').break();
    scene.cable('a', 'b').stuck = false;
    scene.cable('a', 'b').mend();
    scene.world.advance(LIMITS.retryMs);
    scene.settle();
    assert.deepEqual(heard(b), [parted]);
  });
});
