// Owns the tests of what the router makes of losses: a link breaks, or has no room, or the user is elsewhere.
// Invariant: nothing here depends on time; links break where the test breaks them.
// Must not: test how messages are encoded (codec.test.ts), or membership.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import type { ConnectionRef } from '../../actors/messages.js';
import { delivery, heard, KEY, send, three, userApart } from './router-scene.js';

describe('losses', () => {
  test('news that were on a link when it broke: the users they were for resync, once the shard has an owner again', () => {
    const { scene, a, b, c } = three();
    const other = userApart(['bob', 'ada']);
    scene.give('b', { user: other });
    for (const user of ['bob', other]) b.users.ear(user);
    const cable = scene.cable('a', 'b');
    cable.deaf = true;
    a.router.routed.users.lookup('bob')!.tell(delivery(1));
    scene.settle();
    cable.break();
    scene.settle();
    assert.equal(a.router.stats().missed, 1);
    // It moves to a node that is linked.
    c.users.ear('bob');
    scene.give('c', { user: 'bob' });
    scene.settle();
    assert.deepEqual(c.users.ear('bob').heard, [{ type: 'resync' }]);
    assert.deepEqual(b.users.ear(other).heard, []);
    assert.equal(a.router.stats().missed, 0);
    assert.equal(a.router.settled, a.router.mark);
  });

  test('a resync is made good only when it was taken', () => {
    const { scene, a, b } = three();
    b.users.ear('bob');
    const cable = scene.cable('a', 'b');
    cable.break();
    a.router.routed.users.lookup('bob')!.tell(delivery(1));
    cable.stuck = true;
    cable.mend();
    scene.settle();
    const mark = a.router.mark;
    const told = a.router.told();
    assert.ok(a.router.settled < mark);
    assert.equal(told?.(), false);
    cable.break();
    cable.stuck = false;
    cable.mend();
    scene.settle();
    assert.deepEqual(b.users.ear('bob').heard, [{ type: 'resync' }]);
    assert.equal(told?.(), true);
    assert.equal(a.router.told(), null);
  });

  test('what was told before a link broke has not arrived while nobody makes its loss good', () => {
    const { scene, a, b } = three();
    b.users.ear('bob');
    const cable = scene.cable('a', 'b');
    cable.deaf = true;
    a.router.routed.users.lookup('bob')!.tell(delivery(1));
    scene.settle();
    const told = a.router.told();
    cable.break();
    scene.settle();
    assert.equal(told?.(), false, 'lost, and nobody knows');
    // The resync that stands for it is on its way, and lost too.
    cable.deaf = false;
    cable.stuck = true;
    cable.mend();
    scene.settle();
    assert.equal(a.router.stats().missed, 0);
    assert.equal(told?.(), false, 'not taken');
    cable.break();
    scene.settle();
    assert.equal(told?.(), false, 'lost again');
    cable.stuck = false;
    cable.mend();
    scene.settle();
    assert.equal(told?.(), true);
    assert.deepEqual(b.users.ear('bob').heard.at(-1), { type: 'resync' });
  });

  test('nor has what came where its user was not, though it was taken there', () => {
    const { scene, a, c } = three();
    scene.give(null, { user: 'bob' }, ['b', 'c']);
    a.router.routed.users.lookup('bob')!.tell(delivery(1));
    const told = a.router.told();
    scene.give(null, { user: 'bob' }, ['a']);
    scene.settle();
    assert.equal(a.router.stats().missed, 1);
    assert.equal(told?.(), false);
    c.users.ear('bob');
    scene.give('c', { user: 'bob' });
    scene.settle();
    assert.equal(told?.(), true);
    assert.deepEqual(c.users.ear('bob').heard, [{ type: 'resync' }]);
  });

  test('news for a shard that is nobody\u2019s, or not where it is looked for, are made good by whoever owns it', () => {
    const { scene, a, b, c } = three();
    scene.give(null, { user: 'bob' });
    assert.equal(a.router.routed.users.lookup('bob')!.tell(delivery(1)), 'busy');
    a.users.ear('bob');
    scene.give('a', { user: 'bob' });
    scene.settle();
    assert.deepEqual(a.users.ear('bob').heard, [{ type: 'resync' }]);
    // a is the last to hear of what happens next: b, which it tells, gives the duty back, so that it does not end with b.
    scene.give('c', { user: 'bob' }, ['b', 'c']);
    scene.give('b', { user: 'bob' }, ['a']);
    c.users.ear('bob');
    a.router.routed.users.lookup('bob')!.tell(delivery(2));
    scene.settle();
    assert.ok(a.beliefs.hints > 0);
    assert.deepEqual(c.users.ear('bob').heard, []);
    assert.ok(a.router.settled < a.router.mark);
    assert.equal(b.router.stats().missed, 0);
    scene.give('c', { user: 'bob' }, ['a']);
    scene.world.advance(LIMITS.retryMs);
    assert.deepEqual(c.users.ear('bob').heard, [{ type: 'resync' }]);
    assert.equal(b.users.ears.size, 0);
    // Two that each take the other for the owner do not keep each other busy.
    scene.give('a', { user: 'bob' }, ['b']);
    a.router.routed.users.lookup('bob')!.tell(delivery(3));
    scene.world.advance(10 * LIMITS.retryMs);
    assert.ok(scene.cable('a', 'b').a.sent < 20);
  });

  test('what nobody answers for is said again until it is taken; of one device, how far it is at most', () => {
    const { scene, a, b, c } = three();
    const cursor = (delivered: number, read = 0) =>
      ({ type: 'cursor', user: 'ada', device: '1', delivered, read }) as const;
    const cable = scene.cable('a', 'b');
    cable.stuck = true;
    b.router.routed.chats.tell(KEY, cursor(5, 5));
    b.router.routed.chats.tell(KEY, cursor(7));
    b.router.routed.chats.lookup(KEY)!.tell({ type: 'blocked', user: 'ada', on: true });
    scene.settle();
    cable.break();
    assert.equal(b.router.stats().lasting, 2);
    a.chats.ear(KEY);
    cable.stuck = false;
    scene.world.advance(500);
    cable.mend();
    scene.world.advance(500);
    scene.settle();
    assert.deepEqual(a.chats.ear(KEY).heard, [cursor(7, 5), { type: 'blocked', user: 'ada', on: true }]);
    assert.equal(b.router.stats().lasting, 0);
    // What came to a node that does not own it any more is passed on.
    scene.give('c', { chat: KEY }, ['a', 'c']);
    b.router.routed.chats.tell(KEY, cursor(9));
    scene.settle();
    scene.world.advance(500);
    assert.deepEqual(c.chats.ear(KEY).heard, [cursor(9)]);
  });

  test('a link without room: sends are busy, news are made good when there is room, answers wait', () => {
    const { scene, a, b } = three();
    const line = b.connection();
    b.users.ear('bob');
    b.router.routed.chats.tell(KEY, send(line.ref));
    scene.settle();
    const { connection } = a.chats.ear(KEY).heard[0] as { connection: ConnectionRef };
    const { a: side } = scene.cable('a', 'b');
    side.busy = true;
    const big = delivery(1, null, 200_000);
    for (let i = 0; i < 50; i += 1) connection.tell({ ...big, seq: i + 1 });
    scene.settle();
    assert.equal(a.router.routed.users.tell('bob', { type: 'request', asker: ask(line.ref), frame: DEVICES }), 'busy');
    assert.equal(connection.tell(delivery(1_000)), 'ok');
    a.router.routed.users.lookup('bob')!.tell(delivery(1));
    connection.tell({ type: 'sent', n: 1, seq: 1, members: 1, count: 1 });
    assert.deepEqual(heard(line), []);
    side.busy = false;
    a.router.room(side);
    scene.settle();
    const all = heard(line);
    const count = all.filter((what) => Number(what) > 0).length;
    assert.ok(count > 25 && count < 50, `${count}`);
    assert.deepEqual(all.slice(count), ['sent', 'resync']);
    assert.deepEqual(b.users.ear('bob').heard, [{ type: 'resync' }]);
    assert.equal(a.router.settled, a.router.mark);
  });

  test('a batch that nobody can read is a fault of the session, not of what it interrupts', () => {
    const { a } = three();
    assert.throws(
      () => a.router.batch(a.router.peerOf('b')!.link, new Uint8Array([0x93, 1, 0xa1, 0x41, 0])),
      /frame 1 of b/,
    );
  });
});

const DEVICES = { type: 20, r: 1 } as const;
const ask = (connection: ConnectionRef) => ({ user: 'bob', connection, r: 1 });
