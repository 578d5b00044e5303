// Owns the tests of the buffer that all connections of a node share.
// Invariant: whatever becomes of one connection, the next one finds it empty.
// Must not: know frames beyond a PONG.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outbox } from '../../actors/outbox.js';
import { decodeServer } from '../../transport/codec.js';
import { type ServerFrame, T } from '../../transport/frames.js';
import type { SendOutcome, Socket } from '../../transport/socket.js';

function socket(outcomes: SendOutcome[] = []): Socket & { readonly got: number[]; corked: number } {
  const got: number[] = [];
  return {
    got,
    corked: 0,
    address: '',
    send(bytes) {
      const frame = decodeServer(bytes);
      assert.equal(frame.type, T.PONG);
      if (frame.type === T.PONG) got.push(frame.n);
      return outcomes.shift() ?? 'sent';
    },
    buffered: () => 0,
    cork(task) {
      this.corked += 1;
      task();
    },
    close: () => undefined,
  };
}

function put(outbox: Outbox, owner: object, n: number): void {
  outbox.begin(owner).frame({ type: T.PONG, n });
  outbox.end();
}

test('frames leave in order, several at once in one go', () => {
  const outbox = new Outbox();
  const [owner, to] = [{}, socket()];
  assert.equal(outbox.flush(to), 'sent');
  put(outbox, owner, 1);
  outbox.flush(to);
  for (let n = 2; n < 500; n += 1) put(outbox, owner, n);
  outbox.flush(to);
  assert.deepEqual(
    to.got,
    Array.from({ length: 499 }, (_, at) => at + 1),
  );
  assert.equal(to.corked, 1);
});

test('a frame that cannot be written harms its owner alone', () => {
  const outbox = new Outbox();
  const [broken, next] = [{}, {}];
  for (const before of [0, 2]) {
    const to = socket();
    for (let n = 1; n <= before; n += 1) put(outbox, broken, n);
    const bad: ServerFrame = { type: T.PONG, n: Number.NaN };
    assert.throws(() => outbox.begin(broken).frame(bad));
    outbox.flush(to);
    assert.deepEqual(to.got, [1, 2].slice(0, before));
    const other = socket();
    put(outbox, next, 7);
    outbox.flush(other);
    assert.deepEqual(other.got, [7]);
  }
});

test('two owners at once are a bug; after a dropped frame nothing follows', () => {
  const outbox = new Outbox();
  put(outbox, {}, 1);
  assert.throws(() => put(outbox, {}, 2), /one connection at a time/);
  const to = socket(['sent', 'dropped']);
  const owner = {};
  outbox.flush(socket());
  for (let n = 1; n <= 4; n += 1) put(outbox, owner, n);
  assert.equal(outbox.flush(to), 'dropped');
  assert.deepEqual(to.got, [1, 2]);
});
