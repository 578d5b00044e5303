// Owns the tests of a session's course over connections: start, loss, resume, refusals, takeover.
// Invariant: the clock moves by hand; nothing waits for the machine.
// Must not: reach into the client.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WeftError } from '../../client/errors.js';
import { openSession } from '../../client/open.js';
import { MemoryStore } from '../../client/store-memory.js';
import { ManualWorld } from '../actors/manual-world.js';
import { advance, bench, settle } from './bench.js';
import { FakeServer } from './fake-server.js';

describe('start', () => {
  test('connects, greets in one round trip, and gets what was missing, once and in order', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    for (const text of ['one', 'two', 'three']) server.post(server.chat('bob'), text);
    const { seen, session } = await bench({ world, server });
    assert.deepEqual(
      server.last.frames.slice(0, 2).map((frame) => frame.type),
      [1, 6],
    );
    assert.deepEqual(seen, ['bob:1:one', 'bob:2:two', 'bob:3:three']);
    assert.equal(session.state, 'online');
    assert.equal(session.user, 'alice');
  });

  test('messages wait for a listener, and go on after it was added', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    server.post(server.chat('bob'), 'early');
    const { session } = await bench({ world, server, listen: false });
    await advance(world, 1_000);
    assert.equal(server.last.of(3).length, 0);
    const seen: string[] = [];
    session.on('message', ({ text }) => void seen.push(text));
    await advance(world, 100);
    assert.deepEqual(seen, ['early']);
    assert.deepEqual(
      server.last.of(3).map(({ seq }) => seq),
      [1],
    );
  });

  test('offline: resolves at once, sends wait and go out in order when the server is there', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    server.up = false;
    const { session } = await bench({ world, server, offline: true });
    const sent = ['a', 'b', 'c'].map((text) => session.direct('bob').send(text));
    await advance(world, 5_000);
    server.up = true;
    await advance(world, 60_000);
    assert.deepEqual(await Promise.all(sent), [{ seq: 1 }, { seq: 2 }, { seq: 3 }]);
    const texts = server.chat('bob').rows.map(({ body }) => new TextDecoder().decode(body));
    assert.deepEqual(texts, ['a', 'b', 'c']);
  });

  test('rejects with a time-out and leaves nothing running', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    server.up = false;
    const { dial } = server;
    const opening = openSession({
      world,
      dial,
      store: new MemoryStore(),
      url: 'ws://test',
      token: 't',
      timeout: 2_000,
    });
    const failed = assert.rejects(opening, { name: 'WeftError', code: 'timeout' });
    await advance(world, 3_000);
    await failed;
    const { length } = server.dials;
    await advance(world, 100_000);
    assert.equal(server.dials.length, length);
    assert.equal(world.pending, 0);
  });

  test('a server that never welcomes is given up and dialled again', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    server.intercept = () => server.connections.length === 1;
    const { session } = await bench({ world, server, offline: true });
    await advance(world, 45_000);
    assert.equal(server.connections.length, 2);
    assert.equal(session.state, 'online');
  });
});

