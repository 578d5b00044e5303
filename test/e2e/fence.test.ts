// Owns the proof that of two nodes on one store only the newer can write, and that the older one gives way for good.
// Invariant: real processes on one LMDB environment, with data folders of their own, so that no file keeps them apart.
// Must not: rely on which of them notices first.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { T } from '../../transport/frames.js';
import { newId, RawClient, utf8 } from './harness.js';
import { Home } from './process.js';

test('a second node on the same store takes over: the first stops with shard_lost, and no number is given twice', async (t) => {
  const [older, newer] = [new Home(t), new Home(t)];
  const flags = ['--store', `lmdb:${join(older.folder, 'shared')}`];
  const first = await older.start({ flags });
  const ada = await RawClient.join(first.url, 'ada', 'a1');
  const chat = await ada.direct('bob');
  ada.send({ type: T.SEND, chat, id: newId(), body: utf8('by the first') });
  assert.equal((await ada.next(T.SENT)).seq, 1);

  const second = await newer.start({ flags });
  const bob = await RawClient.join(second.url, 'bob', 'b1');
  const same = await bob.direct('ada');
  bob.send({ type: T.SEND, chat: same, id: newId(), body: utf8('by the second') });
  assert.equal((await bob.next(T.SENT)).seq, 2);

  const id = newId();
  ada.send({ type: T.SEND, chat, id, body: utf8('too late') });
  const exit = await Promise.race([first.ended, new Promise((resolve) => setTimeout(resolve, 10_000).unref())]);
  assert.deepEqual(exit, { code: 1, signal: null }, 'the first gives way');
  assert.ok(first.lines.some((line) => line.includes('shard_lost')));
  await ada.closing();
  assert.ok(!ada.frames.some((frame) => frame.type === T.SENT), 'and acknowledges nothing more');

  // Its client comes to the second with the same id; nobody took the shards back meanwhile.
  const again = await RawClient.join(second.url, 'ada', 'a1', [[chat, 1]]);
  await again.direct('bob');
  again.send({ type: T.SEND, chat, id, body: utf8('too late') });
  assert.equal((await again.next(T.SENT)).seq, 3);
  bob.send({ type: T.SEND, chat: same, id: newId(), body: utf8('still the second') });
  assert.equal((await bob.next(T.SENT)).seq, 4);
});
