// Owns the proof that both seat hosts keep the same contract: order, no re-entry, nothing after close.
// Invariant: every case runs on nact and on the direct host.
// Must not: rely on how either schedules.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { World } from '../../actors/world.js';
import { directHost } from '../../supervisors/direct-host.js';
import { nactHost } from '../../supervisors/nact-host.js';
import type { Seats } from '../../supervisors/spec.js';
import { ManualWorld } from '../actors/manual-world.js';

class ImmediateWorld extends ManualWorld implements World {
  override defer(task: () => void): void {
    setImmediate(task);
  }
}

const HOSTS: [string, () => Seats][] = [
  ['nact', nactHost],
  ['direct', () => directHost(new ImmediateWorld())],
];

async function turns(count: number): Promise<void> {
  for (let done = 0; done < count; done++) await turn();
}

for (const [name, open] of HOSTS) {
  test(`${name}: events are handled in order, one at a time, never within post`, async () => {
    const seats = open();
    const seen: number[] = [];
    let busy = false;
    const seat = seats.open<number>(undefined, 'one', (event) => {
      assert.equal(busy, false);
      busy = true;
      seen.push(event);
      if (event < 10) seat.post(event + 10);
      busy = false;
    });
    for (const event of [1, 2, 3]) seat.post(event);
    assert.deepEqual(seen, []);
    assert.equal(seat.queued, 3);
    await turns(20);
    assert.deepEqual(seen, [1, 2, 3, 11, 12, 13]);
    assert.equal(seat.queued, 0);
    seat.close();
    seats.close();
  });

  test(`${name}: after close nothing is handled, and a successor of the same name gets none of it`, async () => {
    const seats = open();
    const seen: string[] = [];
    const first = seats.open<string>(undefined, 'same', (event) => seen.push(`first ${event}`));
    first.post('queued');
    first.close();
    const second = seats.open<string>(undefined, 'same', (event) => seen.push(`second ${event}`));
    first.post('late');
    second.post('own');
    await turns(10);
    assert.deepEqual(seen, ['second own']);
    second.close();
    second.close();
    seats.close();
  });

  test(`${name}: a seat may close itself in its handler; what was queued behind is dropped`, async () => {
    const seats = open();
    const seen: string[] = [];
    const parent = seats.open<string>(undefined, 'parent', (event) => seen.push(event));
    const child = seats.open<string>(parent, 'child', (event) => {
      seen.push(event);
      child.close();
      parent.post('child closed');
    });
    child.post('end');
    child.post('behind');
    await turns(10);
    assert.deepEqual(seen, ['end', 'child closed']);
    parent.close();
    seats.close();
  });

  test(`${name}: the host does not end under open seats`, () => {
    const seats = open();
    const seat = seats.open<string>(undefined, 'left', () => undefined);
    assert.throws(() => seats.close(), /invariant broken/);
    seat.close();
    seats.close();
  });
}

test('nact: a seat is not closed above open ones, which nact would leave running and unreachable', () => {
  const seats = nactHost();
  const parent = seats.open<string>(undefined, 'parent', () => undefined);
  const child = seats.open<string>(parent, 'child', () => undefined);
  assert.throws(() => parent.close(), /invariant broken/);
  child.close();
  parent.close();
  seats.close();
});

test('nact: two seats of one name stand side by side, and each gets its own events', async () => {
  const seats = nactHost();
  const seen: string[] = [];
  const one = seats.open<string>(undefined, 'same', (event) => seen.push(`one ${event}`));
  const two = seats.open<string>(undefined, 'same', (event) => seen.push(`two ${event}`));
  one.post('a');
  two.post('b');
  await turns(10);
  assert.deepEqual(seen, ['one a', 'two b']);
  one.close();
  two.close();
  seats.close();
});
