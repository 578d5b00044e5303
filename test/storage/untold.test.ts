// Owns the tests of what a dirty set keeps: chats whose news may not have arrived.
// Invariant: what is said to be told, and to have arrived, is the test's to say.
// Must not: need a store or a log.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { AT_ONCE, type Tellings, Untold } from '../../storage/untold.js';

const chat = (n: number): Uint8Array => Uint8Array.from({ length: 16 }, (_, at) => (at < 2 ? n >>> (8 * at) : 1));
const news = (n: number, head = 1) => ({ chat: chat(n), head, telling: { done: false } });
const named = ({ chats }: { chats: readonly { chat: Uint8Array }[] }): number[] =>
  chats.map(({ chat: id }) => id[0]! + 256 * id[1]!);

/** What was told arrives when the test says so. */
class Slow implements Tellings {
  arrived = false;
  asked = 0;

  told(): () => boolean {
    this.asked += 1;
    return () => this.arrived;
  }
}

test('a chat stays until it has told, and until that has arrived', () => {
  const slow = new Slow();
  const untold = new Untold(slow, [], null);
  const [a, b] = [news(1), news(2)];
  assert.deepEqual(named(untold.next([a, b])), [1, 2]);
  untold.committed([a, b]);
  assert.deepEqual(named(untold.next([news(3)])), [3, 1, 2], 'neither has told');
  a.telling.done = true;
  assert.deepEqual(named(untold.next([])), [1, 2], 'what one told is on its way');
  // What is told after the mark was taken is none of its business.
  b.telling.done = true;
  slow.arrived = true;
  assert.deepEqual(named(untold.next([])), []);
  assert.equal(slow.asked, 2, 'one mark a write');
});

test('where nobody lives elsewhere a chat leaves as soon as it has told', () => {
  const untold = new Untold(AT_ONCE, [], null);
  const a = news(1);
  untold.committed([a]);
  assert.deepEqual(named(untold.next([])), [1]);
  a.telling.done = true;
  assert.deepEqual(named(untold.next([])), []);
});

test('a chat that goes on is kept for what it has not told, whichever of its appends that is', () => {
  const untold = new Untold(AT_ONCE, [], null);
  const [first, second] = [news(1, 5), news(1, 9)];
  untold.committed([first]);
  untold.committed([second]);
  second.telling.done = true;
  assert.deepEqual(
    untold.next([]).chats.map(({ head }) => head),
    [9],
  );
  first.telling.done = true;
  assert.deepEqual(named(untold.next([])), []);
  assert.deepEqual(named(untold.next([news(1, 10)])), [1], 'and once is enough');
});

test('what the last owner left stays until it has told, over the writes of the new one', () => {
  const left = news(7);
  const untold = new Untold(AT_ONCE, [left], null);
  for (let n = 1; n <= 3; n += 1) {
    assert.deepEqual(named(untold.next([news(n)])), [n, 7]);
  }
  left.telling.done = true;
  assert.deepEqual(named(untold.next([news(4)])), [4]);
});

test('what finds no room is said to exist until it has told and that has arrived; the set never outgrows its row', () => {
  const slow = new Slow();
  const untold = new Untold(slow, [], null);
  const kept = Array.from({ length: LIMITS.batchAppends }, (_, n) => news(n));
  const spilt = news(LIMITS.batchAppends);
  untold.committed([...kept, spilt]);
  const full = untold.next([news(60_000)]);
  assert.deepEqual([full.chats.length, full.more], [LIMITS.batchAppends, true]);
  for (const { telling } of kept) telling.done = true;
  assert.equal(untold.next([]).more, true);
  spilt.telling.done = true;
  assert.equal(untold.next([]).more, true, 'told, and on its way');
  slow.arrived = true;
  assert.deepEqual(untold.next([]), { chats: [], more: false });
});

test('a last owner that could not name all: more, until everybody was asked', () => {
  const asked = { done: false };
  const untold = new Untold(AT_ONCE, [], asked);
  assert.equal(untold.next([]).more, true);
  asked.done = true;
  assert.equal(untold.next([]).more, false);
});
