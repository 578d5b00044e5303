// Owns the tests of the mailbox: lanes, bounds, superseding and the rings' way back.
// Invariant: the mailbox is compared with the plainest model that can be written down.
// Must not: need a runtime.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Signal } from '../../actors/behaviour.js';
import { EMPTY, Mailbox, Ring, RingPool, type Rings } from '../../actors/mailbox.js';

class OpenMailbox extends Mailbox {
  readonly rings: Rings;

  constructor(rings: Rings = { messages: new RingPool<unknown>(4, 64), signals: new RingPool<Signal>(4, 64) }) {
    super();
    this.rings = rings;
  }

  add(message: unknown, capacity: number): boolean {
    return this.offer(message, capacity, this.rings);
  }

  addSignal(signal: Signal): void {
    this.offerSignal(signal, this.rings);
  }

  take(): unknown {
    return this.nextMessage();
  }

  takeSignal(): unknown {
    return this.nextSignal();
  }

  replace(message: unknown, key: unknown, keyOf: (message: unknown) => unknown): boolean {
    return this.supersede(key, keyOf, () => message);
  }

  rest(): void {
    this.relax(this.rings);
  }
}

interface Item {
  readonly key: number | null;
  readonly id: number;
}

const keyOf = (message: unknown): unknown => (message as Item).key ?? EMPTY;

test('behaves as a bounded list whose keyed items are replaced in place', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: fc.constant('add' as const), key: fc.option(fc.nat(5)) }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('take' as const) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('rest' as const) }) },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(step, { maxLength: 400 }), (capacity, steps) => {
      const mailbox = new OpenMailbox();
      const model: Item[] = [];
      steps.forEach((s, id) => {
        if (s.type === 'take') assert.equal(mailbox.take(), model.shift() ?? EMPTY);
        else if (s.type === 'rest') mailbox.rest();
        else {
          const item: Item = { key: s.key, id };
          const fits = model.length < capacity;
          assert.equal(mailbox.add(item, capacity), fits);
          if (fits) model.push(item);
          else if (item.key !== null) {
            const place = model.findLastIndex((queued) => queued.key === item.key);
            assert.equal(mailbox.replace(item, item.key, keyOf), place >= 0);
            if (place >= 0) model[place] = item;
          }
        }
        assert.equal(mailbox.queued, model.length);
      });
      for (const item of model) assert.equal(mailbox.take(), item);
      assert.equal(mailbox.take(), EMPTY);
    }),
    { numRuns: 500 },
  );
});

test('mailboxes that share their rings are as lists of their own, both lanes', () => {
  const which = fc.nat(2);
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: fc.constant('add' as const), which, key: fc.option(fc.nat(3)) }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('take' as const), which }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('signal' as const), which }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('takeSignal' as const), which }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('drain' as const), which }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('rest' as const), which }) },
  );
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 3, maxLength: 3 }),
      fc.array(step, { maxLength: 300 }),
      (capacities, steps) => {
        const rings = { messages: new RingPool<unknown>(2, 16), signals: new RingPool<Signal>(2, 16) };
        const all = capacities.map((capacity) => ({
          capacity,
          box: new OpenMailbox(rings),
          messages: [] as Item[],
          signals: [] as Signal[],
        }));
        steps.forEach((s, id) => {
          const { capacity, box, messages, signals } = all[s.which]!;
          if (s.type === 'add') {
            const item: Item = { key: s.key, id };
            if (box.add(item, capacity)) messages.push(item);
            else {
              assert.equal(messages.length, capacity);
              const place = messages.findLastIndex(({ key }) => key !== null && key === item.key);
              assert.equal(item.key !== null && box.replace(item, item.key, keyOf), place >= 0);
              if (place >= 0) messages[place] = item;
            }
          } else if (s.type === 'signal') {
            const signal: Signal = { type: 'timer', op: id, tag: undefined };
            box.addSignal(signal);
            signals.push(signal);
          } else if (s.type === 'take') assert.equal(box.take(), messages.shift() ?? EMPTY);
          else if (s.type === 'takeSignal') assert.equal(box.takeSignal(), signals.shift() ?? EMPTY);
          else if (s.type === 'drain') while (messages.length > 0) assert.equal(box.take(), messages.shift());
          else box.rest();
          assert.ok(messages.length <= capacity);
          assert.ok(rings.messages.slots <= 16 && rings.signals.slots <= 16, 'the pools are bounded');
          for (const each of all) {
            assert.deepEqual([each.box.queued, each.box.signalled], [each.messages.length, each.signals.length]);
          }
        });
      },
    ),
    { numRuns: 500 },
  );
});

