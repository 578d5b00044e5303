// Owns the tests of sweeping, on a manual clock: what goes when, what stays, who is told, and that nothing is lost or
// stored twice by it, whatever fails meanwhile.
// Invariant: real actors, real log; rows are looked at in the store itself.
// Must not: repeat what test/e2e/retention.test.ts shows with sockets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { idText } from '../../actors/message-id.js';
import { FOREVER } from '../../actors/retention.js';
import { survey } from '../../actors/survey.js';
import { chatFromKey, idPageRange, idRange, messageKey } from '../../storage/keys.js';
import { OP } from '../../transport/frames.js';
import { answers, DIRECT, DIRECT_KEY } from './chat-scene.js';
import { numbers } from './delivery.js';
import { ack, DAY, DUE, device, expired, kill, log, open, pair, repeat, say, swept } from './sweep-scene.js';

test('what every device of every member has goes; what one lacks stays; the newest number is kept', async () => {
  const { scene, ada } = await pair();
  await device(scene, 'bob', 'old');
  await say(scene, ada, 5);
  ack(scene, 'bob', 5);
  ack(scene, 'ada', 5);
  await scene.pass(DUE);
  assert.equal((await log(scene)).length, 5, "bob's old device has nothing");
  ack(scene, 'bob', 3, 'old');
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), ['4', '5']);
  ack(scene, 'bob', 5, 'old');
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`5#${OP.erased}`]);
  await say(scene, ada, 2);
  assert.deepEqual(await log(scene), [`5#${OP.erased}`, '6', '7']);
  for (const [user, name] of [
    ['ada', '1'],
    ['bob', '1'],
    ['bob', 'old'],
  ] as const)
    ack(scene, user, 7, name);
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`7#${OP.erased}`]);
  await kill(scene);
  await say(scene, ada, 1);
  assert.deepEqual(await log(scene), [`7#${OP.erased}`, '8'], 'numbers go on after the chat was read again');
  assert.equal(scene.swept.entries, 7);
});

test("the sender's own devices are asked too", async () => {
  const { scene, ada } = await pair();
  await say(scene, ada, 3);
  ack(scene, 'bob', 3);
  await scene.pass(DUE);
  assert.equal((await log(scene)).length, 3);
  ack(scene, 'ada', 3);
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`3#${OP.erased}`]);
});

test('a removed device has no claim; one that comes is owed all that is sent from then on', async () => {
  const { scene, ada } = await pair();
  await device(scene, 'bob', 'lost');
  await say(scene, ada, 3);
  ack(scene, 'ada', 3);
  ack(scene, 'bob', 3);
  ack(scene, 'bob', 1, 'lost');
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), ['2', '3']);
  await device(scene, 'bob', 'lost', true);
  scene.fabric.chats.tell(DIRECT_KEY, { type: 'forget', user: 'bob', device: 'lost' });
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`3#${OP.erased}`]);
  await device(scene, 'bob', 'new');
  await say(scene, ada, 1);
  ack(scene, 'ada', 4);
  ack(scene, 'bob', 4);
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`3#${OP.erased}`, '4']);
  ack(scene, 'bob', 4, 'new');
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`4#${OP.erased}`]);
});

test('who has no device left has what the last one had, and keeps the rest waiting', async () => {
  const { scene, ada } = await pair();
  await say(scene, ada, 5);
  ack(scene, 'bob', 2);
  await scene.settle();
  await device(scene, 'bob', '1', true);
  scene.fabric.chats.tell(DIRECT_KEY, { type: 'forget', user: 'bob', device: '1' });
  ack(scene, 'ada', 5);
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), ['3', '4', '5']);
});

test('a device that registers while a sweep reads the others is owed what is sent after', async () => {
  const { scene, ada } = await pair();
  await say(scene, ada, 3);
  ack(scene, 'ada', 3);
  scene.holding = true;
  ack(scene, 'bob', 3);
  await scene.pass(DUE);
  // The sweep waits for the store; meanwhile a device registers, and a message comes that only the old one gets.
  await device(scene, 'bob', 'new');
  await say(scene, ada, 1);
  ack(scene, 'ada', 4);
  ack(scene, 'bob', 4);
  scene.release();
  await scene.settle();
  await scene.pass(DUE);
  assert.ok((await log(scene)).includes('4'));
});

