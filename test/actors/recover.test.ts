// Owns the tests of a chat that tells again after its last node may have ended too early, and of what connections make of it.
// Invariant: manual clock, real chat and connections.
// Must not: test who asks for it (test/cluster).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OP, T } from '../../transport/frames.js';
import { ChatScene, DIRECT_KEY } from './chat-scene.js';
import { Client } from './client-scene.js';
import { numbers } from './delivery.js';

/** A chat of ada and bob with some messages, that bob's user was told nothing of. */
async function untold(count: number): Promise<ChatScene> {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  for (let n = 0; n < count; n += 1) scene.send(ada.ref);
  await scene.settle();
  return scene;
}

async function recover(scene: ChatScene, key = DIRECT_KEY): Promise<boolean> {
  const telling = { done: false };
  scene.fabric.chats.tell(key, { type: 'recover', telling });
  await scene.settle();
  return telling.done;
}

test('a chat that wakes tells its members how far its log goes', async () => {
  const scene = await untold(3);
  const bob = scene.user('bob');
  assert.equal(await recover(scene), true);
  const heard = bob.heard.filter((news) => news.type === 'delivery');
  assert.deepEqual(
    heard.map(({ seq, entries, again }) => [seq, entries.length, again]),
    [[3, 1, true]],
  );
});

test('a chat that never was, or has nothing, tells nobody and is done', async () => {
  const scene = await untold(0);
  const bob = scene.user('bob');
  assert.equal(await recover(scene), true);
  assert.deepEqual(bob.heard, []);
});

test('a chat that cannot be read is not done: it is asked again', async () => {
  const scene = await untold(1);
  scene.chats.delete(DIRECT_KEY);
  scene.unreadable = true;
  assert.equal(await recover(scene), false);
  scene.unreadable = false;
  await scene.pass(1_000);
  assert.equal(await recover(scene), true);
});

test('a connection that is behind reads the log; one that is not gets nothing twice', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  scene.send(ada.ref);
  await scene.settle();
  const bob = await Client.join(scene, 'bob/1');
  const pass = (): void => {
    for (const news of scene.users.get('bob')!.heard.splice(0)) if (news.type === 'delivery') bob.ref!.tell(news);
  };
  await scene.settle();
  pass();
  await scene.settle();
  const seqs = (): number[] => bob.of(T.MESSAGE).map(({ seq }) => seq);
  assert.deepEqual(seqs(), [1]);
  // Two more are appended, and its node ends before anybody is told.
  scene.send(ada.ref);
  scene.send(ada.ref);
  await scene.settle();
  scene.users.get('bob')!.heard.length = 0;
  for (let times = 0; times < 2; times += 1) {
    await recover(scene);
    pass();
    await scene.settle();
    assert.deepEqual(seqs(), [1, 2, 3]);
  }
  assert.equal(bob.of(T.RESYNC).length, 0);
});

test('a connection that does not know where its client stands asks it', async () => {
  const scene = await ChatScene.open();
  const bob = await Client.join(scene, 'bob/1');
  const ada = scene.connection();
  scene.send(ada.ref);
  await scene.settle();
  scene.users.get('bob')!.heard.length = 0;
  await recover(scene);
  for (const news of scene.users.get('bob')!.heard) if (news.type === 'delivery') bob.ref!.tell(news);
  await scene.settle();
  assert.equal(bob.of(T.RESYNC).length, 1);
  bob.sync();
  await scene.settle();
  const messages = bob.of(T.MESSAGE);
  assert.deepEqual(
    messages.map(({ seq }) => seq),
    [1],
  );
});

test('who was taken out of a group by an entry that nobody heard of is told, too; who came back is told as a member', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  const key = await scene.group(ada.ref, ['bob', 'cat', 'eve']);
  let r = 1;
  const change = async (user: string, op: number, users: string[]): Promise<void> => {
    r += 1;
    const asker = { user, connection: ada.ref, r };
    scene.fabric.chats.tell(key, { type: 'change', asker, id: scene.id(), op, users, args: [] });
    await scene.settle();
  };
  const bob = await Client.join(scene, 'bob/1');
  bob.say({ type: T.SYNC, entries: [], more: false, backfill: 10 });
  await scene.settle();
  const [chat] = bob.of(T.CERT).flatMap(({ entries }) => entries);
  assert.ok(chat !== undefined, 'its client knows the group');
  for (const [op, users] of [
    [OP.removed, ['bob', 'eve']],
    [OP.added, ['eve']],
  ] as const)
    await change('ada', op, [...users]);
  await change('cat', OP.left, []);
  const people = ['bob', 'cat', 'eve'].map((name) => scene.user(name));
  for (const { heard } of people) heard.length = 0;
  scene.chats.delete(key);
  assert.equal(await recover(scene, key), true);
  const told = people.map(({ heard }) => numbers(heard));
  assert.deepEqual(told, [[2], [4], [4]]);
  for (const news of people[0]!.heard) if (news.type === 'delivery') bob.ref!.tell(news);
  await scene.settle();
  const events = bob.of(T.EVENT).map(({ seq, op }) => [seq, op]);
  assert.deepEqual(events.at(-1), [2, OP.removed]);
  assert.ok(
    events.every(([seq]) => seq! <= 2),
    'and nothing that came after',
  );
});

test('as long as it cannot be read who was taken out, nothing counts as told', async () => {
  const scene = await ChatScene.open();
  const key = await scene.group(scene.connection().ref, ['bob']);
  scene.unreadable = true;
  assert.equal(await recover(scene, key), false);
  scene.unreadable = false;
  assert.equal(await recover(scene, key), true);
});
