// Owns the tests of what a connection says of its age to its user's actor, which tells by it whose end is meant.
// Invariant: the clock is the test's.
// Must not: test which of two connections stays (user.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { T } from '../../transport/frames.js';
import { ChatScene } from './chat-scene.js';
import { Client } from './client-scene.js';

test('a connection counts from when it was opened, and as new for a moment: its node may stand still before it reads HELLO', async () => {
  const scene = await ChatScene.open();
  const [prompt, thawed] = [new Client(scene), new Client(scene)];
  const opened = scene.world.wall();
  const hello = (client: Client, token: string): void =>
    client.say({ type: T.HELLO, version: 1, token, credit: 1, agent: '' });
  hello(prompt, 'ada/1');
  await scene.settle();
  scene.world.time += LIMITS.freshMs;
  hello(thawed, 'bob/1');
  await scene.settle();
  const said = ['ada', 'bob'].map((user) => {
    const [registered] = scene.users.get(user)!.heard.flatMap((news) => (news.type === 'register' ? [news] : []));
    return [registered!.since, registered!.late];
  });
  assert.deepEqual(said, [
    [opened, false],
    [opened, true],
  ]);
});