test('who has no device keeps a message for 30 days; then it goes, and everybody learns it, once', async () => {
  const scene = await open();
  await device(scene, 'ada', '1');
  const [ada, earOfAda, earOfBob] = [scene.connection(), scene.user('ada'), scene.user('bob')];
  await say(scene, ada, 3);
  ack(scene, 'ada', 3);
  await scene.pass(DUE);
  scene.world.time += 30 * DAY - 10_000;
  await scene.pass(DUE);
  assert.equal((await log(scene)).length, 3);
  scene.world.time += 10_000 + LIMITS.sweepSlackMs;
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`4#${OP.expired} 1,3`]);
  for (const ear of [earOfAda, earOfBob]) {
    assert.deepEqual(expired(ear), [{ seq: 4, from: 'ada', range: [1, 3] }]);
  }
  scene.world.time += 31 * DAY;
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`4#${OP.erased}`], 'an end of an event is no news');
  assert.equal(expired(earOfAda).length, 1);
});

test('what ended unseen by one device of a member who has it elsewhere is no loss', async () => {
  const { scene, ada } = await pair();
  const ear = scene.user('ada');
  await device(scene, 'bob', 'drawer');
  await say(scene, ada, 4);
  ack(scene, 'bob', 2);
  await scene.pass(DUE);
  scene.world.time += 30 * DAY + LIMITS.sweepSlackMs;
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`5#${OP.expired} 3,4`]);
  assert.deepEqual(expired(ear), [{ seq: 5, from: 'ada', range: [3, 4] }]);
});

test('history: entries go by age alone; for ever means for ever', async () => {
  for (const retention of [FOREVER, { type: 'history', ms: 7 * DAY } as const]) {
    const { scene, ada } = await pair(retention);
    await say(scene, ada, 200);
    scene.world.time += 5 * DAY;
    await say(scene, ada, 3);
    ack(scene, 'ada', 203);
    ack(scene, 'bob', 203);
    await scene.pass(DUE);
    assert.equal((await log(scene)).length, 203, 'acknowledged or not');
    scene.world.time += 2 * DAY + LIMITS.sweepSlackMs;
    await scene.pass(DUE);
    assert.equal((await log(scene)).length, retention === FOREVER ? 203 : 3);
    scene.world.time += 10 * DAY;
    await scene.pass(DUE);
    if (retention !== FOREVER) assert.deepEqual(await log(scene), [`203#${OP.erased}`]);
  }
});

test("a chat's own timer ends entries, those of before it too; without it they stay", async () => {
  const { scene, ada } = await pair(FOREVER, 200);
  await say(scene, ada, 3);
  ack(scene, 'bob', 3);
  const asker = { user: 'ada', connection: ada.ref, r: 1 };
  scene.world.time += 60_000;
  scene.fabric.chats.tell(DIRECT_KEY, { type: 'change', asker, id: scene.id(), op: OP.expiry, users: [], args: [30] });
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`4#${OP.expiry} 30`]);
  await say(scene, ada, 1);
  await scene.pass(1_000);
  assert.equal(scene.chats.get(DIRECT_KEY)?.alive, false, 'the chat has left memory');
  scene.world.time += 29_000;
  await scene.pass(1_000);
  assert.deepEqual(await log(scene), [`6#${OP.expired} 5,5`], 'bob did not get 5');
  scene.fabric.chats.tell(DIRECT_KEY, { type: 'change', asker, id: scene.id(), op: OP.expiry, users: [], args: [0] });
  await say(scene, ada, 1);
  scene.world.time += 90 * DAY;
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`6#${OP.expired} 5,5`, `7#${OP.expiry} 0`, '8']);
});