test('superseding asks for the keys of a message once, not for each newcomer', () => {
  const mailbox = new OpenMailbox();
  const capacity = 1_000;
  for (let id = 0; id < capacity; id++) mailbox.add({ key: id, id }, capacity);
  let asked = 0;
  const counting = (message: unknown): unknown => {
    asked++;
    return keyOf(message);
  };
  for (let id = 0; id < 10_000; id++) mailbox.replace({ key: id % 2_000, id }, id % 2_000, counting);
  assert.equal(asked, capacity);
  // Under a flood that never lets the mailbox run empty, the index does not outgrow the queue.
  for (let id = 0; id < 20_000; id++) {
    mailbox.take();
    mailbox.add({ key: capacity + id, id }, capacity);
    mailbox.replace({ key: -1, id }, -1, counting);
  }
  assert.ok(asked < 100_000, `${asked} keys asked for`);
});

test('what has left the mailbox is superseded by nothing, not even by its ring in another mailbox', () => {
  const mailbox = new OpenMailbox();
  const fill = (keys: readonly number[]): void => keys.forEach((key, id) => void mailbox.add({ key, id }, 3));
  fill([1, 2, 3]);
  assert.equal(mailbox.replace({ key: 1, id: 9 }, 1, keyOf), true);
  assert.deepEqual(mailbox.take(), { key: 1, id: 9 });
  assert.equal(mailbox.replace({ key: 1, id: 10 }, 1, keyOf), false);
  while (mailbox.take() !== EMPTY);
  mailbox.rest();
  fill([4, 5, 6]);
  assert.equal(mailbox.replace({ key: 2, id: 11 }, 2, keyOf), false);
  assert.equal(mailbox.replace({ key: 5, id: 12 }, 5, keyOf), true);
  assert.deepEqual(
    [mailbox.take(), mailbox.take()],
    [
      { key: 4, id: 0 },
      { key: 5, id: 12 },
    ],
  );
});

test('any value is a message, and each lane keeps its own order', () => {
  const mailbox = new OpenMailbox();
  const signal = (op: number): Signal => ({ type: 'timer', op, tag: undefined });
  for (const message of [undefined, null, 0, Number.NaN]) mailbox.add(message, 10);
  const [first, second] = [signal(1), signal(2)];
  mailbox.addSignal(first);
  mailbox.addSignal(second);
  assert.equal(mailbox.signalled, 2);
  assert.equal(mailbox.takeSignal(), first);
  for (const message of [undefined, null, 0, Number.NaN]) assert.ok(Object.is(mailbox.take(), message));
  assert.equal(mailbox.takeSignal(), second);
  assert.equal(mailbox.takeSignal(), EMPTY);
});

test('an idle mailbox gives its rings back, and the pool is bounded', () => {
  const pool = new RingPool<unknown>(4, 16);
  const mailbox = new OpenMailbox();
  mailbox.add(1, 100);
  mailbox.rest();
  assert.equal(mailbox.rings.messages.slots, 0, 'one message needs no ring');
  for (let i = 0; i < 10; i++) mailbox.add(i, 100);
  while (mailbox.take() !== EMPTY);
  mailbox.rest();
  assert.equal(mailbox.rings.messages.slots, 16);
  const rings = Array.from({ length: 6 }, () => pool.take());
  for (const ring of rings) pool.give(ring);
  assert.equal(pool.slots, 16);
});

test('a ring holds on to nothing that left it', () => {
  const ring = new Ring<object>(2);
  const position = ring.push({});
  ring.push({});
  ring.push({});
  assert.equal(ring.length, 4);
  ring.shift();
  assert.throws(() => ring.at(position), /invariant/);
  assert.throws(() => ring.reset(), /invariant/);
  assert.throws(() => new Ring(3), /invariant/);
});
