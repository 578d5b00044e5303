// Owns the tests of when positions are written, on a manual clock.
// Invariant: what others are told is what the store holds at that moment.
// Must not: test what a position means (roster.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { idText } from '../../actors/message-id.js';
import { chatFromKey, inboxKey } from '../../storage/keys.js';
import { decodeInbox } from '../../storage/rows.js';
import { OP } from '../../transport/frames.js';
import { ChatScene } from './chat-scene.js';

const USERS = Array.from({ length: 20 }, (_, at) => `u${at}`);

interface Position {
  readonly delivered: number;
  readonly read: number;
}

/** A group with `messages` beyond its first event. */
class GroupScene {
  readonly scene: ChatScene;
  readonly key: string;
  readonly #asked;

  private constructor(scene: ChatScene, key: string) {
    this.scene = scene;
    this.key = key;
    this.#asked = scene.connection();
  }

  static async open(threshold: number, messages: number): Promise<GroupScene> {
    const scene = await ChatScene.open({ threshold });
    const ada = scene.connection();
    const key = await scene.group(ada.ref, USERS);
    const group = new GroupScene(scene, key);
    for (let i = 0; i < messages; i += 1) await group.message();
    return group;
  }

  async message(): Promise<void> {
    const id = this.scene.id();
    const body = new Uint8Array(10);
    const connection = this.#asked.ref;
    const text = idText(id);
    const message = {
      type: 'send',
      user: 'ada',
      connection,
      n: 1,
      id,
      idText: text,
      after: null,
      body,
      pair: null,
    } as const;
    this.scene.fabric.chats.tell(this.key, message);
    await this.scene.settle();
  }

  say(user: string, delivered: number, read = 0): void {
    this.scene.fabric.chats.tell(this.key, { type: 'cursor', user, device: 'd', delivered, read });
  }

  async stored(user: string): Promise<Position> {
    const row = await this.scene.memory.get(inboxKey(user, chatFromKey(this.key)));
    const { delivered, read } = decodeInbox(row!);
    return { delivered, read };
  }

  /** What INFO says, by user. */
  async told(): Promise<Map<string, Position>> {
    this.#asked.heard.length = 0;
    const asker = { user: 'ada', connection: this.#asked.ref, r: 9 };
    this.scene.fabric.chats.tell(this.key, { type: 'info', asker });
    await this.scene.settle();
    const answer = this.#asked.heard.find((message) => message.type === 'answer');
    assert.ok(answer?.type === 'answer');
    const members = answer.results[3] as [string, number, number, number][];
    return new Map(members.map(([user, , delivered, read]) => [user, { delivered, read }]));
  }

  get appends(): number {
    return this.scene.log.stats().appends;
  }
}

test('in a large group positions are written with the first and then once a cursorMs, whatever is sent meanwhile', async () => {
  const group = await GroupScene.open(10, 30);
  const before = group.appends;
  let messages = 0;
  for (let step = 0; step < 30; step += 1) {
    for (const user of USERS) {
      group.say(user, step + 1);
      await group.scene.settle();
    }
    if (step % 10 === 9) {
      await group.message();
      messages += 1;
    }
    await group.scene.pass(LIMITS.cursorMs / 10);
    // Told only what is durable.
    for (const [user, position] of await group.told()) assert.deepEqual(position, await group.stored(user), user);
  }
  const written = group.appends - before - messages;
  assert.ok(written >= 3 && written <= 5, `${written} writes of positions in 3 periods`);
  await group.scene.pass(2 * LIMITS.cursorMs);
  for (const user of USERS) assert.deepEqual(await group.stored(user), { delivered: 30, read: 0 }, user);
  assert.equal((await group.told()).get('u7')!.delivered, 30);
});

test('a lone position in a large group is written at once, and none is left when the timer has passed', async () => {
  const group = await GroupScene.open(10, 3);
  group.say('u1', 2, 1);
  await group.scene.settle();
  assert.deepEqual(await group.stored('u1'), { delivered: 2, read: 1 });
  group.say('u1', 3, 3);
  await group.scene.settle();
  assert.deepEqual(await group.stored('u1'), { delivered: 2, read: 1 });
  await group.scene.pass(LIMITS.cursorMs + 20);
  assert.deepEqual(await group.stored('u1'), { delivered: 3, read: 3 });
  const before = group.appends;
  await group.scene.pass(3 * LIMITS.cursorMs);
  assert.equal(group.appends, before);
});

test('positions that wait in a large group outlive a failed append', async () => {
  const group = await GroupScene.open(10, 3);
  for (const user of USERS) group.say(user, 3);
  await group.scene.settle();
  group.scene.faults = ['store_unavailable'];
  await group.message();
  await group.scene.pass(LIMITS.reloadMs + 2 * LIMITS.cursorMs);
  for (const user of USERS) assert.equal((await group.stored(user)).delivered, 3, user);
});

test('a large group does not leave memory before its positions are written', async () => {
  const group = await GroupScene.open(10, 3);
  group.say('u1', 1);
  await group.scene.settle();
  group.say('u2', 3);
  await group.scene.pass(LIMITS.passivateMs + LIMITS.cursorMs);
  assert.equal((await group.stored('u2')).delivered, 3);
  await group.scene.pass(LIMITS.passivateMs);
  assert.equal(group.scene.chats.get(group.key)!.alive, false);
});

test('in a small group every position is written at once', async () => {
  const group = await GroupScene.open(100, 3);
  for (let at = 1; at <= 3; at += 1) {
    group.say('u1', at);
    await group.scene.settle();
    assert.equal((await group.stored('u1')).delivered, at);
  }
});

test('what somebody who left reads is written, though the append fails, or his row cannot be read for a while', async () => {
  const group = await GroupScene.open(100, 3);
  const { scene, key } = group;
  const asker = { user: 'u1', connection: scene.connection().ref, r: 1 };
  scene.fabric.chats.tell(key, { type: 'change', asker, id: scene.id(), op: OP.left, users: [], args: [] });
  await scene.settle();
  scene.faults = ['store_unavailable'];
  group.say('u1', 2, 2);
  await scene.settle();
  assert.equal((await group.stored('u1')).read, 0);
  await scene.pass(2 * LIMITS.reloadMs);
  assert.equal((await group.stored('u1')).read, 2);
  await scene.pass(2 * LIMITS.passivateMs);
  assert.equal(scene.chats.get(key)!.alive, false);
  await group.message();
  scene.unreadable = true;
  group.say('u1', 3, 3);
  await scene.settle();
  scene.unreadable = false;
  await scene.pass(2 * LIMITS.reloadMs);
  assert.equal((await group.stored('u1')).read, 3);
});

test('a chat whose state cannot be read does not leave memory with positions that it was told', async () => {
  const group = await GroupScene.open(100, 3);
  const { scene, key } = group;
  await scene.pass(2 * LIMITS.passivateMs);
  scene.unreadable = true;
  group.say('u1', 3, 3);
  await scene.pass(3 * LIMITS.passivateMs);
  assert.equal(scene.chats.get(key)!.alive, true);
  scene.unreadable = false;
  await scene.pass(2 * LIMITS.reloadMs);
  assert.deepEqual(await group.stored('u1'), { delivered: 3, read: 3 });
});
