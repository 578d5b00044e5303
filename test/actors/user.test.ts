// Owns the tests of a user's actor: which connections it tells, and what it does about what it lost.
// Invariant: ears for connections, a manual clock.
// Must not: repeat what test/e2e/presence.test.ts shows.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Code } from '../../actors/errors.js';
import { LIMITS } from '../../actors/limits.js';
import type { ConnectionMessage, News } from '../../actors/messages.js';
import { user } from '../../actors/user.js';
import { chatKey, directChat } from '../../storage/keys.js';
import { ChatScene, type Ear } from './chat-scene.js';
import { oneEntry } from './delivery.js';

const CHAT = directChat('ada', 'bob');
const info = { chat: CHAT, key: chatKey(CHAT), kind: 1, pair: ['ada', 'bob'], title: '' } as const;

function message(seq: number): News {
  return oneEntry({ info, seq, row: new Uint8Array(9) });
}

const heard = ({ heard }: Ear<ConnectionMessage>): (number | string)[] =>
  heard.flatMap((news) => (news.type === 'delivery' ? news.seq : news.type === 'registered' ? [] : news.type));

/** What its registrations were answered. */
const answers = ({ heard }: Ear<ConnectionMessage>): (Code | null)[] =>
  heard.flatMap((news) => (news.type === 'registered' ? (news.registration?.code ?? null) : []));

async function home() {
  const scene = await ChatScene.open();
  const ref = scene.runtime.spawn(user, 'ada', { fabric: scene.fabric, key: 'ada' });
  const register = async (device: string, since = 0, late = false): Promise<Ear<ConnectionMessage>> => {
    const ear = scene.connection();
    ref.tell({ type: 'register', device, issued: 0, connection: ear.ref, round: 1, since, late });
    await scene.settle();
    return ear;
  };
  const end = async (ear: Ear<ConnectionMessage>): Promise<void> => {
    scene.runtime.exit(ear.ref, { type: 'shutdown' });
    await scene.settle();
  };
  return { scene, ref, register, end };
}

test('the end of a connection, or of one that watches, concerns no other', async () => {
  const { scene, ref, register, end } = await home();
  const [phone, laptop, tablet] = [await register('1'), await register('2'), await register('3')];
  const watcher = scene.connection();
  const onlooker = scene.fabric.watches.open(info.key, watcher.ref, 'bob', false);
  scene.fabric.watches.watch('ada', onlooker!, info.key, true);
  ref.tell({ type: 'watched', connection: watcher.ref, watcher: 'bob', chat: info.key, contact: true });
  await scene.settle();
  await end(laptop);
  await end(watcher);
  ref.tell(message(1));
  await scene.settle();
  assert.deepEqual([heard(phone), heard(laptop), heard(tablet)], [[1], [], [1]]);
});

test('a newer connection of a device takes over, and the late end of the older one changes nothing', async () => {
  const { scene, ref, register, end } = await home();
  const older = await register('1');
  const newer = await register('1');
  ref.tell(message(1));
  await scene.settle();
  await end(older);
  ref.tell(message(2));
  await scene.settle();
  assert.deepEqual([heard(older), heard(newer)], [['replaced'], [1, 2]]);
  assert.deepEqual([...answers(older), ...answers(newer)], [null, null]);
});

test('a connection that its client has left does not take over by being the last to register again', async () => {
  const { scene, ref, register } = await home();
  const live = await register('1', 9_000);
  const left = await register('1', 8_999, true);
  const thawed = await register('1', 8_999 - LIMITS.clockSkewMs);
  ref.tell(message(1));
  await scene.settle();
  assert.deepEqual([heard(live), heard(left), heard(thawed)], [[1], ['replaced'], ['replaced']]);
  assert.deepEqual([...answers(left), ...answers(thawed)], []);
});

test('of connections that register again the newer one takes over, and a new one even if its node’s clock is behind', async () => {
  const { scene, ref, register } = await home();
  const left = await register('1', 8_000, true);
  const live = await register('1', 9_000, true);
  const next = await register('1', 9_001 - LIMITS.clockSkewMs);
  ref.tell(message(1));
  await scene.settle();
  assert.deepEqual([heard(left), heard(live), heard(next)], [['replaced'], ['replaced'], [1]]);
});

test('news that do not fit: every connection is told to ask where it stands', async () => {
  const { scene, ref, register } = await home();
  const ears = [await register('1'), await register('2')];
  for (let seq = 1; seq <= LIMITS.userMailbox + 2; seq += 1) assert.equal(ref.tell(message(seq)), 'ok');
  await scene.settle();
  for (const ear of ears) {
    assert.equal(ear.heard.filter(({ type }) => type === 'resync').length, 1);
    assert.equal(heard(ear).length, LIMITS.userMailbox + 1);
  }
});

test('a device that cannot be put on record is refused, and told of nothing', async () => {
  const { scene, ref, register } = await home();
  scene.faults = ['store_full'];
  const phone = await register('1');
  ref.tell(message(1));
  await scene.settle();
  assert.deepEqual([answers(phone), heard(phone)], [['unavailable'], []]);
  const again = await register('1');
  ref.tell(message(2));
  await scene.settle();
  assert.deepEqual([answers(again), heard(again)], [[null], [2]]);
});

test('a user leaves memory some time after the last connection; while one is there, no timer is set', async () => {
  const { scene, ref, register, end } = await home();
  const ear = await register('1');
  scene.world.advance(LIMITS.passivateMs);
  await scene.settle();
  assert.equal(scene.runtime.inspect(ref)?.operations, 0);
  await end(ear);
  scene.world.advance(LIMITS.passivateMs - 100);
  await scene.settle();
  assert.equal(scene.runtime.inspect(ref)?.status, 'idle');
  scene.world.advance(200);
  await scene.settle();
  assert.equal(scene.runtime.inspect(ref)?.status, 'ended');
});