describe('loss', () => {
  // The first connection is cut when this many frames came from the client, then when this many went to it.
  for (const step of [1, 2, 3, 4, 5, 6, 7, 8]) {
    test(`a cut after frame ${step} of the client loses and repeats nothing`, async () => {
      const world = new ManualWorld();
      const server = new FakeServer(world);
      server.post(server.chat('bob'), 'hello');
      let frames = 0;
      server.intercept = (_frame, connection) => {
        if (server.connections.length > 1 || ++frames < step) return false;
        connection.cut();
        return true;
      };
      const { session, seen } = await bench({ world, server, offline: true });
      const chat = session.direct('bob');
      const sent = ['x', 'y'].map((text) => chat.send(text));
      await advance(world, 40_000);
      await advance(world, 60_000);
      if (server.connections.length === 1) server.last.cut();
      server.post(server.chat('bob'), 'later');
      await advance(world, 60_000);
      const seqs = (await Promise.all(sent)).map(({ seq }) => seq);
      assert.deepEqual(seqs, [2, 3]);
      assert.deepEqual(seen, ['bob:1:hello', 'bob:4:later']);
      assert.equal(server.chat('bob').rows.length, 4);
    });
  }

  test('after a lost SENT the message is sent again under its id and answered with its first number', async () => {
    const { world, server, session } = await bench();
    server.echo = false;
    server.intercept = (frame, connection) => {
      if (frame.type !== 2 || server.connections.length > 1) return false;
      server.handle(connection, frame);
      connection.cut();
      return true;
    };
    const sent = session.direct('bob').send('once');
    await advance(world, 60_000);
    assert.deepEqual(await sent, { seq: 1 });
    const ids = server.connections.flatMap((connection) =>
      connection.of(2).map(({ id }) => Buffer.from(id).toString('hex')),
    );
    assert.equal(ids.length, 2);
    assert.equal(new Set(ids).size, 1);
    assert.equal(server.chat('bob').rows.length, 1);
  });

  // Element's clients kept such a message as unsent for ever (element-android#4928, matrix-rust-sdk#3941).
  test('after a lost SENT the own message in the stream settles the send and is not shown as new', async () => {
    const { world, server, session, seen } = await bench();
    server.intercept = (frame, connection) => {
      if (frame.type !== 2 || server.connections.length > 1) return frame.type === 2;
      server.handle(connection, frame);
      connection.cut();
      return true;
    };
    const sent = session.direct('bob').send('once');
    await advance(world, 60_000);
    assert.deepEqual(await sent, { seq: 1 });
    assert.deepEqual(session.pending(), []);
    assert.deepEqual(seen, []);
  });

  // Late events of a socket that was given up made nats.ws (#61, #172) run several connections at once.
  test('what an abandoned link still says is ignored, and there is one connection at a time', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    const links: Parameters<FakeServer['dial']>[2][] = [];
    const dial: FakeServer['dial'] = (url, protocol, events) => {
      links.push(events);
      return server.dial(url, protocol, events);
    };
    const { session, states } = await bench({ world, server, dial });
    server.last.intercept = () => true;
    await advance(world, 90_000);
    assert.equal(server.connections.length, 2);
    const before = states.length;
    links[0]!.closed(1006, '');
    links[0]!.message(new Uint8Array([1, 2, 3]));
    links[0]!.open();
    await advance(world, 10_000);
    assert.equal(states.length, before);
    assert.equal(server.connections.filter((connection) => connection.open).length, 1);
    assert.equal(session.state, 'online');
  });

  test('a connection gone silent is noticed by heartbeat and replaced', async () => {
    const { world, server, session } = await bench();
    server.last.intercept = (frame) => frame.type === 15;
    await advance(world, 30_000 + 10_000 + 2_000);
    assert.equal(server.connections.length, 2);
    assert.equal(session.state, 'online');
    await advance(world, 200_000);
    assert.equal(server.connections.length, 2, 'an answered heartbeat keeps the connection');
    assert.ok(server.last.of(15).length >= 5);
  });

  test('GOAWAY: waits for answers, stays away as long as asked, comes back', async () => {
    const { world, server, session, states } = await bench();
    const first = server.last;
    const asked = world.time;
    let held: (() => void) | undefined;
    first.intercept = (frame) => {
      if (frame.type !== 2) return false;
      held = () => server.handle(first, frame);
      return true;
    };
    const sent = session.direct('bob').send('x');
    await settle(world);
    first.send({ type: 47, after: 4_000, reason: 'drain', target: '' });
    await settle(world);
    const late = session.direct('bob').send('y');
    await advance(world, 500);
    assert.equal(first.open, true);
    held?.();
    await advance(world, 100);
    assert.deepEqual(await sent, { seq: 1 });
    assert.equal(first.open, false);
    assert.deepEqual(states, ['waiting']);
    await advance(world, 10_000);
    assert.deepEqual(await late, { seq: 2 });
    assert.ok(server.dials[1]! - asked >= 4_000);
    assert.equal(first.of(2).length, 1);
  });

  test('GOAWAY with a target: once, and not to where more could read the token', async () => {
    const { world, server, session } = await bench();
    const leave = async (target: string): Promise<void> => {
      server.last.send({ type: 47, after: 0, reason: 'drain', target });
      await advance(world, 10_000);
      assert.equal(session.state, 'online');
    };
    const home = server.urls[0];
    await leave('ws://other/v1');
    await leave('');
    await leave('http://other/v1');
    assert.deepEqual(server.urls, [home, 'ws://other/v1', home, home]);
    // The one that it names does not answer.
    server.up = false;
    server.last.send({ type: 47, after: 0, reason: 'drain', target: 'wss://gone/v1' });
    await advance(world, 20_000);
    server.up = true;
    await advance(world, 30_000);
    const [first, ...others] = server.urls.slice(4);
    assert.equal(first, 'wss://gone/v1');
    assert.ok(others.length > 0 && others.every((url) => url === home), server.urls.join());
    const safe = await bench({ url: 'wss://here/v1' });
    safe.server.last.send({ type: 47, after: 0, reason: 'drain', target: 'ws://other/v1' });
    await advance(safe.world, 10_000);
    assert.deepEqual(safe.server.urls, ['wss://here/v1', 'wss://here/v1']);
  });
});

