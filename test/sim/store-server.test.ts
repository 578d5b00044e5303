// Owns the proof that the store of a simulated cluster keeps the contract (storage/store.ts) through its faults.
// Invariant: no machine's time.
// Must not: run the product's actors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock } from '../../sim/clock.js';
import { Process } from '../../sim/process.js';
import { stream } from '../../sim/random.js';
import { StoreServer } from '../../sim/store-server.js';
import type { CommitResult } from '../../storage/store.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const put = (key: string, value: string) => ({ checks: [], writes: [{ key: bytes(key), value: bytes(value) }] });

function scene() {
  const clock = new Clock();
  const flushed: string[] = [];
  const faults: string[] = [];
  const server = new StoreServer(
    clock,
    { flush: [1, 1], delay: [1, 1], patience: 500, faults: {} },
    stream(1, 'store'),
    {
      answered: () => undefined,
      flushed: (writes) =>
        flushed.push(...writes.map(({ value, by }) => `${by} ${value === null ? '' : Buffer.from(value)}`)),
      committed: () => undefined,
      fault: (fault) => faults.push(fault),
    },
  );
  let number = 0;
  const node = (name: string) => {
    number += 1;
    const process = new Process({ clock, seed: 1, name: `${name}#1`, number, skew: 0, turn: [0.1, 0.1] });
    return { process, store: server.view(process, name) };
  };
  return { clock, server, flushed, faults, node };
}

const outcomes = (...commits: Promise<CommitResult>[]): string[] => {
  const found: string[] = [];
  for (const commit of commits) void commit.then(({ outcome }) => found.push(outcome));
  return found;
};

test('nodes see what others wrote, and each write has its author', async () => {
  const { clock, flushed, node } = scene();
  const [a, b] = [node('a'), node('b')];
  const found = outcomes(a.store.commit(put('x', '1')), b.store.commit(put('y', '2')));
  await clock.run(10);
  assert.deepEqual(found, ['committed', 'committed']);
  assert.deepEqual(flushed, ['a#1 1', 'b#1 2']);
  let seen: Uint8Array | undefined;
  void a.store.get(bytes('y')).then((value) => {
    seen = value;
  });
  await clock.run(20);
  assert.equal(Buffer.from(seen!).toString(), '2');
});

test('what was given up may come later, but not once its process has read', async () => {
  const { clock, server, flushed, faults, node } = scene();
  const { store } = node('a');
  server.clog('a', 'to', true);
  const found = outcomes(store.commit(put('x', 'old')));
  await clock.run(600);
  assert.deepEqual(found, ['unknown']);
  assert.deepEqual(faults, ['timeout']);
  server.clog('a', 'to', false);
  await clock.run(610);
  assert.deepEqual(flushed, ['a#1 old'], 'nobody has read: it may come');

  server.plan('a', 'late', 1);
  const late = outcomes(store.commit(put('x', 'late')));
  await clock.run(620);
  assert.deepEqual(late, ['unknown']);
  void store.get(bytes('x'));
  await clock.run(700);
  void store.commit(put('x', 'new'));
  await clock.run(10_000);
  assert.deepEqual(flushed.slice(-1), ['a#1 new']);
});

test('a crash of the server leaves what it had not answered unknown, and keeps what is flushed', async () => {
  const { clock, server, flushed, node } = scene();
  const { store } = node('a');
  const first = outcomes(store.commit(put('x', '1')));
  await clock.run(10);
  const second = outcomes(store.commit(put('y', '2')));
  await clock.run(11.5);
  server.crash(0);
  await clock.run(20);
  assert.deepEqual([...first, ...second], ['committed', 'unknown']);
  const third = outcomes(store.commit(put('z', '3')));
  await clock.run(100);
  assert.deepEqual(third, []);
  server.up();
  await clock.run(120);
  assert.deepEqual(third, ['committed']);
  assert.deepEqual(flushed, ['a#1 1', 'a#1 3']);
});

test('a frozen process hears no answer, a dead one never; what it had asked for is carried out', async () => {
  const { clock, flushed, node } = scene();
  const [a, b] = [node('a'), node('b')];
  const found = outcomes(a.store.commit(put('x', '1')), b.store.commit(put('y', '2')));
  a.process.freeze();
  b.process.end();
  await clock.run(100);
  assert.deepEqual(found, []);
  assert.equal(flushed.length, 2);
  a.process.thaw();
  await clock.run(200);
  assert.deepEqual(found, ['committed']);
});
