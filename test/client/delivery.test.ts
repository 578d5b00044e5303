// Owns the tests of what reaches the application: once, in order, paced, acknowledged.
// Invariant: a test that expects nothing to happen lets the clock run first.
// Must not: reach into the client: it sees frames and events alone.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { Delivery } from '../../client/delivery.js';
import { MemoryStore } from '../../client/store-memory.js';
import type { ServerFrame } from '../../transport/frames.js';
import { ManualWorld } from '../actors/manual-world.js';
import { advance, bench, live, settle } from './bench.js';
import { type FakeChat, FakeServer } from './fake-server.js';

function pushed(chat: FakeChat, seq: number): ServerFrame {
  const row = chat.rows[seq - 1]!;
  return { type: 34, chat: chat.id, from: row.from, seq, id: row.id, lag: 0, body: row.body };
}

/** Rows that the server has and does not push by itself. */
function stock(server: FakeServer, chat: FakeChat, from: number, to: number): void {
  for (let seq = from; seq <= to; seq++) {
    chat.rows.push({ from: 'bob', id: server.world.randomBytes(16), body: new TextEncoder().encode(`m${seq}`) });
  }
  server.last.next.set(chat, to + 1);
}

describe('order', () => {
  test('duplicates are dropped, and what comes ahead of a gap waits until the gap was pulled', async () => {
    const { server, seen, world } = await bench();
    const chat = server.chat('bob');
    server.post(chat, 'm1');
    await settle(world);
    stock(server, chat, 2, 6);
    for (const seq of [1, 2, 2, 5, 6, 5, 1]) server.last.send(pushed(chat, seq));
    await settle(world);
    assert.deepEqual(seen, ['bob:1:m1', 'bob:2:m2', 'bob:3:m3', 'bob:4:m4', 'bob:5:m5', 'bob:6:m6']);
    assert.equal(server.last.of(10).length, 1, 'one pull');
    assert.deepEqual(
      server.last.of(10).map(({ before, limit }) => before - limit),
      [3],
    );
  });

  test('nothing is emitted early while the pull is under way', async () => {
    const { server, seen, world } = await bench();
    const chat = server.chat('bob');
    server.post(chat, 'm1');
    await settle(world);
    stock(server, chat, 2, 3);
    server.last.intercept = (frame) => frame.type === 10;
    server.last.send(pushed(chat, 3));
    await advance(world, 500);
    assert.deepEqual(seen, ['bob:1:m1']);
    server.last.send(pushed(chat, 2));
    await settle(world);
    assert.deepEqual(seen, ['bob:1:m1', 'bob:2:m2', 'bob:3:m3']);
  });

  test('a gap that HISTORY does not fill is settled by SYNC: the certificate says what never comes', async () => {
    const { server, seen, world, session } = await bench();
    const holes: string[] = [];
    session.on('truncated', ({ from, to }) => void holes.push(`${from}-${to}`));
    const chat = server.chat('bob');
    server.post(chat, 'm1');
    await settle(world);
    stock(server, chat, 2, 8);
    chat.start = 6;
    server.last.send(pushed(chat, 8));
    await advance(world, 3_000);
    assert.deepEqual(seen, ['bob:1:m1', 'bob:6:m6', 'bob:7:m7', 'bob:8:m8']);
    assert.deepEqual(holes, ['2-5']);
    assert.equal(server.last.of(6).length, 2);
  });

  test('more ahead of a gap than is held is dropped and pulled later, without a deadlock of credit', async () => {
    const { server, seen, world } = await bench({ credit: 200 });
    const chat = server.chat('bob');
    server.post(chat, 'm1');
    await settle(world);
    stock(server, chat, 2, 400);
    server.last.intercept = (frame) => frame.type === 10;
    for (let seq = 10; seq <= 200; seq++) server.last.send(pushed(chat, seq));
    await settle(world);
    server.last.intercept = undefined;
    server.last.cut();
    await advance(world, 60_000);
    assert.equal(seen.length, 400);
    assert.deepEqual(
      seen,
      Array.from({ length: 400 }, (_, i) => `bob:${i + 1}:m${i + 1}`),
    );
  });

  test('RESYNC is answered with the present vector', async () => {
    const { server, seen, world } = await bench();
    const chat = server.chat('bob');
    server.post(chat, 'm1');
    await advance(world, 2 * LIMITS.clientAckMs);
    stock(server, chat, 2, 3);
    server.last.send({ type: 46 });
    await settle(world);
    const syncs = server.last.of(6);
    assert.equal(syncs.length, 2);
    assert.equal([...syncs[1]!.entries][0]!.seq, 1);
    assert.deepEqual(seen, ['bob:1:m1', 'bob:2:m2', 'bob:3:m3']);
  });

  test('an own message takes its place in the order and is not shown', async () => {
    const { server, seen, world, session } = await bench();
    const chat = server.chat('bob');
    server.post(chat, 'm1');
    assert.deepEqual(await Promise.all([session.direct('bob').send('mine'), advance(world, 50)]), [
      { seq: 2 },
      undefined,
    ]);
    server.post(chat, 'm3');
    await settle(world);
    assert.deepEqual(seen, ['bob:1:m1', 'bob:3:m3']);
    assert.equal(server.last.of(10).length, 0, 'no gap was seen');
  });

  test('a SENT above a hole waits for the rest, then pulls it', async () => {
    const { server, seen, world, session } = await bench();
    const chat = server.chat('bob');
    server.post(chat, 'm1');
    await settle(world);
    stock(server, chat, 2, 2);
    const sent = session.direct('bob').send('mine');
    await advance(world, 500);
    assert.deepEqual(await sent, { seq: 3 });
    assert.equal(server.last.of(10).length, 0);
    await advance(world, 3_000);
    assert.deepEqual(seen, ['bob:1:m1', 'bob:2:m2']);
  });

  test('the first message of a group that somebody adds the user to begins the log there', async () => {
    const { server, world, session } = await bench();
    const events: string[] = [];
    session.on(
      'event',
      ({ chat, seq, change, users }) => void events.push(`${chat.kind} ${chat.name} ${seq} ${change} ${users}`),
    );
    const chat = new Uint8Array(16).fill(9);
    server.last.send({ type: 39, alias: 3, chat, kind: 2, name: 'tea' });
    server.last.send({ type: 40, alias: 1, user: 'carol' });
    const id = world.randomBytes(16);
    server.last.send({ type: 35, chat: 3, from: 1, seq: 57, id, lag: 0, op: 2, args: [['alice']] });
    await advance(world, 2 * LIMITS.clientAckMs);
    assert.deepEqual(events, ['group tea 57 added alice']);
    assert.deepEqual(
      server.last.of(3).map(({ seq }) => seq),
      [57],
    );
    assert.equal(server.last.of(6).length, 1);
  });

  test('a chat that comes without a name is asked for it', async () => {
    const { server, world, session } = await bench();
    const named: string[] = [];
    session.on('chat', ({ chat }) => void named.push(`${chat.kind} ${chat.name}`));
    server.intercept = (frame, connection) => {
      if (frame.type !== 12) return false;
      connection.send({ type: 41, r: frame.r, results: [1, 'dave', 2, []] });
      return true;
    };
    const chat = new Uint8Array(16).fill(8);
    for (const seq of [1, 2]) {
      server.last.send({
        type: 34,
        chat,
        from: 'dave',
        seq,
        id: world.randomBytes(16),
        lag: 0,
        body: new Uint8Array(),
      });
    }
    await settle(world);
    assert.deepEqual(named, ['direct dave']);
    assert.equal(server.last.of(12).length, 1);
    assert.equal(session.direct('dave').head, 2);
  });

  test('an alias that was not given costs the connection, and nothing is lost', async () => {
    const { server, world, seen, errors } = await bench();
    server.post(server.chat('bob'), 'm1');
    await settle(world);
    server.last.send({
      type: 34,
      chat: 7,
      from: 'bob',
      seq: 2,
      id: world.randomBytes(16),
      lag: 0,
      body: new Uint8Array(),
    });
    await settle(world);
    assert.deepEqual(errors, ['bad_response']);
    server.post(server.chat('bob'), 'm2');
    await advance(world, 5_000);
    assert.deepEqual(seen, ['bob:1:m1', 'bob:2:m2']);
  });
});