describe('refusals', () => {
  test('a refused token ends the session where the token is a string', async () => {
    const { world, server, session, states } = await bench();
    server.intercept = (_frame, connection) => {
      connection.send({ type: 42, r: 0, code: 'bad_token', retry: false, after: 0, detail: 'signature' });
      connection.end(4401);
      return true;
    };
    const sent = assert.rejects(session.direct('bob').send('x'), { code: 'bad_token' });
    server.last.cut();
    await advance(world, 60_000);
    await sent;
    assert.equal(session.state, 'failed');
    assert.equal(states.at(-1), 'failed');
    assert.equal(server.connections.length, 2);
    await assert.rejects(session.direct('bob').send('y'), WeftError);
  });

  test('where it is a function, a fresh one is asked for each connection', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    let count = 0;
    server.intercept = (frame, connection) => {
      if (frame.type !== 1 || frame.token === 'token 3') return false;
      connection.send({ type: 42, r: 0, code: 'token_expired', retry: false, after: 0, detail: '' });
      connection.end(4401);
      return true;
    };
    const { session } = await bench({ world, server, offline: true, token: async () => `token ${++count}` });
    await advance(world, 60_000);
    assert.equal(session.state, 'online');
    assert.equal(count, 3);
  });

  test('a busy server says when: then it is, and hardly later, however often', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    let refusals = 8;
    server.intercept = (frame, connection) => {
      if (frame.type !== 1 || refusals === 0) return false;
      refusals -= 1;
      connection.send({ type: 42, r: 0, code: 'busy', retry: true, after: 8_000, detail: '' });
      connection.end(1001);
      return true;
    };
    const { session } = await bench({ world, server, offline: true });
    await advance(world, 80_000, 50);
    assert.equal(session.state, 'online');
    const waits = server.dials.slice(1).map((at, before) => at - server.dials[before]!);
    assert.equal(waits.length, 8);
    for (const ms of waits) assert.ok(ms >= 8_000 && ms <= 9_050, `${ms} ms`);
  });

  // centrifuge-js#24: the refresh brought a closed client back.
  test('a session closed while its token is fetched never dials', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    let give = (_token: string): void => {};
    const token = (): Promise<string> =>
      new Promise((resolve) => {
        give = resolve;
      });
    const { session } = await bench({ world, server, offline: true, token });
    await session.close();
    give('late');
    await advance(world, 60_000);
    assert.equal(server.dials.length, 0);
    assert.equal(session.state, 'closed');
  });

  test('the token is renewed before it ends, by the server’s clock', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    server.expires = world.wall() + 600_000;
    let count = 0;
    server.intercept = (frame, connection) => {
      if (frame.type !== 16) return false;
      server.expires = world.wall() + 600_000;
      connection.send({ type: 41, r: frame.r, results: [server.expires] });
      return true;
    };
    await bench({ world, server, token: () => `token ${++count}` });
    await advance(world, 530_000);
    assert.equal(count, 1);
    await advance(world, 20_000);
    assert.deepEqual(
      server.last.of(16).map(({ token }) => token),
      ['token 2'],
    );
    await advance(world, 560_000, 1_000);
    assert.equal(server.last.of(16).length, 2);
    assert.equal(server.connections.length, 1);
  });

  test('a token that lasts for years sets no timer that fires at once', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    server.expires = world.wall() + 10 * 365 * 86_400_000;
    const longest: number[] = [];
    const timer = world.timer.bind(world);
    world.timer = (ms, task) => {
      longest.push(ms);
      return timer(ms, task);
    };
    let count = 0;
    await bench({ world, server, token: () => `token ${++count}` });
    assert.ok(Math.max(...longest) < 2 ** 31);
    await advance(world, 20_000_000, 500_000);
    assert.equal(server.last.of(16).length, 0);
  });

  test('a newer connection of the device ends this one for good', async () => {
    const { world, server, session, states, errors } = await bench();
    server.last.cut(4409);
    await advance(world, 300_000);
    assert.deepEqual(states, ['replaced']);
    assert.equal(server.connections.length, 1);
    assert.deepEqual(errors, []);
    await assert.rejects(session.direct('bob').send('x'), { code: 'replaced' });
    session.reconnect();
    await advance(world, 1_000);
    assert.equal(server.connections.length, 1);
  });

  test('a store of another user is refused before anything of it is sent', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    const store = new MemoryStore();
    const first = await bench({ world, server, store });
    server.intercept = (frame) => frame.type === 2;
    const unsent = first.session.direct('bob').send('secret');
    unsent.catch(() => {});
    await settle(world);
    await first.session.close();
    server.intercept = undefined;
    server.user = 'mallory';
    const { dial } = server;
    const opening = openSession({ world, dial, store, url: 'ws://test', token: 't' });
    const refused = assert.rejects(opening, { code: 'store_mismatch' });
    await advance(world, 5_000);
    await refused;
    assert.equal(server.last.of(2).length, 0);
    assert.equal(server.chat('bob').rows.length, 0);
  });

  test('bytes that are no frame cost the connection, not the session', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    const links: Parameters<FakeServer['dial']>[2][] = [];
    const dial: FakeServer['dial'] = (url, protocol, events) => {
      links.push(events);
      return server.dial(url, protocol, events);
    };
    const { session, errors } = await bench({ world, server, dial });
    links[0]!.message(new Uint8Array([0xc1]));
    await advance(world, 5_000);
    assert.deepEqual(errors, ['bad_response']);
    assert.equal(session.state, 'online');
    assert.equal(server.connections.length, 2);
  });
});
