// Owns the tests of a full mailbox, as senders and the actor see it.
// Invariant: no class of message and no hook makes `tell` throw.
// Must not: repeat the mailbox's own tests (mailbox.test.ts).

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Behaviour, ExitReason } from '../../actors/behaviour.js';
import { LIMITS } from '../../actors/limits.js';
import { ChatScene, DIRECT_KEY, receipts } from './chat-scene.js';
import { setUp } from './puppet.js';

describe('a full mailbox', () => {
  type Note = {
    readonly type: 'keep' | 'latest' | 'fresh' | 'drop' | 'admit' | 'bad';
    readonly key: number;
    readonly n: number;
  };

  const noted = (heard: string[]): Behaviour<{ dropped: number }, Note> => ({
    kind: 'noted',
    level: 'interactive',
    capacity: 3,
    init: () => ({ dropped: 0 }),
    receive: (_state, note) => heard.push(`${note.type}${note.key}:${note.n}`),
    overflow(note) {
      if (note.type === 'bad') throw new Error('a bug in overflow');
      if (note.type === 'keep') return 'refuse';
      return note.type === 'fresh' ? 'keep' : note.type;
    },
    coalesce: (note) => note.key,
    dropped(state) {
      state.dropped++;
      heard.push('dropped');
    },
  });
  const note = (type: Note['type'], key = 0, n = 0): Note => ({ type, key, n });

  test('answers by class: refuse, latest in place, drop with a mark, admit', () => {
    const { world, runtime } = setUp({ limits: { admitted: 1 } });
    const heard: string[] = [];
    const ref = runtime.spawn(noted(heard), 'a', undefined);
    for (const n of [note('keep'), note('latest', 7, 1), note('keep')]) assert.equal(ref.tell(n), 'ok');
    assert.equal(ref.tell(note('keep')), 'busy');
    assert.equal(ref.tell(note('latest', 7, 2)), 'ok');
    assert.equal(ref.tell(note('latest', 8, 1)), 'ok');
    assert.equal(ref.tell(note('drop')), 'ok');
    assert.equal(ref.tell(note('admit', 1, 1)), 'ok');
    assert.equal(ref.tell(note('admit', 1, 2)), 'busy', 'admission is bounded too');
    world.settle();
    assert.deepEqual(heard, ['dropped', 'keep0:0', 'latest7:2', 'keep0:0', 'admit1:1']);
    assert.equal(runtime.stats().queued, 0);
  });

  test('the newest of a key is kept, and the first of one enters all the same', () => {
    const { world, runtime } = setUp({ limits: { admitted: 2 } });
    const heard: string[] = [];
    const ref = runtime.spawn(noted(heard), 'a', undefined);
    for (let n = 0; n < 3; n += 1) assert.equal(ref.tell(note('keep', 0, n)), 'ok');
    assert.equal(ref.tell(note('fresh', 7, 1)), 'ok');
    assert.equal(ref.tell(note('fresh', 8, 1)), 'ok');
    assert.equal(ref.tell(note('fresh', 7, 2)), 'ok');
    assert.equal(ref.tell(note('fresh', 9, 1)), 'busy', 'there is a bound for those too');
    world.settle();
    assert.deepEqual(heard, ['keep0:0', 'keep0:1', 'keep0:2', 'fresh7:2', 'fresh8:1']);
  });

  test('never throws into the sender: a hook that throws is the crash of the actor whose hook it is', () => {
    const { world, runtime } = setUp();
    const heard: string[] = [];
    const ref = runtime.spawn(noted(heard), 'a', undefined);
    const reasons: ExitReason[] = [];
    runtime.watch(ref, (reason) => reasons.push(reason));
    for (let i = 0; i < 3; i++) ref.tell(note('keep'));
    assert.equal(ref.tell(note('bad')), 'busy');
    world.settle();
    assert.equal(reasons[0]?.type, 'crash');
    assert.deepEqual(heard, []);
    assert.equal(runtime.stats().deadLetters, 3);
  });
});

test('a full chat keeps the newest position of each device: nothing would say the last one again', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  const news = scene.user('ada');
  scene.user('bob');
  scene.send(ada.ref);
  scene.send(ada.ref);
  await scene.settle();
  const cursor = (device: string, delivered: number) =>
    scene.fabric.chats.tell(DIRECT_KEY, { type: 'cursor', user: 'bob', device, delivered, read: 0 });
  for (let n = 0; n < LIMITS.conversationMailbox; n += 1) assert.equal(cursor('b1', 1), 'ok');
  assert.equal(cursor('b2', 1), 'ok');
  assert.equal(cursor('b2', 2), 'ok');
  await scene.settle();
  assert.equal(receipts(news).at(-1)?.delivered, 2);
});

test('a full chat that is told an older position again keeps the furthest of each device', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  const news = scene.user('ada');
  scene.user('bob');
  for (let n = 0; n < 3; n += 1) scene.send(ada.ref);
  await scene.settle();
  const cursor = (delivered: number, read: number, device = 'b1') =>
    scene.fabric.chats.tell(DIRECT_KEY, { type: 'cursor', user: 'bob', device, delivered, read });
  for (let n = 0; n < LIMITS.conversationMailbox; n += 1) assert.equal(cursor(1, 0, 'b2'), 'ok');
  // The client's newest word, what its connection says again after the chat's crash, and an ACK of what came meanwhile.
  for (const [delivered, read] of [
    [2, 2],
    [1, 1],
    [3, 0],
  ] as const)
    assert.equal(cursor(delivered, read), 'ok');
  await scene.settle();
  assert.deepEqual(
    receipts(news)
      .map((receipt) => [receipt.delivered, receipt.read])
      .at(-1),
    [3, 2],
  );
});
