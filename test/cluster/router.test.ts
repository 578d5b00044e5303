// Owns the tests of the router: what is told on one node arrives on another as if both were one, or its loss is made good.
// Invariant: nothing here depends on time; links break where the test breaks them.
// Must not: test how messages are encoded (codec.test.ts), or membership.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../actors/limits.js';
import type { ConnectionRef, Delivery } from '../../actors/messages.js';
import { delivery, heard, KEY, send, three } from './router-scene.js';

describe('messages', () => {
  test('a connection tells a chat elsewhere, which answers it', () => {
    const { scene, a, b } = three();
    const line = b.connection();
    assert.equal(b.router.routed.chats.tell(KEY, send(line.ref)), 'ok');
    scene.settle();
    const [message] = a.chats.ear(KEY).heard;
    assert.ok(typeof message === 'object' && message.type === 'send');
    const { connection } = message;
    assert.deepEqual({ ...message, connection: 0 }, { ...send(line.ref), connection: 0 });
    connection.tell({ type: 'sent', n: 1, seq: 5, members: 2, count: 3 });
    scene.settle();
    assert.deepEqual(line.heard, [{ type: 'sent', n: 1, seq: 5, members: 2, count: 3 }]);
  });

  test('what lives here does not touch a link; what lives nowhere is busy; what never crosses is dead', () => {
    const { scene, a, b } = three();
    const asker = { user: 'ada', connection: a.connection().ref, r: 1 };
    assert.equal(a.router.routed.chats.tell(KEY, send(a.connection().ref)), 'ok');
    assert.equal(a.router.routed.chats.lookup(KEY), a.chats.lookup(KEY));
    assert.equal(b.router.routed.chats.tell(KEY, { type: 'sweep', reply: { answer: () => undefined } }), 'dead');
    scene.give(null, { chat: KEY });
    assert.equal(a.router.routed.chats.tell(KEY, { type: 'info', asker }), 'busy');
    scene.settle();
    assert.equal(a.chats.ear(KEY).heard.length, 1);
    assert.equal(scene.cable('a', 'b').a.sent, 0);
  });

  test('a connection is the same ref in each message, and itself again at home, also by way of a third node', () => {
    const { scene, a, b, c } = three();
    const line = c.connection();
    c.router.routed.chats.tell(KEY, send(line.ref, 1));
    c.router.routed.chats.tell(KEY, send(line.ref, 2));
    c.router.routed.users.tell('bob', {
      type: 'register',
      device: '1',
      issued: 0,
      connection: line.ref,
      round: 1,
      since: 0,
      late: false,
    });
    scene.settle();
    const refs = a.chats.ear(KEY).heard.map((message) => (message as { connection: ConnectionRef }).connection);
    assert.equal(refs[0], refs[1]);
    const [registered] = b.users.ear('bob').heard as { connection: ConnectionRef }[];
    a.router.routed.users.lookup('bob')!.tell(delivery(1, refs[0]!));
    scene.settle();
    const told = b.users.ear('bob').heard[1] as Delivery;
    assert.equal(told.entries[0]!.origin, registered!.connection, 'the same object stands for it, whoever names it');
    registered!.connection.tell(told);
    scene.settle();
    assert.equal((line.heard[0] as Delivery).entries[0]!.origin, line.ref);
  });

  test('a peer that speaks the first version is told each entry, and each SEND, by itself', () => {
    const { scene, a, b } = three();
    const cable = scene.cable('a', 'b');
    const line = b.connection();
    const bob = b.users.ear('bob');
    b.router.routed.chats.tell(KEY, send(line.ref));
    scene.settle();
    const { connection } = a.chats.ear(KEY).heard[0] as { connection: ConnectionRef };
    const [first, second] = [delivery(4, connection), delivery(5)];
    const both: Delivery = { ...first, entries: [...first.entries, ...second.entries] };
    const stored = { type: 'sent', n: 65_534, seq: 4, members: 2, count: 2 } as const;
    for (const version of [2, 1]) {
      cable.a.version = version;
      a.router.routed.users.lookup('bob')!.tell(both);
      connection.tell(stored);
      connection.tell(both);
      scene.settle();
    }
    const parts = [
      [4, 1, true],
      [5, 1, false],
    ];
    const told = (heard: readonly unknown[]): unknown[] =>
      (heard as Delivery[]).flatMap(({ type, seq, entries }) =>
        type === 'delivery' ? [[seq, entries.length, entries[0]!.origin !== null]] : [],
      );
    assert.deepEqual(told(bob.heard), [[4, 2, true], ...parts]);
    assert.deepEqual(told(line.heard), [[4, 2, true], ...parts]);
    assert.deepEqual(
      line.heard.filter((heard) => typeof heard === 'object' && heard.type === 'sent'),
      [stored, { ...stored, count: 1 }, { ...stored, n: 65_535, seq: 5, count: 1 }],
    );
  });

  test('the longest delivery there is, to all of the largest group, fits the batches of either version', () => {
    const { scene, a, b } = three();
    const side = scene.cable('a', 'b').a;
    const users = Array.from({ length: LIMITS.members }, (_, at) => `${at}`.padStart(LIMITS.userId, 'x'));
    for (const user of users) scene.give('b', { user });
    const ear = b.users.ear(users[0]!);
    const few = delivery(1, null, LIMITS.runBytes / LIMITS.runEntries - 1).entries[0]!;
    const last = delivery(1, null, LIMITS.body + LIMITS.entryBytes).entries[0]!;
    const entries = [...Array.from({ length: LIMITS.runEntries - 1 }, () => few), last];
    for (const version of [2, 1]) {
      side.version = version;
      const news: Delivery = { ...delivery(1), entries };
      for (const user of users) a.router.routed.users.lookup(user)!.tell(news);
      scene.settle();
      assert.ok(side.batches.every(({ length }) => length <= LIMITS.linkBatchBytes));
    }
    assert.equal(ear.heard.length, 1 + LIMITS.runEntries);
  });

  test('a delivery leaves once a node, and each receiver keeps its order', () => {
    const { scene, a, b } = three();
    const users = ['bob', 'eve', 'mia'];
    for (const user of users) scene.give('b', { user });
    const lines = users.map((user) => {
      const line = b.connection();
      scene.give('a', { user: `home of ${user}` });
      b.router.routed.users.tell(`home of ${user}`, {
        type: 'register',
        device: '1',
        issued: 0,
        connection: line.ref,
        round: 1,
        since: 0,
        late: false,
      });
      b.users.ear(user);
      return line;
    });
    scene.settle();
    const [first, second] = [delivery(1), delivery(2)];
    for (const news of [first, second]) for (const user of users) a.router.routed.users.lookup(user)!.tell(news);
    scene.settle();
    const { batches } = scene.cable('a', 'b').a;
    assert.equal(batches.length, 1);
    const one = batches[0]!.length;
    assert.ok(one < 2 * (50 + 110), `${one} bytes`);
    for (const user of users) {
      assert.deepEqual(
        b.users.ear(user).heard.map((news) => (news as Delivery).seq),
        [1, 2],
      );
    }
    // Users of one node have connections on another: theirs come one user after the other.
    const far = users.map(
      (user) => (a.users.ear(`home of ${user}`).heard[0] as { connection: ConnectionRef }).connection,
    );
    for (const ref of far) {
      ref.tell(first);
      ref.tell(second);
    }
    far[0]!.tell({ type: 'resync' });
    far[0]!.tell(first);
    scene.settle();
    assert.equal(batches.length, 2);
    assert.deepEqual(lines.map(heard), [
      ['1', '2', 'resync', '1'],
      ['1', '2'],
      ['1', '2'],
    ]);
    assert.ok(batches[1]!.length < 3 * (50 + 60), 'and the first one twice, because its order asks for it');
  });

  test('whatever is told to whom, in whichever turns: each receiver hears it in order, once', () => {
    const users = ['bob', 'eve', 'mia'];
    const told = fc.record({
      user: fc.nat({ max: 2 }),
      news: fc.nat({ max: 3 }),
      alone: fc.boolean(),
      turn: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(told, { maxLength: 40 }), (plan) => {
        const { scene, a, b } = three();
        for (const user of users) {
          scene.give('b', { user });
          b.users.ear(user);
        }
        const news = [1, 2, 3, 4].map((seq) => delivery(seq));
        const expected = users.map((): (number | string)[] => []);
        for (const { user, news: which, alone, turn } of plan) {
          if (turn === 0) scene.settle();
          if (alone) a.router.routed.users.tell(users[user]!, { type: 'blocked', user: `${which}`, on: true });
          else a.router.routed.users.lookup(users[user]!)!.tell(news[which]!);
          expected[user]!.push(alone ? `${which}` : which + 1);
        }
        scene.settle();
        const got = users.map((user) =>
          b.users.ear(user).heard.map((message) => {
            assert.ok(typeof message === 'object');
            return message.type === 'delivery' ? message.seq : message.type === 'blocked' ? message.user : '?';
          }),
        );
        assert.deepEqual(got, expected);
      }),
      { numRuns: 200 },
    );
  });

  test('what a mailbox elsewhere does not take is refused as it would be at home', () => {
    const { scene, a, b } = three();
    const line = b.connection();
    const asker = { user: 'ada', connection: line.ref, r: 3 };
    scene.give('a', { user: 'bob' });
    for (const mood of ['busy', 'dead'] as const) {
      a.chats.mood = mood;
      a.users.mood = mood;
      b.router.routed.chats.tell(KEY, send(line.ref));
      b.router.routed.chats.tell(KEY, { type: 'info', asker });
      b.router.routed.chats.tell(KEY, { type: 'typing', user: 'ada', connection: line.ref, on: true });
      b.router.routed.users.tell('bob', {
        type: 'register',
        device: '',
        issued: 0,
        connection: line.ref,
        round: 7,
        since: 0,
        late: false,
      });
      scene.settle();
    }
    const codes = line.heard.map((message) => {
      assert.ok(typeof message === 'object');
      if (message.type === 'registered') return message.registration?.code;
      return message.type === 'failed' || message.type === 'refused' ? `${message.type} ${message.code}` : message.type;
    });
    const [refused, given] = [
      ['failed busy', 'refused busy', 'busy'],
      ['failed unavailable', 'refused unavailable', 'busy'],
    ];
    assert.deepEqual(codes, [...refused!, ...given!]);
  });
});

