// Owns the tests of what every chat does, on a manual clock, with a store that fails on demand.
// Invariant: every send is answered exactly once, whatever fails.
// Must not: repeat what test/e2e shows with sockets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { idText, idTime } from '../../actors/message-id.js';
import type { ConnectionMessage } from '../../actors/messages.js';
import { inboxKey, messageKey } from '../../storage/keys.js';
import { decodeInbox } from '../../storage/rows.js';
import { OP } from '../../transport/frames.js';
import { decodeRow } from '../../transport/row.js';
import { answers, ChatScene, DIRECT, DIRECT_KEY, type Ear, receipts, told } from './chat-scene.js';

const RELOAD = LIMITS.reloadMs + 20;

/** Ids of more than a page, each a ms after the one before. */
function idsOf(scene: ChatScene): Uint8Array[] {
  return Array.from({ length: 2 * LIMITS.idPage }, () => {
    scene.world.time += 1;
    return scene.id();
  });
}

/** Whatever was sent before now is on a page that the chat no longer has in memory. */
async function turnPage(scene: ChatScene, from: Ear<ConnectionMessage>): Promise<void> {
  await scene.settle();
  scene.world.time += 1;
  for (let i = 0; i < LIMITS.idPage; i += 1) scene.send(from.ref);
  await scene.settle();
  from.heard.length = 0;
}

test('a failed append is answered unavailable, nothing is told, and a retry gets the number', async () => {
  const scene = await ChatScene.open();
  const [ada, bob] = [scene.connection(), scene.user('bob')];
  const id = scene.id();
  scene.faults = ['store_unavailable'];
  const first = scene.send(ada.ref, { id });
  await scene.settle();
  assert.deepEqual(answers(ada), [{ n: first, code: 'unavailable' }]);
  assert.deepEqual(told(bob), []);
  await scene.pass(RELOAD);
  const second = scene.send(ada.ref, { id });
  const third = scene.send(ada.ref);
  await scene.settle();
  assert.deepEqual(answers(ada).slice(1), [
    { n: second, seq: 1 },
    { n: third, seq: 2 },
  ]);
  assert.deepEqual(told(bob), [1, 2]);
});

test('an unknown commit is settled by reading back: applied or not, one number', async () => {
  for (const fault of ['unknown_applied', 'unknown_dropped'] as const) {
    const scene = await ChatScene.open();
    const [ada, bob] = [scene.connection(), scene.user('bob')];
    const id = scene.id();
    scene.faults = [fault];
    const first = scene.send(ada.ref, { id });
    await scene.settle();
    const again = scene.send(ada.ref, { id });
    await scene.settle();
    assert.deepEqual(answers(ada), [
      { n: first, seq: 1 },
      { n: again, seq: 1 },
    ]);
    assert.deepEqual(told(bob), [1], fault);
    assert.deepEqual(await scene.rows(), [`1 ${idText(id)}`]);
  }
});

test('a send piped after a refused one is refused too', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  const ids = [scene.id(), scene.id(), scene.id()];
  scene.faults = ['store_full'];
  const first = scene.send(ada.ref, { id: ids[0]! });
  await scene.settle();
  await scene.pass(RELOAD);
  // Sent before their sender heard of the refusal.
  const second = scene.send(ada.ref, { id: ids[1]!, after: idText(ids[0]!) });
  const third = scene.send(ada.ref, { id: ids[2]!, after: idText(ids[1]!) });
  await scene.settle();
  assert.deepEqual(answers(ada), [
    { n: first, code: 'unavailable' },
    { n: second, code: 'busy' },
    { n: third, code: 'busy' },
  ]);
  for (const [at, id] of ids.entries()) scene.send(ada.ref, { id, after: at === 0 ? null : idText(ids[at - 1]!) });
  await scene.settle();
  assert.deepEqual(
    await scene.rows(),
    ids.map((id, at) => `${at + 1} ${idText(id)}`),
  );
});

