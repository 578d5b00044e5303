// Owns the tests of what a client gathers, writes and then tells.
// Invariant: the store answers when the test lets it; the clock is the test's.
// Must not: test what is gathered by whom (delivery.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { ChatTable } from '../../client/chat-table.js';
import { Flusher } from '../../client/flush.js';
import { MemoryStore } from '../../client/store-memory.js';
import { ManualWorld } from '../actors/manual-world.js';

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
};

test('what is read while a position is written is told too', async () => {
  const world = new ManualWorld();
  const store = new MemoryStore();
  const write = store.write.bind(store);
  let go = (): void => undefined;
  store.write = async (changes) => {
    await new Promise<void>((resolve) => {
      go = resolve;
    });
    return write(changes);
  };
  const told: string[] = [];
  const flusher = new Flusher(world, store, {
    ack: (_, seq) => told.push(`ack ${seq}`),
    read: (_, seq) => told.push(`read ${seq}`),
    trouble: (error) => assert.fail(error),
  });
  const log = new ChatTable(() => undefined).byId(new Uint8Array(16).fill(7));
  const handle = (seq: number): void => {
    log.done = seq;
    flusher.handled(log);
    log.read = seq;
    flusher.read(log);
  };
  flusher.online();
  handle(1);
  world.advance(LIMITS.clientAckMs);
  await turns();
  handle(2);
  go();
  await turns();
  assert.deepEqual(told, ['read 1']);
  world.advance(LIMITS.clientAckMs);
  await turns();
  go();
  await turns();
  assert.deepEqual(told, ['read 1', 'read 2']);
});

test('a settlement is stored in one write with the number of its message, behind all other chats', async () => {
  const world = new ManualWorld();
  const store = new MemoryStore();
  const writes: string[][] = [];
  store.write = async (changes) => {
    writes.push(changes.map(({ type }) => type));
  };
  const silent = (): void => undefined;
  const flusher = new Flusher(world, store, { ack: silent, read: silent, trouble: (error) => assert.fail(error) });
  const table = new ChatTable(() => undefined);
  for (let at = 0; at <= LIMITS.clientJournalChats; at += 1) {
    const log = table.byId(
      new Uint8Array(16)
        .fill(7)
        .fill(at, 14)
        .fill(at >> 8, 15),
    );
    log.sent(1);
    flusher.dirty(log);
  }
  flusher.settled('0'.repeat(32));
  await flusher.flush();
  assert.deepEqual(
    writes.map((types) => new Set(types)),
    [new Set(['chat']), new Set(['chat', 'settle'])],
  );
});
