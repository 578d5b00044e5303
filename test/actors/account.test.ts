// Owns the tests of how a user's actor changes what its user owns: in order, on what is stored, once; and of what it does
// at a pace or holds back.
// Invariant: a real log on a memory store with faults, a manual clock, ears for the rest.
// Must not: repeat what the end-to-end tests show.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { registerDevice, removeDevice } from '../../actors/devices.js';
import { LIMITS } from '../../actors/limits.js';
import { readMarksPage } from '../../actors/marks.js';
import type { AccountFrame, ChatMessage, ConnectionMessage } from '../../actors/messages.js';
import { user } from '../../actors/user.js';
import { type AccountRow, decodeAccount, decodeDevice } from '../../storage/account-rows.js';
import { accountKey, blockKey, chatFromKey, chatKey, deviceKey, groupChat, inboxKey } from '../../storage/keys.js';
import { decodeInbox } from '../../storage/rows.js';
import { MARK_OP, T } from '../../transport/frames.js';
import { ChatScene, DIRECT, type Ear } from './chat-scene.js';

async function desk() {
  const scene = await ChatScene.open();
  const spawn = () => scene.runtime.spawn(user, 'ada', { fabric: scene.fabric, key: 'ada' });
  let ref = spawn();
  const phone = scene.connection();
  const register = (ear: Ear<ConnectionMessage>, device: string): void => {
    ref.tell({
      type: 'register',
      device,
      issued: scene.world.wall(),
      connection: ear.ref,
      round: 1,
      since: 0,
      late: false,
    });
  };
  register(phone, 'phone');
  await scene.settle();
  let r = 0;
  const ask = (frame: object): number => {
    r += 1;
    const asker = { user: 'ada', connection: phone.ref, r };
    ref.tell({ type: 'request', asker, frame: { r, ...frame } as AccountFrame });
    return r;
  };
  /** What a request came to: its results, or the code of its refusal. */
  const answers = (): unknown[] =>
    phone.heard.flatMap((message) => {
      if (message.type === 'answer') return [message.results[0] ?? 'ok'];
      return message.type === 'refused' ? [message.code] : [];
    });
  const again = (): void => {
    scene.runtime.exit(ref, { type: 'shutdown' });
    ref = spawn();
  };
  const pin = (value: number): object => ({ type: T.MARK, chat: DIRECT, op: MARK_OP.pinned, value, seqs: [] });
  const say = (message: Parameters<typeof ref.tell>[0]) => ref.tell(message);
  return { scene, phone, ask, answers, again, pin, register, say };
}

test('changes are made one after the other; one that the store refuses is refused, and those behind it go on', async () => {
  const { scene, ask, answers, pin } = await desk();
  scene.send(scene.connection().ref);
  await scene.settle();
  scene.faults = [undefined, 'store_full', undefined];
  for (const value of [1, 2, 3]) ask(pin(value));
  await scene.settle();
  assert.deepEqual(answers(), [1, 'unavailable', 2]);
});

test('a device that is known comes in while nothing can be written, however long it was away', async () => {
  const { scene, register } = await desk();
  // Not timer by timer: within hours there are a great many.
  scene.world.time += 2 * LIMITS.seenMs;
  const row = async (): Promise<number> => decodeDevice((await scene.store.get(deviceKey('ada', 'phone')))!).last;
  const before = await row();
  scene.faults = ['store_full'];
  const phone = scene.connection();
  register(phone, 'phone');
  await scene.settle();
  assert.deepEqual(phone.heard, [{ type: 'registered', round: 1, registration: null }]);
  assert.equal(await row(), before);
  register(scene.connection(), 'phone');
  await scene.settle();
  assert.equal(await row(), scene.world.wall(), 'the next time it is put on record');
});

test('a commit whose outcome is unknown is settled before the next change is decided', async () => {
  for (const fault of ['unknown_applied', 'unknown_dropped'] as const) {
    const { scene, ask, answers, pin } = await desk();
    scene.send(scene.connection().ref);
    await scene.settle();
    scene.faults = [fault];
    for (const value of [1, 2]) ask(pin(value));
    await scene.pass(1_000);
    assert.deepEqual(answers(), [1, 2], fault);
  }
});