test('a retry of an id that is in flight gets one number, and both are answered', async () => {
  const scene = await ChatScene.open();
  const [ada, again, bob] = [scene.connection(), scene.connection(), scene.user('bob')];
  const resume = scene.memory.stall();
  const id = scene.id();
  const first = scene.send(ada.ref, { id });
  await scene.settle();
  const second = scene.send(again.ref, { id });
  await scene.settle();
  assert.deepEqual([answers(ada), answers(again)], [[], []]);
  resume();
  await scene.settle();
  assert.deepEqual([answers(ada), answers(again)], [[{ n: first, seq: 1 }], [{ n: second, seq: 1 }]]);
  assert.deepEqual(told(bob), [1]);
  const delivery = bob.heard[0]!;
  // The newer connection has the answer; the older one is most likely gone.
  assert.equal(delivery.type === 'delivery' && delivery.entries[0]!.origin, again.ref);
});

test("somebody else's id is refused, in flight and stored", async () => {
  const scene = await ChatScene.open();
  const [ada, bob] = [scene.connection(), scene.connection()];
  const id = scene.id();
  scene.send(ada.ref, { id });
  scene.send(bob.ref, { id, user: 'bob' });
  await scene.settle();
  scene.send(bob.ref, { id, user: 'bob' });
  await scene.settle();
  assert.deepEqual(
    answers(bob).map((answer) => 'code' in answer && answer.code),
    ['bad_id', 'bad_id'],
  );
});

test('a retry from before the horizon is looked up, and later sends of its sender wait for it', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  const ids = idsOf(scene);
  const late = scene.id();
  for (const id of ids) scene.send(ada.ref, { id });
  await turnPage(scene, ada);
  scene.holding = true;
  const old = scene.send(ada.ref, { id: ids[3]! });
  const next = scene.send(ada.ref, { id: late });
  await scene.settle();
  assert.deepEqual(answers(ada), []);
  scene.release();
  await scene.settle();
  assert.deepEqual(answers(ada), [
    { n: old, seq: 4 },
    { n: next, seq: ids.length + LIMITS.idPage + 1 },
  ]);
});

test('a lookup that an append failure overtakes is answered, and the chat goes on', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  const ids = idsOf(scene);
  for (const id of ids) scene.send(ada.ref, { id });
  await turnPage(scene, ada);
  const resume = scene.memory.stall();
  scene.faults = ['store_unavailable'];
  scene.send(ada.ref);
  await scene.settle();
  scene.holding = true;
  scene.send(ada.ref, { id: ids[0]! });
  scene.send(ada.ref);
  await scene.settle();
  resume();
  await scene.settle();
  scene.release();
  await scene.settle();
  assert.deepEqual(
    answers(ada).map((answer) => 'code' in answer && answer.code),
    ['unavailable', 'unavailable', 'unavailable'],
  );
  await scene.pass(RELOAD);
  scene.send(ada.ref, { id: ids[0]! });
  scene.send(ada.ref);
  await scene.settle();
  assert.deepEqual(
    answers(ada)
      .slice(3)
      .map((answer) => 'seq' in answer && answer.seq),
    [1, ids.length + LIMITS.idPage + 1],
  );
});

test('passivation loses neither what is in flight, nor what is looked up, nor what is queued', async () => {
  const scene = await ChatScene.open({ passivateMs: 50 });
  const ada = scene.connection();
  const resume = scene.memory.stall();
  const first = scene.send(ada.ref);
  await scene.settle();
  await scene.pass(500);
  assert.equal(scene.chats.get(DIRECT_KEY)!.alive, true, 'an append is in flight');
  resume();
  await scene.settle();
  await scene.pass(500);
  assert.equal(scene.chats.get(DIRECT_KEY)!.alive, false);
  scene.holding = true;
  const second = scene.send(ada.ref);
  await scene.settle();
  await scene.pass(500);
  scene.release();
  await scene.settle();
  assert.deepEqual(answers(ada), [
    { n: first, seq: 1 },
    { n: second, seq: 2 },
  ]);
});

test('a slow lookup keeps its chat in memory', async () => {
  const scene = await ChatScene.open({ passivateMs: 50 });
  const ada = scene.connection();
  const old = scene.id();
  scene.world.time += 5;
  for (let i = 0; i < LIMITS.idPage; i += 1) scene.send(ada.ref);
  await turnPage(scene, ada);
  scene.holding = true;
  const n = scene.send(ada.ref, { id: old });
  await scene.settle();
  await scene.pass(500);
  scene.release();
  await scene.settle();
  assert.deepEqual(answers(ada), [{ n, seq: 2 * LIMITS.idPage + 1 }]);
});