describe('ends', () => {
  test('who monitors a chat elsewhere hears how it ended, once; of one that is not there, that', () => {
    const { scene, a, b } = three();
    const line = b.connection();
    const watch = (): void => {
      line.ref.tell((context) => void context.monitor(b.router.routed.chats.lookup(KEY)!));
      scene.settle();
    };
    watch();
    assert.deepEqual(line.heard, [`down ${KEY} noproc`]);
    const chat = a.chats.ear(KEY);
    watch();
    watch();
    assert.equal(a.router.stats().far, 0);
    assert.equal(a.runtime.inspect(chat.ref)?.monitors, 1, 'once for a node');
    chat.ref.tell((context) => context.stop({ type: 'crash', error: new Error('x') }));
    scene.settle();
    assert.deepEqual(line.heard.slice(1), [`down ${KEY} crash`, `down ${KEY} crash`]);
    a.chats.ear(KEY);
    watch();
    a.chats.ear(KEY).ref.tell((context) => context.stop());
    scene.settle();
    assert.deepEqual(line.heard.slice(3), [`down ${KEY} normal`]);
  });

  test('a connection that ends is gone wherever it was named, and is forgotten there and at home', () => {
    const { scene, a, b, c } = three();
    const line = c.connection();
    c.router.routed.chats.tell(KEY, send(line.ref));
    scene.settle();
    const { connection } = a.chats.ear(KEY).heard[0] as { connection: ConnectionRef };
    a.router.routed.users.lookup('bob')!.tell(delivery(1, connection));
    b.users.ear('bob');
    scene.settle();
    const { origin } = (b.users.ear('bob').heard[0] as Delivery).entries[0]!;
    const chat = a.chats.ear(KEY);
    chat.ref.tell((context) => void context.monitor(connection));
    scene.settle();
    c.runtime.exit(line.ref, { type: 'shutdown' });
    scene.settle();
    assert.deepEqual(chat.heard.slice(1), [`down c/${connection.incarnation} shutdown`]);
    assert.deepEqual([connection.alive, origin!.alive], [false, false]);
    assert.deepEqual(
      [a.ended, b.ended].map((ended) => ended.length),
      [1, 1],
    );
    assert.equal(connection.tell({ type: 'resync' }), 'dead');
    for (const node of [a, b, c]) assert.deepEqual([node.router.stats().far, node.router.stats().exported], [0, 0]);
  });

  test('one that a third node names when it has ended is known to be so', () => {
    const { scene, a, b, c } = three();
    const line = c.connection();
    c.router.routed.chats.tell(KEY, send(line.ref));
    scene.settle();
    const { connection } = a.chats.ear(KEY).heard[0] as { connection: ConnectionRef };
    b.users.ear('bob');
    scene.cable('a', 'c').stuck = true;
    c.runtime.exit(line.ref, { type: 'shutdown' });
    scene.settle();
    a.router.routed.users.lookup('bob')!.tell(delivery(1, connection));
    scene.settle();
    assert.equal((b.users.ear('bob').heard[0] as Delivery).entries[0]!.origin?.alive, false);
    assert.equal(b.router.stats().far, 0);
  });

  test('one that a third node names is none of the next life of its node', () => {
    const { scene, a, b, c } = three();
    const line = c.connection();
    c.router.routed.chats.tell(KEY, send(line.ref));
    scene.settle();
    const { connection } = a.chats.ear(KEY).heard[0] as { connection: ConnectionRef };
    const bob = b.users.ear('bob');
    scene.cable('b', 'c').break();
    c.life = 2;
    scene.cable('b', 'c').mend();
    a.router.routed.users.lookup('bob')!.tell(delivery(1, connection));
    scene.settle();
    assert.equal((bob.heard[0] as Delivery).entries[0]!.origin?.alive, false);
    assert.equal(b.router.stats().far, 0);
  });

  test('a link that breaks ends all that stood behind it, on both sides', () => {
    const { scene, a, b } = three();
    const line = b.connection();
    b.router.routed.chats.tell(KEY, send(line.ref));
    line.ref.tell((context) => void context.monitor(b.router.routed.chats.lookup(KEY)!));
    scene.settle();
    const chat = a.chats.ear(KEY);
    const { connection } = chat.heard[0] as { connection: ConnectionRef };
    chat.ref.tell((context) => void context.monitor(connection));
    scene.settle();
    scene.cable('a', 'b').break();
    scene.settle();
    assert.deepEqual(line.heard, [`down ${KEY} noconnection`]);
    assert.deepEqual(chat.heard.slice(1), [`down b/${connection.incarnation} noconnection`]);
    assert.equal(a.runtime.inspect(chat.ref)?.monitors, 0);
    assert.equal(b.runtime.inspect(line.ref)?.monitors, 0);
    assert.equal(b.router.routed.chats.lookup(KEY)?.alive, false);
    scene.cable('a', 'b').mend();
    assert.equal(b.router.routed.chats.tell(KEY, send(line.ref)), 'ok');
    scene.settle();
    const again = chat.heard[2] as { connection: ConnectionRef };
    assert.notEqual(again.connection, connection);
    assert.ok(again.connection.alive);
  });

  test('a shard that moves: its monitors hear of it, also where nobody knew', () => {
    const { scene, a, b, c } = three();
    const line = b.connection();
    const watch = (): void => {
      line.ref.tell((context) => void context.monitor(b.router.routed.chats.lookup(KEY)!));
      scene.settle();
    };
    a.chats.ear(KEY);
    watch();
    scene.give('c', { chat: KEY });
    scene.settle();
    assert.deepEqual(line.heard, [`down ${KEY} shutdown`]);
    // b believes that it went back.
    scene.give('a', { chat: KEY }, ['b']);
    watch();
    assert.deepEqual(line.heard, [`down ${KEY} shutdown`, `down ${KEY} shutdown`]);
    assert.ok(b.beliefs.hints > 0);
    assert.equal(c.chats.ears.size, 0);
  });
});
