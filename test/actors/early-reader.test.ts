// Owns the tests of clients that read the store before the chat knows that its append is durable: its answer is late where a
// commit's result was unknown, where a lease has lapsed, or where another node reads.
// Invariant: on a manual clock; the log waits for the store with rows that are there already.
// Must not: test what an append's outcome does to its sender (chat.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { idText } from '../../actors/message-id.js';
import type { ChatMessage } from '../../actors/messages.js';
import { chatFromKey, inboxKey, messageKey } from '../../storage/keys.js';
import { decodeInbox } from '../../storage/rows.js';
import { OP } from '../../transport/frames.js';
import { ChatScene } from './chat-scene.js';

/** A group of ada, bob and cleo with three entries, and a client of each. */
class Early {
  readonly scene: ChatScene;
  readonly key: string;
  readonly clients;

  private constructor(scene: ChatScene, key: string) {
    this.scene = scene;
    this.key = key;
    this.clients = new Map(['ada', 'bob', 'zoe'].map((user) => [user, scene.connection()]));
  }

  static async open(threshold: number = LIMITS.fanOutThreshold): Promise<Early> {
    const scene = await ChatScene.open({ threshold });
    for (const user of ['ada', 'bob', 'zoe']) scene.user(user);
    const early = new Early(scene, await scene.group(scene.connection().ref, ['bob', 'cleo']));
    early.send();
    await scene.settle();
    early.send();
    await scene.settle();
    return early;
  }

  tell(message: ChatMessage): void {
    this.scene.fabric.chats.tell(this.key, message);
  }

  asker(user: string, r: number) {
    return { user, connection: this.clients.get(user)!.ref, r };
  }

  send(): void {
    const id = this.scene.id();
    const { connection } = this.asker('ada', 0);
    const fields = { connection, n: 1, after: null, body: new Uint8Array(4), pair: null };
    this.tell({ type: 'send', user: 'ada', id, idText: idText(id), ...fields });
  }

  change(user: string, r: number, op: number, users: string[], args: number[] = []): void {
    this.tell({ type: 'change', asker: this.asker(user, r), id: this.scene.id(), op, users, args });
  }

  /** The next append is in the store, and its chat is not told before `release`. */
  async late(append: () => void): Promise<void> {
    this.scene.faults = ['unknown_applied'];
    this.scene.holding = true;
    append();
    await this.scene.settle();
  }

  async release(): Promise<void> {
    this.scene.release();
    await this.scene.pass(2 * LIMITS.cursorMs);
  }

  has(seq: number): Promise<Uint8Array | undefined> {
    return this.scene.memory.get(messageKey(chatFromKey(this.key), seq));
  }

  async stands(user: string): Promise<readonly [number, number]> {
    const row = await this.scene.memory.get(inboxKey(user, chatFromKey(this.key)));
    const { delivered, read } = decodeInbox(row!);
    return [delivered, read];
  }

  /** `ok`, a code, or undefined: no answer yet. */
  outcome(user: string, r: number): string | undefined {
    const answer = this.clients.get(user)!.heard.find((message) => 'r' in message && message.r === r);
    return answer?.type === 'refused' ? answer.code : answer && 'ok';
  }
}

for (const [size, threshold] of [
  ['small', LIMITS.fanOutThreshold],
  ['large', 2],
] as const) {
  test(`in a ${size} group a position ahead of the append in flight is written once that is known to be durable`, async () => {
    const early = await Early.open(threshold);
    await early.late(() => early.send());
    assert.ok((await early.has(4)) !== undefined);
    early.tell({ type: 'cursor', user: 'bob', device: 'b1', delivered: 4, read: 0 });
    early.tell({ type: 'cursor', user: 'bob', device: 'b1', delivered: 4, read: 4 });
    early.tell({ type: 'cursor', user: 'cleo', device: 'c1', delivered: 1_000, read: 0 });
    await early.scene.settle();
    await early.release();
    assert.deepEqual(await early.stands('bob'), [4, 4]);
    assert.deepEqual(await early.stands('cleo'), [4, 0]);
    early.send();
    await early.release();
    assert.deepEqual(await early.stands('cleo'), [4, 0], 'what was not there is not claimed for ever');
  });
}

test('a position ahead of an append that fails is cut to what there is', async () => {
  const early = await Early.open();
  early.scene.faults = ['store_unavailable'];
  early.send();
  early.tell({ type: 'cursor', user: 'bob', device: 'b1', delivered: 4, read: 4 });
  await early.scene.pass(LIMITS.reloadMs + 100);
  assert.equal(await early.has(4), undefined);
  assert.deepEqual(await early.stands('bob'), [3, 3]);
});

test('who asks about an entry in flight, or deletes it, is refused for now, and has it later', async () => {
  const early = await Early.open();
  await early.late(() => early.send());
  early.tell({ type: 'positions', asker: early.asker('ada', 1), seq: 4 });
  early.change('ada', 2, OP.deleted, [], [4]);
  early.tell({ type: 'positions', asker: early.asker('ada', 3), seq: 5 });
  await early.scene.settle();
  await early.release();
  assert.deepEqual(
    [1, 2, 3].map((r) => early.outcome('ada', r)),
    ['busy', 'busy', 'bad_request'],
  );
  early.tell({ type: 'positions', asker: early.asker('ada', 4), seq: 4 });
  early.change('ada', 5, OP.deleted, [], [4]);
  await early.release();
  assert.deepEqual([early.outcome('ada', 4), early.outcome('ada', 5)], ['ok', 'ok']);
});

test('who is just joining gets the receipts that his client asks for, and the presence that it opens the chat for, and is no stranger', async () => {
  const early = await Early.open();
  const zoe = early.clients.get('zoe')!;
  await early.late(() => early.change('ada', 1, OP.added, ['zoe']));
  assert.equal(await early.has(4), undefined, 'zoe is looked up first');
  early.scene.release();
  early.scene.holding = true;
  await early.scene.settle();
  assert.ok((await early.has(4)) !== undefined);
  early.tell({ type: 'receipts', user: 'zoe', connection: zoe.ref });
  early.tell({ type: 'watch', user: 'zoe', connection: zoe.ref, on: true });
  early.tell({ type: 'positions', asker: early.asker('zoe', 7), seq: 4 });
  await early.scene.settle();
  assert.deepEqual(
    zoe.heard.map(({ type }) => type),
    ['unpassed', 'refused'],
  );
  assert.equal(early.outcome('zoe', 7), 'busy');
  const opened = () => [...early.scene.fabric.watches.onlookers(early.key)].map(({ user }) => user);
  assert.deepEqual(opened(), []);
  await early.release();
  assert.deepEqual(opened(), ['zoe']);
});