test('as many as may wait do; one more is busy', async () => {
  const { scene, ask, answers } = await desk();
  scene.holding = true;
  for (let i = 0; i < LIMITS.accountQueue + 2; i += 1) ask({ type: T.BLOCK, user: `u${i}`, on: true });
  await scene.settle();
  assert.deepEqual(answers(), ['busy'], 'one is being decided, the others wait');
  scene.release();
  await scene.settle();
  assert.equal(answers().filter((answer) => answer === 'ok').length, LIMITS.accountQueue + 1);
});

test('the actor breaks off with an append on its way: the next one decides on what that leaves', async () => {
  const { scene, ask, answers, again, pin } = await desk();
  scene.send(scene.connection().ref);
  await scene.settle();
  const go = scene.memory.stall();
  ask(pin(1));
  await scene.settle();
  again();
  ask(pin(2));
  await scene.settle();
  assert.deepEqual(answers(), [], 'it waits for the disk');
  go();
  await scene.settle();
  assert.deepEqual(answers(), [2], 'version 1 is taken');
  assert.equal(decodeAccount(await scene.memory.get(accountKey('ada'))).marks, 2);
});

test('the actor breaks off with a block on its way: who asks again finds it there, and the chat is told', async () => {
  const { scene, ask, answers, again } = await desk();
  const bob = scene.connection();
  scene.send(bob.ref, { user: 'bob' });
  await scene.settle();
  const go = scene.memory.stall();
  ask({ type: T.BLOCK, user: 'bob', on: true });
  await scene.settle();
  again();
  go();
  ask({ type: T.BLOCK, user: 'bob', on: true });
  await scene.settle();
  assert.deepEqual(answers(), ['ok']);
  scene.send(bob.ref, { user: 'bob' });
  await scene.settle();
  const last = bob.heard.at(-1);
  assert.equal(last?.type === 'failed' && last.code, 'blocked');
});

test('a block that comes while it is read whether there is one: it counts', async () => {
  const { scene, phone, say } = await desk();
  const chat = groupChat('ada', scene.id());
  const info = { chat, key: chatKey(chat), kind: 2, pair: null, title: 'crew' } as const;
  const types = (name: string): void => void say({ type: 'typing', info, user: name, on: true });
  const heard = (): string[] => phone.heard.flatMap((news) => (news.type === 'typing' ? [news.user] : []));
  const block = async (value: Uint8Array | null): Promise<void> => {
    const done = scene.memory.commit({ checks: [], writes: [{ key: blockKey('bob', 'ada'), value }] });
    await scene.settle();
    await done;
  };
  // What is read was true when it was read, and is long in coming.
  const read = scene.store.get.bind(scene.store);
  const late: (() => void)[] = [];
  scene.store.get = async (key) => {
    const value = await read(key);
    await new Promise<void>((resolve) => late.push(resolve));
    return value;
  };
  types('eve');
  types('bob');
  await scene.settle();
  await block(new Uint8Array(6));
  say({ type: 'blocked', user: 'bob', on: true });
  await scene.settle();
  scene.store.get = read;
  for (const come of late) come();
  await scene.settle();
  assert.deepEqual(heard(), ['eve']);
  // And what is remembered is forgotten when it changes.
  await block(null);
  types('bob');
  await scene.settle();
  assert.deepEqual(heard(), ['eve']);
  say({ type: 'blocked', user: 'bob', on: false });
  types('bob');
  await scene.settle();
  assert.deepEqual(heard(), ['eve', 'bob']);
});

test('a removed device: its chats are gone through at a pace, again where the store fails, and its row says when that is over', async () => {
  const { scene, phone, ask, register } = await desk();
  const other = scene.connection();
  register(other, 'old');
  await scene.settle();
  const keys: string[] = [];
  for (let i = 0; i < LIMITS.errandChats + 4; i += 1) keys.push(await scene.group(phone.ref, []));
  for (const key of keys) {
    scene.fabric.chats.tell(key, { type: 'cursor', user: 'ada', device: 'old', delivered: 1, read: 0 });
  }
  await scene.settle();
  const row = async () => decodeDevice((await scene.memory.get(deviceKey('ada', 'old')))!);
  const holding = async (): Promise<number> => {
    let count = 0;
    for (const key of keys) {
      const start = Uint8Array.of(4, ...Buffer.from('ada'), 0, ...chatFromKey(key));
      const stored = await scene.memory.get(start);
      if (Buffer.from(stored!).includes('old')) count += 1;
    }
    return count;
  };
  assert.equal(await holding(), keys.length);
  ask({ type: T.DEVICE, device: 'old', op: 2, name: '' });
  await scene.settle();
  assert.ok(other.heard.some(({ type }) => type === 'removed'));
  assert.equal(await holding(), keys.length, 'not before its connection has ended');
  scene.unreadable = true;
  scene.runtime.exit(other.ref, { type: 'shutdown' });
  await scene.pass(LIMITS.errandMs);
  scene.unreadable = false;
  await scene.pass(LIMITS.errandMs);
  assert.equal(await holding(), 4);
  assert.equal((await row()).lingers, true);
  await scene.pass(3 * LIMITS.errandMs);
  assert.equal(await holding(), 0);
  assert.deepEqual([(await row()).removed, (await row()).lingers], [true, false]);
});