test('receipts that a failed append took with it come back, without spinning on a full disk', async () => {
  const scene = await ChatScene.open();
  const [ada, adaUser] = [scene.connection(), scene.user('ada')];
  scene.send(ada.ref);
  scene.send(ada.ref);
  await scene.settle();
  const before = scene.log.stats().failed;
  scene.faults = Array.from({ length: 10 }, () => 'store_full' as const);
  const position = { type: 'cursor', user: 'bob', device: 'b1', delivered: 2, read: 1 } as const;
  scene.fabric.chats.tell(DIRECT_KEY, { ...position, device: 'b2', read: 0 });
  scene.fabric.chats.tell(DIRECT_KEY, position);
  await scene.settle();
  await scene.pass(3 * LIMITS.reloadMs);
  assert.ok(scene.log.stats().failed - before <= 4, `${scene.log.stats().failed - before} attempts`);
  assert.deepEqual(receipts(adaUser), [], 'told only when durable');
  await scene.pass(12 * LIMITS.reloadMs);
  assert.deepEqual(
    receipts(adaUser).map(({ user, device, delivered, read }) => ({ user, device, delivered, read })),
    // Of no device alone: bob's other one has to be told that he has read.
    [{ user: 'bob', device: '', delivered: 2, read: 1 }],
  );
});

test('a store that cannot be read at activation: unavailable, then by itself again', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  scene.unreadable = true;
  scene.send(ada.ref);
  await scene.settle();
  scene.send(ada.ref);
  await scene.settle();
  scene.unreadable = false;
  await scene.pass(RELOAD);
  scene.send(ada.ref);
  await scene.settle();
  assert.deepEqual(
    answers(ada).map((answer) => ('code' in answer ? answer.code : answer.seq)),
    ['unavailable', 'unavailable', 1],
  );
});

test('a lost shard: everything is refused and nothing is written', async () => {
  const scene = await ChatScene.open();
  const [ada, bob] = [scene.connection(), scene.user('bob')];
  scene.send(ada.ref);
  await scene.settle();
  scene.faults = ['conflict'];
  for (let i = 0; i < 3; i += 1) {
    scene.send(ada.ref);
    await scene.settle();
    await scene.pass(RELOAD);
  }
  assert.equal(scene.lost.length, 1);
  assert.equal((await scene.rows()).length, 1);
  assert.deepEqual(told(bob), [1]);
  assert.deepEqual(
    answers(ada).map((answer) => ('code' in answer ? answer.code : answer.seq)),
    [1, 'unavailable', 'unavailable', 'unavailable'],
  );
});

test('an actor that dies with an append in flight: members still hear of it, and its successor does not overwrite it', async () => {
  for (const reason of [{ type: 'shutdown' } as const, { type: 'crash', error: new Error('poison') } as const]) {
    const scene = await ChatScene.open();
    const [ada, bob] = [scene.connection(), scene.user('bob')];
    scene.send(ada.ref);
    await scene.settle();
    const resume = scene.memory.stall();
    const [lost, next] = [scene.id(), scene.id()];
    scene.send(ada.ref, { id: lost });
    await scene.settle();
    scene.runtime.exit(scene.chats.get(DIRECT_KEY)!, reason);
    await scene.settle();
    scene.send(ada.ref, { id: next });
    await scene.settle();
    resume();
    await scene.settle();
    assert.deepEqual((await scene.rows()).slice(1), [`2 ${idText(lost)}`, `3 ${idText(next)}`]);
    assert.deepEqual(told(bob), [1, 2, 3]);
  }
});

test('an actor that dies between the flush and its turn still tells the members', async () => {
  const scene = await ChatScene.open();
  const [ada, bob] = [scene.connection(), scene.user('bob')];
  const resume = scene.memory.stall();
  scene.send(ada.ref);
  await scene.settle();
  resume();
  // The log has answered, the actor has not had its turn.
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
  scene.runtime.exit(scene.chats.get(DIRECT_KEY)!, { type: 'killed' });
  await scene.settle();
  assert.deepEqual(told(bob), [1]);
});

