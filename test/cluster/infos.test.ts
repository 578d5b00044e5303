// Owns the tests of what a link remembers of chats.
// Invariant: what is written and read is compared with what is where nothing is remembered.
// Must not: know routes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChatInfo } from '../../actors/messages.js';
import { Infos } from '../../cluster/infos.js';
import { DEPTH, readInfo, writeInfo } from '../../cluster/message-codec.js';
import { chatKey } from '../../storage/keys.js';
import { Reader } from '../../transport/reader.js';
import { Writer } from '../../transport/writer.js';

function info(last: number, title: string, pair: readonly [string, string] | null = null): ChatInfo {
  const chat = new Uint8Array(16).fill(7);
  chat[15] = last;
  return { chat, key: chatKey(chat), kind: pair === null ? 2 : 1, pair, title };
}

/** Chats of one place in what is remembered, some of them like others but for their end. */
const ROUNDS = [
  info(1, 'a title'),
  info(1, 'a title'),
  info(1, 'a title that is longer'),
  info(1, 'a title'),
  info(2, 'a title'),
  info(2, '', ['ada', 'bob']),
  info(2, '', ['ada', 'bo']),
  info(1, 'x'.repeat(400)),
];

test('what is remembered changes nothing that is written or read, and is the same object as long as it stands', () => {
  const [ours, theirs] = [new Infos(), new Infos()];
  const [writer, plain] = [new Writer(), new Writer()];
  const reader = new Reader();
  for (const one of ROUNDS) {
    const read: ChatInfo[] = [];
    for (let times = 0; times < 3; times++) {
      writer.reset().int(5);
      ours.write(one, writer);
      writer.int(6);
      plain.reset().int(5);
      writeInfo(one, plain);
      assert.deepEqual(writer.copy(), plain.int(6).copy());
      reader.open(writer.view(), DEPTH);
      assert.equal(reader.int(), 5);
      read.push(theirs.read(reader));
      assert.equal(reader.int(), 6);
      assert.ok(reader.close());
    }
    assert.deepEqual(read[0], one);
    assert.equal(read[1], read[0]);
    assert.equal(read[2], read[0]);
  }
});

test('what is cut short is a fault wherever that is, and is not remembered', () => {
  const infos = new Infos();
  const whole = new Writer();
  writeInfo(ROUNDS[0]!, whole);
  const reader = new Reader();
  for (const known of [false, true]) {
    for (let length = 0; length < whole.length; length++) {
      reader.open(whole.cut(0, length), DEPTH);
      infos.read(reader);
      assert.notEqual(reader.fault, '', `${length} bytes, ${known}`);
    }
    reader.open(whole.view(), DEPTH);
    assert.deepEqual(infos.read(reader), ROUNDS[0]);
    assert.ok(reader.close());
  }
});

test('what a newer build says beside it is passed over, the second time too', () => {
  const infos = new Infos();
  const writer = new Writer();
  const { chat } = ROUNDS[0]!;
  for (let times = 0; times < 2; times++) writer.array(5).bin(chat).int(2).nil().str('a title').str('more');
  const reader = new Reader();
  reader.open(writer.view(), DEPTH);
  assert.deepEqual([infos.read(reader), infos.read(reader)], [ROUNDS[0], ROUNDS[0]]);
  assert.ok(reader.close());
  reader.open(writer.view(), DEPTH);
  assert.deepEqual(readInfo(reader), ROUNDS[0]);
});