describe('handling', () => {
  test('a listener’s promise holds back the chat, not the others; acks follow what is handled', async () => {
    const { server, world, session } = await bench({ listen: false });
    const seen: string[] = [];
    let release = (): void => {};
    session.on('message', ({ chat, seq }) => {
      seen.push(`${chat.name}:${seq}`);
      if (chat.name !== 'bob' || seq > 1) return undefined;
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    for (const name of ['bob', 'bob', 'carol', 'carol']) server.post(server.chat(name), 'x');
    await advance(world, 2 * LIMITS.clientAckMs);
    assert.deepEqual(seen, ['bob:1', 'carol:1', 'carol:2']);
    assert.deepEqual(
      server.last.of(3).map(({ seq }) => seq),
      [2],
    );
    release();
    await advance(world, 2 * LIMITS.clientAckMs);
    assert.deepEqual(seen.at(-1), 'bob:2');
    assert.deepEqual(server.last.of(3).length, 2);
  });

  test('what was not handled yet is not claimed at a reconnect, and not shown twice when it comes again', async () => {
    const { server, world, session } = await bench({ listen: false });
    const seen: number[] = [];
    let release = (): void => {};
    session.on('message', ({ seq }) => {
      seen.push(seq);
      if (seq !== 2) return undefined;
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    for (let i = 0; i < 4; i++) server.post(server.chat('bob'), 'x');
    await settle(world);
    server.last.cut();
    await advance(world, 5_000);
    assert.equal([...server.last.of(6)[0]!.entries][0]?.seq, 1);
    release();
    await settle(world);
    assert.deepEqual(seen, [1, 2, 3, 4]);
  });

  test('a listener that throws is reported and does not stop the others', async () => {
    const { server, world, session, seen, errors } = await bench();
    session.on('message', () => {
      throw new Error('oops');
    });
    session.on('message', async () => {
      throw new Error('oops');
    });
    server.post(server.chat('bob'), 'm1');
    server.post(server.chat('bob'), 'm2');
    await advance(world, 2 * LIMITS.clientAckMs);
    assert.equal(seen.length, 2);
    assert.deepEqual(errors, Array(4).fill('listener_failed'));
    assert.equal(server.last.of(3).at(-1)?.seq, 2);
  });

  test('an async iterator takes one message at a time', async () => {
    const { server, world, session } = await bench({ listen: false });
    for (let i = 0; i < 3; i++) server.post(server.chat('bob'), `m${i}`);
    const iterator = session.messages();
    const got: number[] = [];
    for (let i = 0; i < 2; i++) {
      const next = iterator.next();
      await advance(world, 2 * LIMITS.clientAckMs);
      got.push((await next).value?.seq ?? -1);
    }
    assert.deepEqual(got, [1, 2]);
    assert.equal(server.last.of(3).at(-1)?.seq, 1, 'the second is still being handled');
    await session.close();
    await iterator.return();
  });

  test('what was not handled at a crash comes again, what was handled does not', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    const store = new MemoryStore();
    const first = await bench({ world, server, store, listen: false });
    const seen: number[] = [];
    first.session.on('message', ({ seq }) => {
      seen.push(seq);
      return seq < 3 ? undefined : new Promise(() => {});
    });
    for (let i = 0; i < 5; i++) server.post(server.chat('bob'), 'x');
    await advance(world, 2 * LIMITS.clientAckMs);
    assert.deepEqual(seen, [1, 2, 3]);
    // The crash: no close, the store as it is.
    server.last.cut(4409);
    await settle(world);
    const second = await bench({ world, server, store });
    assert.deepEqual(second.seen, ['bob:3:x', 'bob:4:x', 'bob:5:x']);
  });
});

describe('pace', () => {
  test('acks are gathered: one for a burst, one at once after 32', async () => {
    const { server, world } = await bench();
    const chat = server.chat('bob');
    for (let i = 0; i < 10; i++) server.post(chat, 'x');
    await settle(world);
    assert.equal(server.last.of(3).length, 0);
    await advance(world, LIMITS.clientAckMs + 5);
    assert.deepEqual(
      server.last.of(3).map(({ seq }) => seq),
      [10],
    );
    for (let i = 0; i < 32; i++) server.post(chat, 'x');
    await settle(world);
    assert.equal(server.last.of(3).at(-1)?.seq, 42);
  });

  test('credit is granted in HELLO, returned by halves, and bounds what waits for a slow listener', async () => {
    const { server, world, session } = await bench({ credit: 10, listen: false });
    const chat = server.chat('bob');
    for (let i = 0; i < 100; i++) server.post(chat, 'x');
    await advance(world, 1_000);
    assert.equal(server.last.of(1)[0]?.credit, 10);
    assert.equal(server.last.next.get(chat), 11);
    assert.equal(server.last.of(5).length, 0);
    server.last.cut();
    await advance(world, 5_000);
    assert.equal(server.last.of(1)[0]?.credit, 0, 'what waits here counts');
    let count = 0;
    session.on('message', () => void count++);
    await advance(world, 1_000);
    assert.equal(count, 100);
    assert.ok(server.last.of(5).every(({ n }) => n === 5));
  });

  test('read: cumulative, gathered, implies the ack, told again after a reconnect', async () => {
    const { server, world, session } = await bench({ listen: false });
    session.on('message', (message) => message.read());
    for (let i = 0; i < 3; i++) server.post(server.chat('bob'), 'x');
    await advance(world, 2 * LIMITS.clientAckMs);
    assert.deepEqual(
      server.last.of(4).map(({ seq }) => seq),
      [3],
    );
    assert.equal(server.last.of(3).length, 0);
    server.last.cut();
    await advance(world, 5_000);
    assert.deepEqual({ ...[...server.last.of(6)[0]!.entries][0]!, chat: 0 }, { chat: 0, seq: 3, read: 3, flags: 0 });
  });
});

describe('receipts', () => {
  test('rise only, are told on change only, and make ticks', async () => {
    const { server, world, session } = await bench();
    const told: string[] = [];
    session.on('receipt', ({ user, delivered, read }) => void told.push(`${user} ${delivered} ${read}`));
    const chat = session.direct('bob');
    chat.send('x').catch(() => {});
    await settle(world);
    assert.equal(chat.tick(1).state, 'sent');
    const { id } = server.chat('bob');
    const receipt = (delivered: number, read: number) =>
      server.last.send({ type: 36, chat: id, user: 'bob', delivered, read });
    receipt(1, 0);
    await settle(world);
    assert.equal(chat.tick(1).state, 'delivered');
    for (const [delivered, read] of [
      [1, 0],
      [0, 0],
      [1, 1],
      [1, 0],
    ] as const)
      receipt(delivered, read);
    await settle(world);
    assert.equal(chat.tick(1).state, 'read');
    assert.deepEqual(told, ['bob 1 0', 'bob 1 1']);
  });

  test('are asked for at resume only where own messages are not read by all', async () => {
    const { server, world, session } = await bench();
    session
      .direct('bob')
      .send('x')
      .catch(() => {});
    server.post(server.chat('carol'), 'y');
    await settle(world);
    const flags = (): number[] => [...server.last.of(6)[0]!.entries].map((entry) => entry.flags).sort();
    server.last.cut();
    await advance(world, 5_000);
    assert.deepEqual(flags(), [0, 1]);
    server.last.send({ type: 36, chat: server.chat('bob').id, user: 'bob', delivered: 1, read: 1 });
    await settle(world);
    server.last.cut();
    await advance(world, 5_000);
    assert.deepEqual(flags(), [0, 0]);
  });

  test('are asked for at resume where something is unanswered: it may be read already', async () => {
    const { server, world, session } = await bench();
    await Promise.all([session.direct('bob').send('x'), settle(world)]);
    server.last.send({ type: 36, chat: server.chat('bob').id, user: 'bob', delivered: 1, read: 1 });
    await settle(world);
    const { last } = server;
    last.intercept = (frame) => frame.type === 2;
    session
      .direct('bob')
      .send('stored, and its SENT is lost')
      .catch(() => {});
    await settle(world);
    last.cut();
    await advance(world, 5_000);
    assert.deepEqual(
      [...server.last.of(6)[0]!.entries].map((entry) => entry.flags),
      [1],
    );
  });

  test('and of a direct chat that begins with it', async () => {
    const { server, world, session } = await bench();
    server.last.intercept = (frame) => frame.type === 2;
    session
      .direct('bob')
      .send('the first one')
      .catch(() => {});
    await settle(world);
    server.last.cut();
    await advance(world, 5_000);
    assert.deepEqual(
      [...server.last.of(6)[0]!.entries].map(({ seq, flags }) => [seq, flags]),
      [[0, 1]],
    );
  });

  test('that INFO tells of first are news to the application too', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    const told: string[] = [];
    session.on('receipt', ({ user, delivered, read }) => void told.push(`${user} ${delivered} ${read}`));
    const chat = session.direct('bob');
    await chat.send('x');
    const { last } = server;
    last.intercept = (frame) => {
      if (frame.type !== 12) return false;
      last.send({ type: 41, r: frame.r, results: [1, 'bob', 1, [['bob', 1, 1, 1]], '', 0, 0, 0, []] });
      return true;
    };
    await chat.info();
    last.send({ type: 36, chat: server.chat('bob').id, user: 'bob', delivered: 1, read: 1 });
    await settle(world);
    assert.deepEqual(told, ['bob 1 1']);
  });
});

test('what becomes free between HELLO and WELCOME is granted then, and not lost', () => {
  let listens = false;
  const granted: number[] = [];
  const grant = (n: number): boolean => {
    if (listens) granted.push(n);
    return listens;
  };
  const delivery = new Delivery({ handle: () => undefined, handled: () => undefined, grant }, 4);
  const content = { type: 'message', body: new Uint8Array(1) } as const;
  for (let seq = 1; seq <= 4; seq++)
    delivery.arrived({ from: 'bob', seq, id: new Uint8Array(16), lag: 0, paid: true, content });
  assert.equal(delivery.open(), 0);
  for (let i = 0; i < 3; i++) delivery.free(true);
  assert.deepEqual([granted, delivery.starved], [[], true]);
  listens = true;
  delivery.grant();
  assert.deepEqual([granted, delivery.starved], [[3], false]);
});