test('in a group, a newcomer claims nothing from before, a leaver nothing any more', async () => {
  const scene = await open();
  for (const user of ['ada', 'bob', 'eve']) await device(scene, user, '1');
  const ada = scene.connection();
  const key = await scene.group(ada.ref, ['bob']);
  const chat = chatFromKey(key);
  const send = async (): Promise<void> => {
    scene.world.time += 1;
    const id = scene.id();
    const message = { user: 'ada', connection: ada.ref, n: 1, id, idText: idText(id), after: null, pair: null };
    scene.fabric.chats.tell(key, { type: 'send', ...message, body: new Uint8Array(5) });
    await scene.settle();
  };
  const change = async (op: number, users: string[]): Promise<void> => {
    const asker = { user: 'ada', connection: ada.ref, r: 2 };
    scene.fabric.chats.tell(key, { type: 'change', asker, id: scene.id(), op, users, args: [] });
    await scene.settle();
  };
  await send();
  await change(OP.added, ['eve']);
  ack(scene, 'ada', 3, '1', key);
  ack(scene, 'bob', 3, '1', key);
  await scene.pass(DUE);
  assert.deepEqual(await log(scene, chat), [`3#${OP.added} eve`]);
  await send();
  for (const user of ['ada', 'bob']) ack(scene, user, 4, '1', key);
  await scene.pass(DUE);
  assert.deepEqual(await log(scene, chat), [`3#${OP.added} eve`, '4']);
  await change(OP.removed, ['eve']);
  for (const user of ['ada', 'bob']) ack(scene, user, 5, '1', key);
  await scene.pass(DUE);
  assert.deepEqual(await log(scene, chat), [`5#${OP.erased}`]);
});

test('a swept message is not stored again: retries after the sweep, after a crash, with odd clocks', async () => {
  for (const skew of [0, -3_600_000, 7_200_000]) {
    const { scene, ada } = await pair();
    scene.world.time += DAY;
    const ids: Uint8Array[] = [];
    for (let i = 0; i < 40; i += 1) {
      scene.world.time += 1;
      const id = Buffer.from(scene.id());
      id.writeUIntBE(id.readUIntBE(0, 6) + skew, 0, 6);
      ids.push(id);
      scene.send(ada.ref, { id });
    }
    await scene.settle();
    ack(scene, 'ada', 40);
    ack(scene, 'bob', 40);
    await scene.pass(DUE);
    assert.deepEqual(await log(scene), [`40#${OP.erased}`]);
    assert.deepEqual([await repeat(scene, ids[0]!), await repeat(scene, ids[39]!)], [1, 40], 'in memory');
    await kill(scene);
    assert.deepEqual([await repeat(scene, ids[0]!), await repeat(scene, ids[39]!)], [1, 40], 'read again');
    assert.equal(await repeat(scene, ids[39]!, 'bob'), 'bad_id', 'of the newest it is still known whose it was');
    await say(scene, ada, 1);
    assert.deepEqual(await log(scene), [`40#${OP.erased}`, '41']);
  }
});

test('an unanswered sender comes back after its message has ended: the same number for 30 days more', async () => {
  const { scene, ada } = await pair();
  const ids: Uint8Array[] = [];
  for (let burst = 0; burst < 6; burst += 1) ids.push(...(await say(scene, ada, 50)));
  ack(scene, 'bob', 300);
  await scene.pass(DUE);
  scene.world.time += 30 * DAY + LIMITS.sweepSlackMs;
  await scene.pass(2 * DUE);
  assert.deepEqual(await log(scene), [`300#${OP.erased}`], "nobody lost anything: the sender's device alone lacked it");
  await kill(scene);
  scene.world.time += 29 * DAY;
  for (const at of [0, 63, 64, 130, 299]) assert.equal(await repeat(scene, ids[at]!), at + 1);
  scene.world.time += 3 * DAY;
  await scene.pass(2 * DUE);
  const pages = await scene.memory.range({ ...idPageRange(DIRECT, 0), limit: 100 });
  assert.ok(pages.rows.length <= 2, 'then ids are forgotten, but for the newest');
  assert.equal(await repeat(scene, ids[299]!), 300);
});

test('of acknowledged messages only the newest ids are kept, also of those with rows of their own', async () => {
  const { scene, ada } = await pair();
  scene.world.time += DAY;
  for (let burst = 0; burst < 12; burst += 1) {
    for (let i = 0; i < 50; i += 1) {
      scene.world.time += 1;
      const id = Buffer.from(scene.id());
      if (i % 10 === 0) id.writeUIntBE(id.readUIntBE(0, 6) - 3_600_000, 0, 6);
      scene.send(ada.ref, { id });
    }
    await scene.settle();
    ack(scene, 'ada', 50 * (burst + 1));
    ack(scene, 'bob', 50 * (burst + 1));
    await scene.pass(DUE);
  }
  const pages = await scene.memory.range({ ...idPageRange(DIRECT, 0), limit: 100 });
  const odd = await scene.memory.range({ ...idRange(DIRECT), limit: 1_000 });
  assert.ok(pages.rows.length <= 4, `${pages.rows.length} pages`);
  assert.ok(odd.rows.length <= 40, `${odd.rows.length} rows of 120`);
  assert.deepEqual(await log(scene), [`600#${OP.erased}`]);
});

