// Owns the tests of sending: window, order through refusals, failures for good, restarts.
// Invariant: what landed is read from the server's log, not from what the client says.
// Must not: reach into the client.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { WeftError } from '../../client/errors.js';
import { openSession } from '../../client/open.js';
import type { StoreChange } from '../../client/store.js';
import { MemoryStore } from '../../client/store-memory.js';
import { ManualWorld } from '../actors/manual-world.js';
import { advance, bench, settle } from './bench.js';
import { FakeServer } from './fake-server.js';

const texts = (server: FakeServer, name: string): string[] =>
  server.chat(name).rows.map(({ body }) => new TextDecoder().decode(body));

describe('outbox', () => {
  test('at most `window` sends are unanswered, and chats take turns', async () => {
    const { server, world, session } = await bench({ pipeline: 8 });
    server.window = 4;
    server.last.cut();
    await advance(world, 5_000);
    const held: (() => void)[] = [];
    const { last } = server;
    last.intercept = (frame) => {
      if (frame.type === 2) held.push(() => server.handle(last, frame));
      return frame.type === 2;
    };
    const sent = ['a', 'b'].flatMap((user) => Array.from({ length: 5 }, (_, i) => session.direct(user).send(`${i}`)));
    await settle(world);
    assert.equal(held.length, 4);
    while (held.length > 0) {
      held.shift()?.();
      await settle(world);
      assert.ok(held.length <= 4);
    }
    assert.deepEqual(
      (await Promise.all(sent)).map(({ seq }) => seq),
      [1, 2, 3, 4, 5, 1, 2, 3, 4, 5],
    );
    assert.deepEqual(texts(server, 'a'), ['0', '1', '2', '3', '4']);
  });

  test('numbers start anew with each connection and turn over at 65,536', async () => {
    const { server, world, session } = await bench();
    const chat = session.direct('bob');
    chat.send('x').catch(() => {});
    await settle(world);
    server.last.cut();
    await advance(world, 5_000);
    for (let i = 0; i < 3; i++) chat.send('y').catch(() => {});
    await advance(world, 100);
    assert.equal(session.pending().length, 0);
    assert.equal(server.last.sends, 3);
  });

  test('after a refusal nothing is sent before what was on its way is answered, then all goes out in one go', async () => {
    const { server, world, session } = await bench({ pipeline: 3 });
    const known = session.direct('bob').send('0');
    await settle(world);
    assert.deepEqual(await known, { seq: 1 });
    const { last } = server;
    const refusals: (() => void)[] = [];
    last.intercept = (frame) => {
      if (frame.type !== 2) return false;
      refusals.push(() => server.refuse(last, frame, refusals.length === 2 ? 'rate_limited' : 'busy', 20));
      return true;
    };
    const sent = ['1', '2', '3', '4', '5'].map((text) => session.direct('bob').send(text));
    await settle(world);
    assert.equal(refusals.length, 3);
    refusals.shift()!();
    await advance(world, 2_000);
    assert.equal(refusals.length, 2, 'the answers of 2 and 3 are still to come');
    last.intercept = () => false;
    const before = last.sends;
    for (const refuse of refusals.splice(0)) refuse();
    await settle(world);
    assert.ok(last.sends > before, 'the pause was over long ago');
    await advance(world, 300);
    assert.deepEqual(
      (await Promise.all(sent)).map(({ seq }) => seq),
      [2, 3, 4, 5, 6],
    );
    assert.deepEqual(texts(server, 'bob'), ['0', '1', '2', '3', '4', '5']);
  });

  // The server's actor broke off between storing and answering: until the retry comes, it takes nothing that follows.
  for (const first of ['the refusal', 'the log'])
    test(`a refused message that the log tells of is sent again all the same, and what follows it goes on: ${first} first`, async () => {
      const { server, world, session } = await bench();
      const known = session.direct('bob').send('0');
      await settle(world);
      await known;
      let broken = true;
      let attempts = 0;
      server.intercept = (frame, connection) => {
        if (frame.type === 2) attempts += 1;
        if (frame.type !== 2 || !broken) return false;
        broken = false;
        const chat = server.chat('bob');
        chat.rows.push({ from: server.user, id: frame.id, body: frame.body });
        if (first === 'the log') server.push();
        server.refuse(connection, frame, 'unavailable', 500);
        server.push();
        return true;
      };
      const sent = ['1', '2'].map((text) => session.direct('bob').send(text));
      await advance(world, 10_000);
      assert.equal(session.pending().length, 0);
      assert.deepEqual(await Promise.all(sent), [{ seq: 2 }, { seq: 3 }]);
      assert.deepEqual(texts(server, 'bob'), ['0', '1', '2']);
      assert.ok(attempts >= 3, 'the server waits for it');
    });

  test('one that was found in the log is not refused for good afterwards', async () => {
    const { server, world, session } = await bench();
    const known = session.direct('bob').send('0');
    await settle(world);
    await known;
    let times = 0;
    server.intercept = (frame, connection) => {
      if (frame.type !== 2) return false;
      times += 1;
      if (times > 1) {
        const n = ++connection.sends;
        connection.send({ type: 49, n, code: 'not_member', retry: false, after: 0, detail: '' });
        return true;
      }
      server.chat('bob').rows.push({ from: server.user, id: frame.id, body: frame.body });
      server.refuse(connection, frame, 'unavailable', 500);
      server.push();
      return true;
    };
    const sent = session.direct('bob').send('1');
    await advance(world, 10_000);
    assert.equal(times, 2);
    assert.deepEqual(await sent, { seq: 2 });
  });

  // matrix-js-sdk#263: a failed message was overtaken by the next and sent minutes later.
  test('a message refused for now holds back the later ones of its chat, not other chats', async () => {
    const { server, world, session } = await bench({ pipeline: 1 });
    let refusals = 3;
    server.intercept = (frame, connection) => {
      if (frame.type !== 2 || server.find(frame.chat)?.name !== 'bob' || refusals-- <= 0) return false;
      server.refuse(connection, frame, 'busy', 200);
      return true;
    };
    const started = world.time;
    const sent = ['1', '2', '3'].map((text) => session.direct('bob').send(text));
    const other = session.direct('carol').send('x');
    await advance(world, 100);
    assert.deepEqual(await other, { seq: 1 });
    assert.deepEqual(texts(server, 'bob'), []);
    await advance(world, 10_000);
    assert.deepEqual(await Promise.all(sent), [{ seq: 1 }, { seq: 2 }, { seq: 3 }]);
    assert.deepEqual(texts(server, 'bob'), ['1', '2', '3']);
    const ids = server.last.of(2).filter(({ body }) => new TextDecoder().decode(body) === '1');
    assert.equal(new Set(ids.map(({ id }) => Buffer.from(id).toString('hex'))).size, 1);
    assert.equal(ids.length, 4);
    assert.ok(world.time - started >= 600);
  });

  test('with a pipeline, refused sends go again in their order', async () => {
    const { server, world, session } = await bench({ pipeline: 4 });
    let busy = true;
    server.intercept = (frame, connection) => {
      if (frame.type !== 2 || !busy) return false;
      server.refuse(connection, frame, 'unavailable', 500);
      return true;
    };
    const sent = ['1', '2', '3', '4', '5'].map((text) => session.direct('bob').send(text));
    await advance(world, 200);
    busy = false;
    await advance(world, 20_000);
    await Promise.all(sent);
    assert.deepEqual(texts(server, 'bob'), ['1', '2', '3', '4', '5']);
  });

  test('with a pipeline, too, a message that is retried goes alone', async () => {
    const { server, world, session } = await bench({ pipeline: 4 });
    const chat = session.direct('bob');
    const first = chat.send('0');
    await settle(world);
    await first;
    const held: (() => void)[] = [];
    let refused = false;
    server.last.intercept = (frame) => {
      if (frame.type !== 2) return false;
      if (!refused) {
        refused = true;
        server.refuse(server.last, frame, 'busy', 100);
      } else held.push(() => server.handle(server.last, frame));
      return true;
    };
    const head = chat.send('1');
    await settle(world);
    const rest = ['2', '3', '4'].map((text) => chat.send(text));
    await advance(world, 5_000);
    assert.equal(held.length, 1, 'those behind it wait');
    server.last.intercept = undefined;
    held[0]?.();
    await settle(world);
    assert.deepEqual(await Promise.all([head, ...rest]), [{ seq: 2 }, { seq: 3 }, { seq: 4 }, { seq: 5 }]);
  });

  test('a window full of messages that the log told of opens again with their answers', async () => {
    const { server, world, session } = await bench();
    server.window = 2;
    server.echo = false;
    server.last.cut();
    await advance(world, 5_000);
    const chat = session.direct('bob');
    // Stored, and the answers lost.
    server.last.intercept = (frame) => {
      if (frame.type !== 2) return false;
      server.chat('bob').rows.push({ from: 'alice', id: frame.id, body: frame.body });
      return true;
    };
    const sent = ['1', '2', '3'].map((text) => chat.send(text));
    await settle(world);
    server.last.cut();
    const held: (() => void)[] = [];
    server.intercept = (frame, connection) => {
      if (frame.type === 2 && held.length < 2) held.push(() => server.handle(connection, frame));
      return frame.type === 2 && held.length <= 2 && held.length > 0 && connection.sends === 0;
    };
    await advance(world, 5_000);
    assert.equal(held.length, 2);
    for (const [i, { from, id, body }] of server.chat('bob').rows.entries()) {
      server.last.send({ type: 34, chat: server.chat('bob').id, from, seq: i + 1, id, lag: 0, body });
    }
    await settle(world);
    assert.equal(session.pending().length, 1);
    for (const answer of held) answer();
    await advance(world, 1_000);
    assert.deepEqual(await Promise.all(sent), [{ seq: 1 }, { seq: 2 }, { seq: 3 }]);
  });

  test('a refusal for good rejects that message alone, and is told', async () => {
    const { server, world, session } = await bench();
    const failures: string[] = [];
    session.on('failed', ({ error }) => void failures.push(error.code));
    server.intercept = (frame, connection) => {
      if (frame.type !== 2 || new TextDecoder().decode(frame.body) !== 'bad') return false;
      connection.send({ type: 49, n: ++connection.sends, code: 'not_member', retry: false, after: 0, detail: 'gone' });
      return true;
    };
    const chat = session.direct('bob');
    const sent = [chat.send('a'), chat.send('bad'), chat.send('b')];
    const results = Promise.allSettled(sent);
    await advance(world, 100);
    const [a, bad, b] = await results;
    assert.deepEqual([a?.status, b?.status], ['fulfilled', 'fulfilled']);
    assert.ok(bad?.status === 'rejected');
    const { code, retry, name } = bad.reason as WeftError;
    assert.deepEqual({ code, retry, name }, { code: 'not_member', retry: false, name: 'WeftError' });
    assert.deepEqual(failures, ['not_member']);
    assert.deepEqual(session.pending(), []);
  });

  test('a refusal for good is told when the store has it: what was told has failed is not sent again', async () => {
    const store = new MemoryStore();
    const write = store.write.bind(store);
    let kept = (): void => {};
    store.write = async (changes) => {
      if (changes.some(({ type }) => type === 'refuse')) await new Promise<void>((resolve) => (kept = resolve));
      return write(changes);
    };
    const { server, world, session } = await bench({ store });
    const failures: string[] = [];
    session.on('failed', ({ error }) => void failures.push(error.message));
    server.intercept = (frame, connection) => {
      if (frame.type !== 2) return false;
      connection.send({ type: 49, n: ++connection.sends, code: 'blocked', retry: false, after: 0, detail: 'no' });
      return true;
    };
    const sent = assert.rejects(session.direct('bob').send('x'), { code: 'blocked' });
    await settle(world);
    assert.deepEqual([failures, session.pending()], [[], []]);
    kept();
    await settle(world);
    await sent;
    assert.deepEqual(failures, ['blocked: no']);
    assert.deepEqual(
      (await store.load()).outbox.map(({ refused }) => refused),
      [{ code: 'blocked', detail: 'no' }],
    );
  });

  test('of a refusal that the last run may not have told of the next one tells, and sends nothing', async () => {
    const store = new MemoryStore();
    const id = '01890000000070008000000000000001';
    await store.write([
      { type: 'add', send: { id, chat: '', user: 'bob', body: new Uint8Array(1) } },
      { type: 'refuse', id, code: 'blocked', detail: 'no' },
    ]);
    const world = new ManualWorld();
    const server = new FakeServer(world);
    const opening = openSession({ world, dial: server.dial, store, url: 'ws://test', token: 't' });
    const failures: string[] = [];
    void opening.then((session) => session.on('failed', ({ error }) => void failures.push(error.message)));
    await settle(world);
    await advance(world, 1_000);
    assert.deepEqual([failures, server.last.of(2)], [['blocked: no'], []]);
    assert.deepEqual((await store.load()).outbox, []);
  });

  test('the connection is lost before the first message is answered: the chat is asked for again, ahead of it', async () => {
    const { server, world, session } = await bench();
    server.intercept = (frame) => frame.type === 2;
    const sent = session.direct('bob').send('first');
    await settle(world);
    const types: number[] = [];
    server.intercept = (frame) => {
      if (frame.type === 2 || frame.type === 7) types.push(frame.type);
      return false;
    };
    server.last.cut();
    await advance(world, 5_000);
    assert.deepEqual(await sent, { seq: 1 });
    session
      .direct('bob')
      .send('second')
      .catch(() => {});
    await settle(world);
    assert.deepEqual(types, [7, 2, 2]);
  });

  test('a user that cannot be: DIRECT is refused, and so is what waited for it', async () => {
    const { server, world, session } = await bench();
    server.intercept = (frame, connection) => {
      if (frame.type !== 7) return false;
      connection.send({ type: 42, r: frame.r, code: 'unknown_user', retry: false, after: 0, detail: '' });
      return true;
    };
    const sent = assert.rejects(session.direct('no body').send('x'), { code: 'unknown_user' });
    await settle(world);
    await sent;
    assert.deepEqual(session.pending(), []);
  });

  test('a message from the other side while DIRECT is asked makes one chat of two', async () => {
    const { server, world, session, seen } = await bench();
    const chat = session.direct('bob');
    const held: (() => void)[] = [];
    server.last.intercept = (frame) => {
      if (frame.type === 7) held.push(() => server.handle(server.last, frame));
      return frame.type === 7;
    };
    const sent = chat.send('mine');
    await settle(world);
    const { id } = server.chat('bob');
    server.post(server.chat('bob'), 'theirs');
    await settle(world);
    assert.deepEqual(await sent, { seq: 2 });
    held[0]?.();
    await settle(world);
    assert.equal(chat.id, Buffer.from(id).toString('hex'));
    assert.equal(session.direct('bob').id, chat.id);
    assert.deepEqual(seen, ['bob:1:theirs']);
  });

  test('limits: too long a body, too many messages', async () => {
    const { session, server } = await bench();
    await assert.rejects(session.direct('bob').send(new Uint8Array(65_537)), { code: 'too_large' });
    server.last.cut();
    const chat = session.direct('bob');
    const big = new Uint8Array(65_536);
    for (let i = 0; i < 512; i++) chat.send(big).catch(() => {});
    await assert.rejects(chat.send(big), { code: 'outbox_full', retry: true });
  });

  test('nothing is sent before the store has it, and a store that fails rejects the send', async () => {
    class SlowStore extends MemoryStore {
      waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
      override async write(changes: readonly StoreChange[]): Promise<void> {
        if (changes.some(({ type }) => type === 'add')) {
          await new Promise<void>((resolve, reject) => this.waiting.push({ resolve, reject }));
        }
        return super.write(changes);
      }
    }
    const store = new SlowStore();
    const { server, world, session } = await bench({ store });
    const good = session.direct('bob').send('good');
    const bad = session.direct('bob').send('bad');
    await advance(world, 1_000);
    assert.equal(server.last.of(2).length, 0);
    store.waiting[1]?.reject(new Error('disk full'));
    await assert.rejects(bad, { code: 'store_failed', retry: true });
    store.waiting[0]?.resolve();
    await settle(world);
    assert.deepEqual(await good, { seq: 1 });
    assert.deepEqual(texts(server, 'bob'), ['good']);
  });

  test('close rejects with `closed`; the next session sends the same message under the same id', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    const store = new MemoryStore();
    const first = await bench({ world, server, store });
    server.intercept = (frame) => frame.type === 2;
    const sent = assert.rejects(first.session.direct('bob').send('kept'), { code: 'closed' });
    await settle(world);
    await first.session.close();
    await sent;
    server.intercept = undefined;
    const second = await bench({ world, server, store });
    await settle(world);
    assert.deepEqual(texts(server, 'bob'), ['kept']);
    const ids = server.connections.map((connection) => Buffer.from(connection.of(2)[0]!.id).toString('hex'));
    assert.equal(ids[0], ids[1]);
    assert.deepEqual(second.session.pending(), []);
  });

  test('the application may change its buffer after send', async () => {
    const { server, world, session } = await bench();
    const body = new TextEncoder().encode('abc');
    session
      .direct('bob')
      .send(body)
      .catch(() => {});
    body.fill(0);
    await settle(world);
    assert.deepEqual(texts(server, 'bob'), ['abc']);
  });
});
