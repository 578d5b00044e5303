// Owns the tests of how many chats one client may open for presence, and how fast, on a manual clock.
// Invariant: a real connection; puppets in place of the chats hear what they are told.
// Must not: test what is told of the members (presence.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Behaviour } from '../../actors/behaviour.js';
import { LIMITS } from '../../actors/limits.js';
import type { ChatMessage } from '../../actors/messages.js';
import { chatKey } from '../../storage/keys.js';
import { T } from '../../transport/frames.js';
import { ChatScene } from './chat-scene.js';
import { Client } from './client-scene.js';

const puppet: Behaviour<string[], ChatMessage, string[]> = {
  kind: 'puppet',
  level: 'interactive',
  capacity: 10_000,
  init: (_, heard) => heard,
  receive: (heard, message, { self }) => {
    if (message.type === 'watch') heard.push(`${self.key}${message.on ? '+' : '-'}`);
  },
};

async function desk() {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  const heard: string[] = [];
  const chat = (at: number): Uint8Array =>
    Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? at : i === 14 ? at >> 8 : 2));
  const watch = (at: number, on: boolean): void => {
    const key = chatKey(chat(at));
    if (!scene.chats.has(key)) scene.chats.set(key, scene.runtime.spawn(puppet, `${at}`, heard));
    client.say({ type: T.WATCH, chat: chat(at), on });
  };
  const rewatch = (at: number | null): void =>
    void client.ref!.tell({ type: 'rewatch', chat: at === null ? null : chatKey(chat(at)) });
  return { scene, heard, watch, rewatch };
}

test('a flood of WATCH on one chat costs it a few, and the last one counts', async () => {
  const { scene, heard, watch } = await desk();
  for (let i = 0; i < 500; i += 1) {
    watch(1, true);
    watch(1, false);
    if (i % 20 === 0) await scene.settle();
  }
  watch(1, true);
  await scene.pass(60_000);
  assert.equal(heard.at(-1), '1+');
  assert.ok(heard.filter((one) => one === '1+').length <= LIMITS.watchBurst + 1);
});

test('many chats at once: the first at once, the others by and by, none is lost', async () => {
  const { scene, heard, watch } = await desk();
  for (let at = 0; at < 50; at += 1) watch(at, true);
  await scene.settle();
  assert.equal(heard.length, LIMITS.watchBurst);
  watch(49, false);
  await scene.pass(60 * LIMITS.watchPaceMs);
  assert.deepEqual(new Set(heard), new Set([...Array.from({ length: 49 }, (_, at) => `${at}+`), '49-']));
});

test('what a chat that rests after a crash could not take is told when it is back', async () => {
  const { scene, heard, watch } = await desk();
  scene.resting = true;
  watch(1, true);
  await scene.pass(LIMITS.watchPaceMs);
  assert.deepEqual(heard, []);
  scene.resting = false;
  await scene.pass(2 * LIMITS.watchPaceMs);
  assert.deepEqual(heard, ['1+']);
});

test('the 257th chat closes the oldest, and one that is opened again is not the oldest', async () => {
  const { scene, heard, watch } = await desk();
  for (let at = 0; at < LIMITS.watches; at += 1) {
    watch(at, true);
    await scene.pass(LIMITS.watchPaceMs + 20);
  }
  watch(0, true);
  assert.ok(!heard.some((one) => one.endsWith('-')));
  watch(500, true);
  await scene.settle();
  assert.deepEqual(
    heard.filter((one) => one.endsWith('-')),
    ['1-'],
  );
});

test('a chat that was not heard by all its members is opened again, ever later while that goes on, and at once when something moves', async () => {
  const { scene, heard, watch, rewatch } = await desk();
  watch(1, true);
  watch(2, true);
  await scene.settle();
  assert.deepEqual(heard.splice(0), ['1+', '2+']);
  const at: number[] = [];
  for (let tick = 1; tick <= 80; tick += 1) {
    rewatch(1);
    rewatch(1);
    await scene.pass(LIMITS.watchPaceMs);
    if (heard.splice(0).length > 0) at.push(tick);
  }
  const gaps = at.slice(1).map((tick, i) => tick - at[i]!);
  assert.ok(at[0]! <= 2, `${at}`);
  assert.ok(gaps.length >= 5 && gaps.length <= 9, `${at}`);
  assert.ok(gaps.every((gap, i) => i === 0 || gap >= gaps[i - 1]!) && gaps.at(-1) === LIMITS.watchPatience, `${at}`);
  rewatch(null);
  await scene.settle();
  assert.deepEqual(heard.splice(0), ['1+', '2+']);
  rewatch(1);
  await scene.pass(2 * LIMITS.watchPaceMs);
  assert.deepEqual(heard.splice(0), ['1+'], 'it waits as short as at first');
  await scene.pass(60_000);
  assert.deepEqual(heard, [], 'what was heard is not said again');
});

test('a chat that was closed meanwhile, or never open, stays so', async () => {
  const { scene, heard, watch, rewatch } = await desk();
  watch(1, true);
  await scene.settle();
  rewatch(1);
  watch(1, false);
  rewatch(1);
  rewatch(3);
  await scene.pass(60_000);
  assert.deepEqual(heard, ['1+', '1-']);
});
