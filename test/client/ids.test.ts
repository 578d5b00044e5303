// Owns the tests of message ids and of the wait before dialling again.
// Invariant: nothing here depends on the machine's clock.
// Must not: test how ids are used (outbox.test.ts).

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Backoff } from '../../client/backoff.js';
import { hex, IdSource, idTime, unhex, uuidText } from '../../client/ids.js';
import { ManualWorld } from '../actors/manual-world.js';

describe('ids', () => {
  test('are UUIDv7 of the wall clock, and rise within a ms, through overflow and when the clock steps back', () => {
    const world = new ManualWorld();
    const source = new IdSource(world);
    const ids: string[] = [];
    for (let i = 0; i < 10_000; i++) {
      if (i === 5_000) world.time += 1_000;
      if (i === 7_000) world.time -= 500_000;
      const id = source.next();
      ids.push(hex(id));
      assert.match(uuidText(id), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      if (i === 0 || i === 5_000) assert.equal(idTime(id), world.wall());
    }
    assert.deepEqual(ids, [...new Set(ids)].sort());
  });

  test('have a text form that reads back', () => {
    const id = Uint8Array.from({ length: 16 }, (_, i) => i * 17);
    assert.deepEqual(unhex(uuidText(id)), id);
    assert.deepEqual(unhex(hex(id)), id);
    assert.equal(unhex('12'), undefined);
    assert.equal(unhex('x'.repeat(32)), undefined);
  });
});

describe('backoff', () => {
  test('is uniform in 0 … min(cap, base × 2^attempt): full jitter', () => {
    const world = new ManualWorld();
    const rounds = 2_000;
    for (const attempt of [0, 1, 3, 9, 40]) {
      const ceiling = Math.min(30_000, 500 * 2 ** attempt);
      const waits = Array.from({ length: rounds }, () => {
        const backoff = new Backoff(world);
        for (let i = 0; i < attempt; i++) backoff.next();
        return backoff.next();
      });
      const quarters = [0, 0, 0, 0];
      for (const wait of waits) {
        assert.ok(wait >= 0 && wait < ceiling);
        quarters[Math.floor((4 * wait) / ceiling)]!++;
      }
      for (const count of quarters) assert.ok(Math.abs(count - rounds / 4) < rounds / 10, `${attempt}: ${quarters}`);
    }
  });

  test('never undercuts the server, starts again after reset, and may try at once', () => {
    const world = new ManualWorld();
    const backoff = new Backoff(world, { immediate: true });
    assert.equal(backoff.next(), 0);
    assert.ok(backoff.next(7_000) >= 7_000);
    backoff.reset();
    assert.equal(backoff.attempt, 0);
    assert.ok(backoff.next(7_000) >= 7_000, 'also at the first attempt');
  });
});
