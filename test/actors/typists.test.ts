// Owns the tests of typing in a chat, on a manual clock.
// Invariant: what the members are told always ends with the end of typing.
// Must not: repeat what test/e2e/presence.test.ts shows over sockets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import type { ConnectionRef, UserMessage } from '../../actors/messages.js';
import { OP } from '../../transport/frames.js';
import { ChatScene, DIRECT_KEY, type Ear, told } from './chat-scene.js';

const typing = (ear: Ear<UserMessage>): string =>
  ear.heard.flatMap((news) => (news.type === 'typing' ? [`${news.user}${news.on ? '+' : '-'}`] : [])).join(' ');

async function room() {
  const scene = await ChatScene.open();
  const bob = scene.user('bob');
  const ada = scene.connection();
  scene.send(ada.ref);
  await scene.settle();
  const type = async (on: boolean, connection: ConnectionRef = ada.ref): Promise<void> => {
    scene.fabric.chats.tell(DIRECT_KEY, { type: 'typing', user: 'ada', connection, on });
    await scene.settle();
  };
  return { scene, ada, bob, type };
}

test('typing ends by itself, and a repeat prolongs it', async () => {
  const { scene, bob, type } = await room();
  await type(true);
  await scene.pass(3_000);
  await type(true);
  await scene.pass(LIMITS.typingMs - LIMITS.typingPaceMs);
  assert.equal(typing(bob), 'ada+ ada+');
  await scene.pass(2 * LIMITS.typingPaceMs);
  assert.equal(typing(bob), 'ada+ ada+ ada-');
  await scene.pass(60_000);
  assert.equal(typing(bob), 'ada+ ada+ ada-');
});

test('typing ends with the message, before it comes', async () => {
  const { scene, ada, bob, type } = await room();
  await type(true);
  scene.send(ada.ref);
  await scene.settle();
  const order = bob.heard.flatMap((news) => (news.type === 'typing' || news.type === 'delivery' ? [news.type] : []));
  assert.deepEqual(order, ['delivery', 'typing', 'typing', 'delivery']);
  assert.equal(typing(bob), 'ada+ ada-');
});

test('typing ends with the connection that types, and with no other', async () => {
  const { scene, ada, bob, type } = await room();
  const phone = scene.connection();
  await type(true);
  await type(true, phone.ref);
  scene.runtime.exit(ada.ref, { type: 'shutdown' });
  await scene.settle();
  assert.equal(typing(bob), 'ada+');
  scene.runtime.exit(phone.ref, { type: 'shutdown' });
  await scene.settle();
  assert.equal(typing(bob), 'ada+ ada-');
});

test('who toggles without end is told of once a second, and as it stands in the end', async () => {
  const { scene, bob, type } = await room();
  for (let i = 0; i < 100; i += 1) {
    await type(true);
    await type(false);
    await scene.pass(20);
  }
  await type(true);
  await scene.pass(LIMITS.typingPaceMs + 20);
  const all = typing(bob).split(' ');
  assert.ok(all.length >= 5 && all.length <= 7, all.join(' '));
  assert.equal(all.at(-1), 'ada+');
  for (const [at, one] of all.entries()) assert.equal(one, at % 2 === 0 ? 'ada+' : 'ada-');
});

test('who is removed while typing does not type any more', async () => {
  const { scene } = await room();
  const [eve, bob] = [scene.connection(), scene.user('bob')];
  const ada = scene.connection();
  const key = await scene.group(ada.ref, ['bob', 'eve']);
  scene.fabric.chats.tell(key, { type: 'typing', user: 'eve', connection: eve.ref, on: true });
  await scene.settle();
  const asker = { user: 'ada', connection: ada.ref, r: 2 };
  scene.fabric.chats.tell(key, {
    type: 'change',
    asker,
    id: scene.id(),
    op: OP.removed,
    users: ['eve'],
    args: [],
  });
  await scene.pass(2 * LIMITS.typingPaceMs);
  assert.equal(typing(bob), 'eve+ eve-');
});

test('typing writes nothing, and holds the chat in memory no longer than it lasts', async () => {
  const scene = await ChatScene.open({ passivateMs: 100 });
  const [ada, bob] = [scene.connection(), scene.user('bob')];
  scene.send(ada.ref);
  await scene.settle();
  await scene.pass(50);
  const before = scene.log.stats();
  scene.fabric.chats.tell(DIRECT_KEY, { type: 'typing', user: 'ada', connection: ada.ref, on: true });
  await scene.pass(LIMITS.typingMs - 1_000);
  assert.equal(scene.chats.get(DIRECT_KEY)!.alive, true);
  await scene.pass(LIMITS.typingPaceMs + 1_300);
  assert.deepEqual([typing(bob), told(bob)], ['ada+ ada-', [1]]);
  assert.equal(scene.chats.get(DIRECT_KEY)!.alive, false);
  // The one append is the members' rows at rest.
  assert.ok(scene.log.stats().transactions - before.transactions <= 1);
});
