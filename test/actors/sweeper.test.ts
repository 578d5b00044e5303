// Owns the tests of who is swept when: the queue, small batches, the scan that finds what nobody said, and large groups.
// Invariant: a model that is a sorted list; a scene that counts what is read.
// Must not: test what goes (sweep.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DueQueue } from '../../actors/due-queue.js';
import { LIMITS } from '../../actors/limits.js';
import { idText } from '../../actors/message-id.js';
import { encodeDevice } from '../../storage/account-rows.js';
import { chatFromKey, chatRowKey, deviceKey } from '../../storage/keys.js';
import { OP } from '../../transport/frames.js';
import { ChatScene, DIRECT_KEY } from './chat-scene.js';
import { ack, DAY, DUE, kill, log, PACE, pair, say, UNTIL } from './sweep-scene.js';

test('the queue gives each key once, at its earliest time, in order, and takes no more than it may hold', () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('add' as const), key: fc.integer({ min: 0, max: 12 }), at: fc.nat(50) }),
    fc.record({ type: fc.constant('take' as const), now: fc.nat(60) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new DueQueue(8);
      const model = new Map<string, number>();
      for (const action of steps) {
        if (action.type === 'add') {
          const key = `k${action.key}`;
          const fits = model.has(key) || model.size < 8;
          assert.equal(queue.add(key, action.at), fits);
          if (fits) model.set(key, Math.min(action.at, model.get(key) ?? action.at));
        } else {
          const earliest = Math.min(...model.values());
          assert.equal(queue.next(), model.size === 0 ? null : earliest);
          const key = queue.take(action.now);
          if (earliest > action.now) assert.equal(key, null);
          else assert.equal(model.get(key!), earliest);
          if (key !== null) model.delete(key);
        }
        assert.equal(queue.size, model.size);
      }
    }),
  );
});

test('what a crash left is found by the scan; a chat with nothing due is not woken', async () => {
  const { scene, ada } = await pair();
  await say(scene, ada, 3);
  ack(scene, 'ada', 3);
  await scene.settle();
  // The sweeper never hears of bob's device.
  scene.runtime.exit(scene.sweeper, { type: 'killed' });
  ack(scene, 'bob', 3);
  await scene.settle();
  await kill(scene);
  scene.startSweeper();
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`3#${OP.erased}`]);
  await say(scene, ada, 2);
  ack(scene, 'ada', 5);
  await scene.pass(DUE);
  await kill(scene);
  await scene.pass(5 * DUE);
  assert.equal(scene.chats.get(DIRECT_KEY)?.alive, false);
  assert.ok(scene.swept.rounds > 3);
  assert.deepEqual(await log(scene), [`3#${OP.erased}`, '4', '5']);
});

test('a chat with a damaged row is reported, and holds up the sweep of no other', async () => {
  const { scene, ada } = await pair();
  const front = new Uint8Array(16);
  front[0] = 1;
  const damage = scene.memory.commit({ checks: [], writes: [{ key: chatRowKey(front), value: new Uint8Array(9) }] });
  await scene.settle();
  assert.equal((await damage).outcome, 'committed');
  await say(scene, ada, 3);
  ack(scene, 'ada', 3);
  await scene.settle();
  scene.runtime.exit(scene.sweeper, { type: 'killed' });
  ack(scene, 'bob', 3);
  await scene.settle();
  await kill(scene);
  scene.startSweeper();
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`3#${OP.erased}`]);
  assert.ok(scene.reports.includes('chat_unreadable'));
});

test('a long log goes in small batches, and what lies behind a batch is taken at once after it', async () => {
  const { scene, ada } = await pair();
  const count = 5 * LIMITS.sweepRows + 10;
  for (let sent = 0; sent < count; sent += LIMITS.sweepRows) {
    await say(scene, ada, Math.min(LIMITS.sweepRows, count - sent));
  }
  ack(scene, 'ada', count);
  ack(scene, 'bob', count);
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`${count}#${OP.erased}`]);
  assert.equal(scene.swept.entries, count);
  assert.ok(scene.swept.sweeps >= 6);
});

test('1,024 members: their devices are read once for all batches, and not at all while one is known to be behind', async () => {
  const scene = await ChatScene.open({ retention: UNTIL, sweep: { ...PACE, scanMs: DAY } });
  const users = Array.from({ length: LIMITS.members - 1 }, (_, i) => `u${i}`);
  const writes = ['ada', ...users].map((user) => ({
    key: deviceKey(user, '1'),
    value: encodeDevice({ first: 1, last: 1, removed: false, lingers: false, barred: 0, name: '' }),
  }));
  void scene.memory.commit({ checks: [], writes });
  await scene.settle();
  const ada = scene.connection();
  const key = await scene.group(ada.ref, users);
  const count = 3 * LIMITS.sweepRows;
  for (let i = 1; i < count; i += 1) {
    scene.world.time += 1;
    const id = scene.id();
    const message = { user: 'ada', connection: ada.ref, n: 1, id, idText: idText(id), after: null, pair: null };
    scene.fabric.chats.tell(key, { type: 'send', ...message, body: new Uint8Array(5) });
  }
  await scene.settle();
  let reads = 0;
  const range = scene.store.range;
  const tag = deviceKey('a', '')[0];
  Object.assign(scene.store, {
    range: (query: Parameters<typeof range>[0]) => {
      if (query.start[0] === tag) reads += 1;
      return range(query);
    },
  });
  for (const user of users) ack(scene, user, count, '1', key);
  await scene.pass(2 * LIMITS.cursorMs);
  assert.equal((await log(scene, chatFromKey(key))).length, count, 'ada has nothing yet');
  assert.equal(reads, 0);
  ack(scene, 'ada', count, '1', key);
  await scene.pass(2 * LIMITS.cursorMs);
  assert.deepEqual(await log(scene, chatFromKey(key)), [`${count}#${OP.erased}`]);
  assert.equal(reads, LIMITS.members);
});