test('however short the runs between sweeps, the newest ids of a page are known', async () => {
  const { scene, ada } = await pair();
  const ids: Uint8Array[] = [];
  for (const count of [40, 40, 40, 40, 3, 3, 3]) {
    ids.push(...(await say(scene, ada, count)));
    ack(scene, 'ada', ids.length);
    ack(scene, 'bob', ids.length);
    await scene.pass(DUE);
    await kill(scene);
    const from = Math.max(0, ids.length - LIMITS.idPage);
    for (const at of [from, ids.length - 1]) assert.equal(await repeat(scene, ids[at]!), at + 1);
  }
});

test('a sweep whose append fails, or whose outcome is unknown, loses nothing that was not acknowledged', async () => {
  for (const fault of ['store_unavailable', 'unknown_applied', 'unknown_dropped'] as const) {
    const { scene, ada } = await pair();
    await say(scene, ada, 6);
    ack(scene, 'ada', 4);
    ack(scene, 'bob', 4);
    await scene.settle();
    scene.faults = [fault];
    await scene.pass(DUE);
    assert.ok((await log(scene)).includes('5') && (await log(scene)).includes('6'), fault);
    await scene.pass(LIMITS.reloadMs + LIMITS.sweepRetryMs + DUE);
    assert.deepEqual(await log(scene), ['5', '6'], fault);
    assert.equal(await swept(scene), 4);
    const [id] = await say(scene, ada, 1);
    assert.equal(await repeat(scene, id!), 7);
  }
});

test('sends, acknowledgements and a crash while a sweep is on its way to the disk', async () => {
  const { scene, ada, bob } = await pair();
  await say(scene, ada, 5);
  ack(scene, 'ada', 5);
  ack(scene, 'bob', 5);
  await scene.settle();
  const resume = scene.memory.stall();
  await scene.pass(DUE);
  const ids = await say(scene, ada, 2);
  ack(scene, 'ada', 5);
  assert.equal(answers(ada).length, 5, 'nothing is answered before it is durable');
  resume();
  await scene.settle();
  assert.equal(answers(ada).length, 7);
  assert.deepEqual(await log(scene), [`5#${OP.erased}`, '6', '7']);
  for (const user of ['ada', 'bob']) ack(scene, user, 7);
  await scene.settle();
  const again = scene.memory.stall();
  await scene.pass(DUE);
  await kill(scene);
  const late = await say(scene, ada, 1);
  again();
  await scene.settle();
  await scene.pass(DUE);
  assert.deepEqual(await log(scene), [`7#${OP.erased}`, '8']);
  assert.equal(await repeat(scene, ids[1]!), 7);
  assert.equal(await repeat(scene, late[0]!), 8);
  assert.deepEqual(numbers(bob.heard), [1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a deletion for everyone that meets a sweep does not bring the row back', async () => {
  const { scene, ada } = await pair();
  await say(scene, ada, 3);
  ack(scene, 'ada', 2);
  ack(scene, 'bob', 2);
  await scene.settle();
  const resume = scene.memory.stall();
  await scene.pass(DUE);
  const asker = { user: 'ada', connection: ada.ref, r: 9 };
  for (const seq of [1, 3]) {
    const request = { type: 'change', asker, id: scene.id(), op: OP.deleted, users: [], args: [seq] } as const;
    scene.fabric.chats.tell(DIRECT_KEY, request);
  }
  await scene.settle();
  resume();
  await scene.settle();
  await scene.pass(DUE);
  assert.deepEqual(
    (await log(scene)).filter((line) => !line.includes(`#${OP.deleted}`)),
    [`3#${OP.erased}`],
  );
});

test('a survey of a chat that another owner went on with and swept takes nothing', async () => {
  const { scene, ada } = await pair();
  await say(scene, ada, 3);
  const chat = chatFromKey(DIRECT_KEY)!;
  const all = (): ReturnType<typeof survey> => survey(scene.fabric, chat, 3, 0, 3, false);
  assert.equal((await all()).clear, 3);
  // Its newest entry was the fourth, and is all that is left.
  void scene.memory.commit({ checks: [], writes: [{ key: messageKey(chat, 3), value: null }] });
  await scene.settle();
  const { clear, newest, rows } = await all();
  assert.deepEqual([clear, newest, rows], [0, null, null]);
});
