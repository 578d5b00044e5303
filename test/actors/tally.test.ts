// Owns the tests of a large group's coalesced receipts, on a manual clock.
// Invariant: what a member is told is compared with the least durable position of the others.
// Must not: test how positions are written (cursor-pace.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { idText } from '../../actors/message-id.js';
import type { ConnectionMessage, UserMessage } from '../../actors/messages.js';
import { chatFromKey, inboxKey } from '../../storage/keys.js';
import { decodeInbox } from '../../storage/rows.js';
import { OP } from '../../transport/frames.js';
import { ChatScene, type Ear } from './chat-scene.js';

const OTHERS = ['b', 'c', 'd', 'e'];

const tallies = (ear: Ear<UserMessage>): string[] =>
  ear.heard.flatMap((news) => (news.type === 'tally' ? [`${news.delivered}/${news.read}`] : []));

const results = (ear: Ear<ConnectionMessage>, r: number): unknown => {
  const answer = ear.heard.find((message) => 'r' in message && message.r === r);
  return answer?.type === 'answer' ? answer.results : answer;
};

async function crew(messages: number, passivateMs: number = LIMITS.passivateMs) {
  const scene = await ChatScene.open({ threshold: 3, passivateMs });
  const ears = new Map(['a', ...OTHERS].map((user) => [user, scene.user(user)]));
  const ada = scene.connection();
  scene.user('ada');
  const key = await scene.group(ada.ref, ['a', ...OTHERS]);
  let r = 10;
  const send = async (user = 'ada'): Promise<void> => {
    const id = scene.id();
    const fields = { connection: ada.ref, n: 1, after: null, body: new Uint8Array(4), pair: null };
    scene.fabric.chats.tell(key, { type: 'send', user, id, idText: idText(id), ...fields });
    await scene.settle();
  };
  const say = (user: string, delivered: number, read = 0): void => {
    scene.fabric.chats.tell(key, { type: 'cursor', user, device: `${user}1`, delivered, read });
  };
  const change = async (op: number, users: string[], user = 'ada'): Promise<void> => {
    r += 1;
    const asker = { user, connection: ada.ref, r };
    scene.fabric.chats.tell(key, { type: 'change', asker, id: scene.id(), op, users, args: [] });
    await scene.settle();
  };
  const ask = async (user: string, seq: number): Promise<unknown> => {
    r += 1;
    scene.fabric.chats.tell(key, { type: 'positions', asker: { user, connection: ada.ref, r }, seq });
    await scene.settle();
    return results(ada, r);
  };
  for (let i = 0; i < messages; i += 1) await send();
  return { scene, key, ears, ada, adaEar: scene.users.get('ada')!, send, say, change, ask };
}

test('the tally is the least of the others, comes when it changes, and to whom it changes', async () => {
  const { scene, ears, adaEar, say } = await crew(9);
  for (const user of ['a', ...OTHERS]) say(user, 10);
  await scene.pass(3_000);
  assert.deepEqual(tallies(adaEar), ['10/0']);
  // ada has said nothing: for all others she is the least.
  for (const ear of ears.values()) assert.deepEqual(tallies(ear), []);
  say('ada', 10, 10);
  for (const user of ['a', 'b', 'c', 'd']) say(user, 10, 7);
  await scene.pass(3_000);
  assert.deepEqual(tallies(adaEar), ['10/0']);
  assert.deepEqual(tallies(ears.get('e')!), ['10/0', '10/7']);
  say('e', 10, 8);
  await scene.pass(3_000);
  assert.deepEqual(tallies(adaEar), ['10/0', '10/7']);
  assert.deepEqual(tallies(ears.get('a')!), ['10/0', '10/7']);
  assert.deepEqual(tallies(ears.get('e')!), ['10/0', '10/7']);
});

test('what was being written when the chat broke off is told when it is durable', async () => {
  const { scene, key, adaEar, say } = await crew(1);
  for (const user of ['a', ...OTHERS]) say(user, 1);
  await scene.pass(3_000);
  assert.deepEqual(tallies(adaEar), ['1/0']);
  for (const user of OTHERS) say(user, 2, 2);
  await scene.pass(3_000);
  const resume = scene.memory.stall();
  say('a', 2, 2);
  await scene.settle();
  scene.runtime.exit(scene.chats.get(key)!, { type: 'killed' });
  await scene.settle();
  assert.deepEqual(tallies(adaEar), ['1/0']);
  resume();
  await scene.pass(3_000);
  assert.deepEqual(tallies(adaEar).at(-1), '2/2');
});