test('who asks for chats that do not exist leaves no actor behind', async () => {
  const scene = await ChatScene.open();
  const eve = scene.connection();
  for (let i = 0; i < 200; i += 1) {
    const key = `01${i.toString(16).padStart(30, '0')}`;
    scene.fabric.chats.tell(key, { type: 'typing', user: 'eve', connection: eve.ref, on: true });
    const id = scene.id();
    const send = { user: 'eve', connection: eve.ref, n: i, id, idText: idText(id), after: null, pair: null };
    scene.fabric.chats.tell(key, { type: 'send', body: id, ...send });
  }
  await scene.settle();
  assert.equal(answers(eve).filter((answer) => 'code' in answer && answer.code === 'unknown_chat').length, 200);
  assert.deepEqual([...scene.chats.values()].filter((ref) => ref.alive).length, 0);
});

test('a thousand members with long names: created, grown, acknowledged and removed within what a commit takes', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  const name = (i: number): string => `${i}`.padStart(64, 'u');
  const half = Array.from({ length: 60 }, (_, i) => name(i));
  const rest = Array.from({ length: LIMITS.members - 61 }, (_, i) => name(i + 100));
  const key = await scene.group(ada.ref, half, 't'.repeat(LIMITS.title));
  const asker = { user: 'ada', connection: ada.ref, r: 2 };
  const ask = (op: number, users: readonly string[]): void =>
    void scene.fabric.chats.tell(key, { type: 'change', asker, id: scene.id(), op, users, args: [] });
  /** Lets all gather behind an append that hangs, then go. */
  const together = async (...acts: (() => void)[]): Promise<void> => {
    const resume = scene.memory.stall();
    for (const act of acts) {
      act();
      await scene.settle();
    }
    resume();
    await scene.settle();
  };
  const cursors = (users: readonly string[], delivered: number) => (): void => {
    for (const user of users) {
      for (let device = 0; device < LIMITS.devices; device += 1) {
        const name = `${device}`.padStart(64, 'd');
        scene.fabric.chats.tell(key, { type: 'cursor', user, device: name, delivered, read: delivered });
      }
    }
  };
  const large = (): void => {
    for (let n = 1; n <= 7; n += 1) {
      const id = scene.id();
      const send = { user: 'ada', connection: ada.ref, n, id, idText: idText(id), after: null, pair: null };
      scene.fabric.chats.tell(key, { type: 'send', body: new Uint8Array(LIMITS.body), ...send });
    }
  };
  await together(cursors(half, 1));
  await together(large, large, () => ask(2, rest));
  const all = [...half, ...rest];
  const portions = Array.from({ length: 6 }, (_, at) => cursors(all.slice(at * 200, at * 200 + 200), 2));
  await together(large, ...portions);
  await scene.pass(LIMITS.cursorMs);
  const info = { type: 'info', asker: { ...asker, r: 3 } } as const;
  scene.fabric.chats.tell(key, info);
  await together(large, () => ask(3, all));
  scene.fabric.chats.tell(key, info);
  await scene.settle();
  assert.equal(scene.chats.get(key)!.alive, true, 'the actor did not break');
  assert.deepEqual(scene.reports, []);
  const results = ada.heard.flatMap((message) => (message.type === 'answer' ? [message.results] : []));
  assert.deepEqual(
    results.map((fields) => fields.length),
    [2, 1, 9, 1, 9],
  );
  const members = results[2]![3] as [string, number, number, number][];
  assert.equal(members.filter(([, , delivered, read]) => delivered === 2 && read === 2).length, all.length);
  assert.equal((results[4]![3] as unknown[]).length, 1);
});