test('a chat that lost what it was told of a removed device is told again; one that cannot be told holds up no other', async () => {
  const { scene, phone, ask, register } = await desk();
  const old = scene.connection();
  register(old, 'old');
  await scene.settle();
  const keys = [await scene.group(phone.ref, []), await scene.group(phone.ref, [])].sort();
  const tell = scene.fabric.chats.tell;
  for (const key of keys) tell(key, { type: 'cursor', user: 'ada', device: 'old', delivered: 1, read: 0 });
  await scene.settle();
  scene.runtime.exit(old.ref, { type: 'shutdown' });
  await scene.settle();
  const lingers = async () => decodeDevice((await scene.memory.get(deviceKey('ada', 'old')))!).lingers;
  const holding = async (): Promise<string[]> => {
    const rows = await Promise.all(keys.map((key) => scene.memory.get(inboxKey('ada', chatFromKey(key)))));
    return keys.filter((_, at) => decodeInbox(rows[at]!).devices.some(({ device }) => device === 'old'));
  };
  assert.deepEqual(await holding(), keys);
  let [told, refused] = [0, 0];
  let given = true;
  Object.assign(scene.fabric.chats, {
    tell(key: string, message: ChatMessage) {
      if (message.type === 'forget' && key === keys[1] && given) {
        refused += 1;
        return 'dead';
      }
      const answer = tell(key, message);
      if (message.type !== 'forget') return answer;
      told += 1;
      // Before it has written anything.
      if (told === 1) scene.runtime.exit(scene.chats.get(key)!, { type: 'killed' });
      if (told === 2) scene.faults = ['store_unavailable'];
      return answer;
    },
  });
  ask({ type: T.DEVICE, device: 'old', op: 2, name: '' });
  await scene.pass((LIMITS.forgetTries + 10) * LIMITS.errandMs);
  assert.ok(told > 2, 'killed, then failed');
  assert.equal(refused, LIMITS.forgetTries);
  assert.deepEqual(await holding(), [keys[1]]);
  assert.equal(await lingers(), true);
  given = false;
  register(scene.connection(), 'phone');
  await scene.pass(5 * LIMITS.errandMs);
  assert.deepEqual(await holding(), []);
  assert.equal(await lingers(), false);
});

test('a page of marks while they move: what got a later place comes there, and the page says that there is more', async () => {
  const { scene, ask, pin } = await desk();
  scene.send(scene.connection().ref);
  await scene.settle();
  ask(pin(1));
  await scene.settle();
  const store = { ...scene.store };
  // Between the order and the row the chat is marked again.
  store.get = async (key) => {
    ask(pin(2));
    await scene.settle();
    return scene.store.get(key);
  };
  assert.deepEqual(await readMarksPage(store, 'ada', 0, 10), [[], 1]);
  const [rows, more] = await readMarksPage(scene.store, 'ada', 0, 10);
  assert.deepEqual([(rows as unknown[][]).map((row) => row[1]), more], [[2], 0]);
});

test('a device that is removed while a clock is behind does not come back with the token that it had', () => {
  const account = { floor: 0 } as AccountRow;
  const row = { first: 5_000, last: 5_000, barred: 0, removed: false, lingers: false, name: '' };
  const planned = removeDevice('ada', 'phone', 3_000, new Map([['phone', row]]), account);
  assert.ok('writes' in planned);
  const removed = decodeDevice(planned.writes[0]!.value!);
  const back = (issued: number): ReturnType<typeof registerDevice> =>
    registerDevice('ada', 'phone', issued, 9_000, new Map([['phone', removed]]), account);
  assert.deepEqual(
    [back(4_000), back(5_000)].map((answer) => 'code' in answer && answer.code),
    ['device_removed', 'device_removed'],
  );
  assert.ok('writes' in back(6_000));
});
