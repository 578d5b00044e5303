// Owns the tests of ending one shard's actors.
// Invariant: real cells on a manual clock.
// Must not: need pools; what they hold is listed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Behaviour } from '../../actors/behaviour.js';
import { LIMITS } from '../../actors/limits.js';
import type { Ref } from '../../actors/ref.js';
import { createRuntime } from '../../actors/runtime.js';
import { ShardActors, shardOfChat, shardOfUser } from '../../cluster/shard-actors.js';
import { ManualWorld } from '../actors/manual-world.js';

test('ends chats and users of the shard, all of them and no others, with turns in between', async () => {
  const world = new ManualWorld();
  const runtime = createRuntime(world);
  const cell: Behaviour<string, never, string> = {
    kind: 'cell',
    level: 'interactive',
    capacity: 1,
    init: (_, key) => key,
    receive: () => undefined,
  };
  const users = new Map<string, Ref<never>>();
  const chats = new Map<string, Ref<never>>();
  for (let n = 0; n < 2 * LIMITS.shardCells; n += 1) {
    const user = `user ${n}`;
    users.set(user, runtime.spawn(cell, user, user));
    const chat = `01${(n * 7919).toString(16).padStart(6, '0')}${'00'.repeat(12)}`;
    chats.set(chat, runtime.spawn(cell, chat, chat));
  }
  const actors = new ShardActors(runtime, users, [chats]);
  let closed = false;
  void actors.close(5).then(() => {
    closed = true;
  });
  await Promise.resolve();
  assert.equal(closed, false);
  for (let turns = 0; !closed; turns += 1) {
    assert.ok(turns < 100);
    world.turn();
    await Promise.resolve();
  }
  for (const [user, { alive }] of users) assert.equal(alive, shardOfUser(user) !== 5);
  for (const [chat, { alive }] of chats) assert.equal(alive, shardOfChat(chat) !== 5);
  assert.ok([...users.values()].some(({ alive }) => !alive) && [...chats.values()].some(({ alive }) => !alive));
});