test('retries of what only the store knows may be piped: each is answered with its number', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  const ids = Array.from({ length: LIMITS.idPage + 8 }, () => scene.id());
  for (const id of ids) scene.send(ada.ref, { id });
  await scene.settle();
  scene.runtime.exit(scene.chats.get(DIRECT_KEY)!, { type: 'killed' });
  await scene.settle();
  ada.heard.length = 0;
  for (const [at, id] of ids.entries()) scene.send(ada.ref, { id, after: at === 0 ? null : idText(ids[at - 1]!) });
  await scene.settle();
  assert.deepEqual(
    answers(ada).map((answer) => ('seq' in answer ? answer.seq : answer.code)),
    ids.map((_, at) => at + 1),
  );
});

/** A member's row of the direct chat. */
async function rowOf(scene: ChatScene, user: string): Promise<readonly [boolean, number]> {
  const { hot, head } = decodeInbox((await scene.memory.get(inboxKey(user, DIRECT)))!);
  return [hot, head];
}

test('a chat that comes to rest writes where it stands into the rows of its members, then leaves memory', async () => {
  const scene = await ChatScene.open({ passivateMs: 50 });
  const ada = scene.connection();
  for (let i = 0; i < 3; i += 1) {
    scene.send(ada.ref);
    await scene.settle();
  }
  assert.equal((await rowOf(scene, 'bob'))[0], true);
  // The disk is full the first time, and busy the second time, when a message comes.
  scene.faults = ['store_full'];
  await scene.pass(60);
  assert.deepEqual([scene.reports, (await rowOf(scene, 'bob'))[0]], [['append_failed'], true]);
  await scene.pass(LIMITS.reloadMs);
  const resume = scene.memory.stall();
  await scene.pass(100);
  scene.send(ada.ref);
  await scene.settle();
  resume();
  await scene.settle();
  assert.equal((await rowOf(scene, 'bob'))[0], true, 'a message on the way to rest: lively again');
  assert.equal(scene.chats.get(DIRECT_KEY)!.alive, true);
  await scene.pass(500);
  for (const user of ['ada', 'bob']) assert.deepEqual(await rowOf(scene, user), [false, 4]);
  assert.equal(scene.chats.get(DIRECT_KEY)!.alive, false);
});

test('INFO tells what is durable: a member who is being added is none yet, and may never be', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  const key = await scene.group(ada.ref, ['bob']);
  const watcher = scene.user('bob');
  const ask = (user: string): void => {
    scene.fabric.chats.tell(key, { type: 'info', asker: { user, connection: ada.ref, r: 9 } });
  };
  const add = (): void => {
    const asker = { user: 'ada', connection: ada.ref, r: 2 };
    scene.fabric.chats.tell(key, { type: 'change', asker, id: scene.id(), op: OP.added, users: ['cat'], args: [] });
  };
  const members = (): unknown[] =>
    ada.heard.flatMap((news) => {
      if (news.type === 'refused') return [news.code];
      return news.type === 'answer' && news.r === 9
        ? [(news.results[3] as [string][]).map(([user]) => user).join()]
        : [];
    });
  const resume = scene.memory.stall();
  add();
  await scene.settle();
  ask('ada');
  ask('cat');
  scene.fabric.chats.tell(key, { type: 'typing', user: 'cat', connection: ada.ref, on: true });
  await scene.settle();
  assert.deepEqual([members(), watcher.heard], [[], []]);
  resume();
  await scene.settle();
  assert.deepEqual(members(), ['ada,bob,cat', 'ada,bob,cat']);
});

test('the clock of a chat never goes back, whatever the machine does while the chat sleeps', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  const at: number[] = [];
  for (const count of [1, LIMITS.idPage, 1]) {
    scene.world.time += 3_600_000;
    for (let i = 0; i < count; i += 1) scene.send(ada.ref);
    await scene.settle();
    scene.runtime.exit(scene.chats.get(DIRECT_KEY)!, { type: 'killed' });
    scene.world.time -= 3_600_000;
    scene.send(ada.ref);
    await scene.settle();
  }
  const { rows } = await scene.memory.range({ start: messageKey(DIRECT, 0), end: messageKey(DIRECT, 999), limit: 999 });
  for (const { value } of rows) {
    const { id, lag } = decodeRow(value);
    at.push(idTime(id) + lag);
  }
  assert.equal(at.length, LIMITS.idPage + 5);
  assert.deepEqual(
    at,
    [...at].sort((a, b) => a - b),
  );
});