test('at most one a second, never ahead of the disk, and right in the end', async () => {
  const { scene, key, adaEar, say } = await crew(40);
  const stored = async (): Promise<number> => {
    const rows = await Promise.all(['a', ...OTHERS].map((u) => scene.memory.get(inboxKey(u, chatFromKey(key)))));
    return Math.min(...rows.map((row) => decodeInbox(row!).delivered));
  };
  const times: number[] = [];
  for (let tick = 1; tick <= 400; tick += 1) {
    for (const user of ['a', ...OTHERS]) say(user, Math.ceil(tick / 10));
    const known = tallies(adaEar).length;
    await scene.pass(10);
    const all = tallies(adaEar);
    if (all.length === known) continue;
    assert.equal(all.length, known + 1);
    times.push(scene.world.time);
    assert.ok(Number(all.at(-1)!.split('/')[0]) <= (await stored()), 'durable');
  }
  await scene.pass(2 * LIMITS.tallyMs + LIMITS.cursorMs);
  assert.equal(tallies(adaEar).at(-1), '40/0');
  assert.ok(times.length >= 3 && times.length <= 5, `${times}`);
  for (let i = 1; i < times.length; i += 1) assert.ok(times[i]! - times[i - 1]! >= LIMITS.tallyMs);
});

test('who joins counts from there, who leaves does not count any more, and a tally never goes back', async () => {
  const { scene, adaEar, say, change, send } = await crew(4);
  for (const user of ['a', 'b', 'c', 'd']) say(user, 5, 5);
  say('e', 2, 1);
  await scene.pass(3_000);
  await change(OP.added, ['zoe']);
  await scene.pass(3_000);
  assert.deepEqual(tallies(adaEar), ['2/1']);
  await change(OP.removed, ['e']);
  await scene.pass(3_000);
  // 6 is the event that added zoe: what came before is none of hers.
  assert.deepEqual(tallies(adaEar), ['2/1', '5/5']);
  await send();
  for (const user of ['a', 'b', 'c', 'd', 'zoe']) say(user, 8, 8);
  await scene.pass(3_000);
  await change(OP.added, ['e']);
  say('e', 1, 1);
  await scene.pass(3_000);
  assert.deepEqual(tallies(adaEar), ['2/1', '5/5', '8/8']);
});

test('a tally that waits is told when the actor breaks off, and who asks gets how it stands', async () => {
  const { scene, key, adaEar, ada, say, change } = await crew(4);
  for (const user of ['a', 'b', 'c', 'd']) say(user, 5);
  say('e', 3);
  await scene.pass(3_000);
  say('e', 4);
  await scene.settle();
  assert.deepEqual(tallies(adaEar), ['3/0', '4/0']);
  await change(OP.removed, ['e']);
  assert.deepEqual(tallies(adaEar), ['3/0', '4/0']);
  scene.runtime.exit(scene.chats.get(key)!, { type: 'killed' });
  await scene.settle();
  assert.deepEqual(tallies(adaEar), ['3/0', '4/0', '5/0']);
  scene.fabric.chats.tell(key, { type: 'receipts', user: 'ada', connection: ada.ref });
  await scene.settle();
  const asked = adaEar.heard.flatMap((message) => (message.type === 'pass' ? [message.news] : []));
  assert.deepEqual(
    asked.map(({ type, delivered, read }) => [type, delivered, read]),
    [['tally', 5, 0]],
  );
});

test('receipts of an entry: whose it is, who could not see it, who left, and nobody else', async () => {
  const { scene, say, change, ask, send } = await crew(2);
  await send('b');
  await change(OP.added, ['zoe']);
  say('a', 4, 3);
  say('b', 3);
  say('c', 2);
  say('zoe', 5, 5);
  await scene.pass(LIMITS.cursorMs + 50);
  const states = (answer: unknown): Record<string, number> => Object.fromEntries((answer as never)[2]);
  const second = await ask('ada', 2);
  assert.deepEqual((second as number[]).slice(0, 2), [3, 1]);
  assert.deepEqual(states(second), { a: 2, b: 1, c: 1, d: 0, e: 0 });
  // b sent 4, zoe came with 5.
  assert.deepEqual(states(await ask('a', 4)), { ada: 0, a: 1, c: 0, d: 0, e: 0 });
  await change(OP.removed, ['c']);
  assert.deepEqual(states(await ask('ada', 2)), { a: 2, b: 1, d: 0, e: 0 });
  assert.deepEqual(states(await ask('ada', 5)), { a: 0, b: 0, d: 0, e: 0, zoe: 2 });
  for (const [user, seq, code] of [
    ['zoe', 4, 'bad_request'],
    ['ada', 0, 'bad_request'],
    ['ada', 9, 'bad_request'],
    ['c', 2, 'unknown_chat'],
    ['stranger', 2, 'unknown_chat'],
  ] as const) {
    assert.equal((((await ask(user, seq)) ?? {}) as { code?: string }).code, code, `${user} ${seq}`);
  }
});

test('a question is answered before the chat leaves memory, also by a store that fails', async () => {
  const { scene, ask, key, ada } = await crew(2, 50);
  scene.unreadable = true;
  assert.equal(((await ask('ada', 2)) as { code: string }).code, 'unavailable');
  scene.unreadable = false;
  scene.holding = true;
  const asker = { user: 'ada', connection: ada.ref, r: 99 };
  scene.fabric.chats.tell(key, { type: 'positions', asker, seq: 2 });
  await scene.pass(500);
  assert.equal(results(ada, 99), undefined);
  scene.release();
  await scene.settle();
  assert.ok(Array.isArray(results(ada, 99)));
});
