// Owns the end-to-end test of one connection's life: login, tokens, frames out of order, limits, takeover, hostile bytes.
// Invariant: real sockets, a real store; whatever one client does, others go on.
// Must not: wait for less than the documented times by patching them.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { encodeClient } from '../../transport/codec.js';
import { CLOSE, type ClientFrame, T } from '../../transport/frames.js';
import { ask, newId, RawClient, testNode, text, token, utf8 } from './harness.js';

const hello = (value: string, credit = 100): ClientFrame => ({
  type: T.HELLO,
  version: 1,
  token: value,
  credit,
  agent: 'test',
});

/** The code of the connection's last ERROR, and the close code. */
async function fate(client: RawClient): Promise<[string | undefined, number]> {
  const close = await client.closing(8_000);
  return [client.frames.findLast((frame) => frame.type === T.ERROR)?.code, close];
}

test('who does not say HELLO within 5 s is closed, and others are not', async (t) => {
  const { url } = await testNode(t);
  const [silent, pinging, quick] = await Promise.all([RawClient.open(url), RawClient.open(url), RawClient.open(url)]);
  quick.send(hello(await token('ada', 'a1')));
  const began = performance.now();
  pinging.socket.ping();
  assert.deepEqual(await fate(silent), ['auth_timeout', CLOSE.authTimeout]);
  assert.deepEqual(await fate(pinging), ['auth_timeout', CLOSE.authTimeout]);
  assert.ok(performance.now() - began > LIMITS.authMs - 200);
  quick.send({ type: T.PING, n: 5 });
  assert.equal((await quick.next(T.PONG)).n, 5);
});

test('tokens: bad, expired, of another user', async (t) => {
  const { url } = await testNode(t);
  const good = await token('ada', 'a1');
  const [head, body, signature] = good.split('.') as [string, string, string];
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  const cases: [string, string][] = [
    ['', 'bad_token'],
    ['x', 'bad_token'],
    [`${head}.${body}.`, 'bad_token'],
    [`${none}.${body}.`, 'bad_token'],
    [`${head}.${body}.${signature.slice(0, -2)}AA`, 'bad_token'],
    ['é'.repeat(2_000), 'bad_token'],
    ['a'.repeat(100_000), 'bad_token'],
    [await token('ada', 'a1', -10), 'token_expired'],
  ];
  for (const [value, code] of cases) {
    const client = await RawClient.open(url);
    client.send(hello(value));
    assert.deepEqual(await fate(client), [code, CLOSE.auth], value.slice(0, 40));
  }
  for (const [user, device] of [
    ['bob', 'a1'],
    ['ada', 'a2'],
  ] as const) {
    const client = await RawClient.join(url, 'ada', 'a1');
    client.send({ type: T.TOKEN, r: 1, token: await token(user, device) });
    assert.deepEqual(await fate(client), ['bad_token', CLOSE.auth]);
  }
});

test('a token that runs out ends the connection; TOKEN prolongs it', async (t) => {
  const { url } = await testNode(t);
  const [short, renewed] = await Promise.all([RawClient.open(url), RawClient.open(url)]);
  short.send(hello(await token('ada', 'a1', 2)));
  renewed.send(hello(await token('bob', 'b1', 2)));
  await Promise.all([short.next(T.WELCOME), renewed.next(T.WELCOME)]);
  renewed.send({ type: T.TOKEN, r: 9, token: await token('bob', 'b1', 600) });
  const ok = await renewed.next(T.OK);
  assert.equal(ok.r, 9);
  assert.ok((ok.results[0] as number) > Date.now() + 500_000);
  assert.deepEqual(await fate(short), ['token_expired', CLOSE.auth]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  renewed.send({ type: T.PING, n: 1 });
  await renewed.next(T.PONG);
});

test('frames out of order and of no sense', async (t) => {
  const { url } = await testNode(t);
  const valid = await token('ada', 'a1');
  const wrong: [string, (client: RawClient) => void, [string, number]][] = [
    ['before HELLO', (c) => c.sync([]), ['not_ready', CLOSE.auth]],
    [
      'SEND before HELLO',
      (c) => c.send({ type: T.SEND, chat: 1, id: newId(), body: utf8('') }),
      ['not_ready', CLOSE.auth],
    ],
    ['text', (c) => c.socket.send('hello'), ['bad_frame', CLOSE.badFrame]],
    ['empty', (c) => c.socket.send(Buffer.alloc(0)), ['bad_frame', CLOSE.badFrame]],
    ['no array', (c) => c.socket.send(Buffer.from([0x01])), ['bad_frame', CLOSE.badFrame]],
    ['cut short', (c) => c.socket.send(encodeClient(hello(valid)).subarray(0, 20)), ['bad_frame', CLOSE.badFrame]],
    ['trailing byte', (c) => c.socket.send(Buffer.from([0x92, 15, 1, 0])), ['bad_frame', CLOSE.badFrame]],
    ['version 2', (c) => c.socket.send(Buffer.from([0x93, 1, 2, 0xc0])), ['bad_version', CLOSE.badFrame]],
    ['twice', (c) => [c.send(hello(valid)), c.send(hello(valid))], ['not_ready', CLOSE.auth]],
  ];
  for (const [name, act, expected] of wrong) {
    const client = await RawClient.open(url);
    act(client);
    assert.deepEqual(await fate(client), expected, name);
  }
  const large = await RawClient.join(url, 'ada', 'a1');
  large.socket.send(randomBytes(LIMITS.frame + 1));
  assert.equal(await large.closing(), CLOSE.tooBig);
  const client = await RawClient.join(url, 'ada', 'a2');
  client.socket.send(Buffer.from([0x92, 31, 1]));
  client.socket.send(Buffer.from([0x91, 0xcd, 0xff, 0xff]));
  // A known frame with a field more, and frames about chats that nobody knows.
  client.socket.send(Buffer.from([0x93, 15, 7, 0xa1, 0x78]));
  client.send({ type: T.ACK, chat: 77, seq: 1 });
  client.send({ type: T.READ, chat: newId(), seq: 2 ** 53 - 1 });
  client.send({ type: T.TYPING, chat: newId(), on: true });
  client.send({ type: T.WATCH, chat: 99, on: true });
  assert.equal((await client.next(T.PONG)).n, 7);
  assert.equal(client.closed, null);
});

test('SENDs that are refused are numbered, and cost nothing but themselves', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'a1');
  const bob = await RawClient.join(url, 'bob', 'b1');
  const chat = await ada.direct('bob');
  const id = newId();
  const version4 = Uint8Array.from(newId());
  version4[6] = (version4[6]! & 0x0f) | 0x40;
  const failed = async (n: number): Promise<string> => (await ada.next(T.FAILED, (frame) => frame.n === n)).code;
  ada.send({ type: T.SEND, chat, id, body: new Uint8Array(LIMITS.body) });
  assert.deepEqual(((sent) => [sent.n, sent.seq])(await ada.next(T.SENT)), [1, 1]);
  assert.equal((await bob.next(T.MESSAGE)).body.length, LIMITS.body);
  ada.send({ type: T.SEND, chat, id: newId(), body: new Uint8Array(LIMITS.body + 1) });
  ada.send({ type: T.SEND, chat, id: version4, body: utf8('x') });
  ada.send({ type: T.SEND, chat: 1_000, id: newId(), body: utf8('x') });
  ada.send({ type: T.SEND, chat: newId(), id: newId(), body: utf8('x') });
  assert.deepEqual(
    [await failed(2), await failed(3), await failed(4), await failed(5)],
    ['too_large', 'bad_id', 'unknown_chat', 'unknown_chat'],
  );
  bob.send({ type: T.SEND, chat, id, body: utf8('mine') });
  assert.equal((await bob.next(T.FAILED)).code, 'bad_id');
  ada.send({ type: T.SEND, chat, id: newId(), body: utf8('on') });
  assert.deepEqual(((sent) => [sent.n, sent.seq])(await ada.next(T.SENT)), [6, 2]);
});

test('over the window: refused with what follows in the chat, and the retry keeps the order', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'a1');
  const bob = await RawClient.join(url, 'bob', 'b1');
  const chat = await ada.direct('bob');
  const ids = Array.from({ length: 3 * LIMITS.window }, newId);
  const open = [...ids.keys()];
  let refused = 0;
  for (let n = 0; open.length > 0; ) {
    const tried = open.splice(0);
    for (const at of tried) ada.send({ type: T.SEND, chat, id: ids[at]!, body: utf8(`${at}`) });
    for (const at of tried) {
      n += 1;
      const answered = (frame: { n: number }): boolean => frame.n === n;
      while (!ada.frames.some((f) => (f.type === T.SENT || f.type === T.FAILED) && answered(f))) await ada.changed();
      if (ada.frames.some((frame) => frame.type === T.SENT && answered(frame))) continue;
      const { code } = await ada.next(T.FAILED, answered);
      assert.ok(code === 'over_window' || code === 'busy', code);
      refused += 1;
      open.push(at);
    }
  }
  assert.ok(refused > 0);
  for (const at of ids.keys()) assert.equal(text((await bob.next(T.MESSAGE)).body), `${at}`);
});

test('who has not shown a token yet may queue a vector, not megabytes', async (t) => {
  const { url } = await testNode(t, { verifier: { verify: () => new Promise(() => undefined) } });
  const eve = await RawClient.open(url);
  eve.send(hello('anything'));
  const body = new Uint8Array(60_000);
  const bytes = encodeClient({ type: T.SEND, chat: new Uint8Array(16), id: newId(), body });
  for (let sent = 0; sent <= LIMITS.inflowGreeting; sent += bytes.length) eve.socket.send(bytes);
  assert.equal(await eve.closing(), CLOSE.flood);
});

test('a flood of frames closes with 4413, and the node goes on', async (t) => {
  const { url, node } = await testNode(t);
  const [ada, bob] = [await RawClient.join(url, 'ada', 'a1'), await RawClient.join(url, 'bob', 'b1')];
  const chat = await ada.direct('bob');
  const floods = await Promise.all(Array.from({ length: 4 }, () => RawClient.open(url)));
  const greeting = hello(await token('eve', 'e1'));
  for (const flood of floods) {
    // Held back while the token is checked, so that they queue.
    flood.send(greeting);
    for (let i = 0; i < 3_000; i += 1) flood.send({ type: T.PING, n: i });
  }
  for (let i = 1; i <= 20; i += 1) {
    ada.send({ type: T.SEND, chat, id: newId(), body: utf8('x') });
    assert.equal((await bob.next(T.MESSAGE)).seq, i);
  }
  assert.ok((await Promise.all(floods.map((flood) => flood.closing()))).includes(CLOSE.flood));
  assert.equal(node.acceptor.crashes, 0);
});

test('a newer connection of a device takes over, and the late end of the old one harms nothing', async (t) => {
  const { url, node } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'a1');
  const chat = await ada.direct('bob');
  const first = await RawClient.join(url, 'bob', 'b1');
  // The old client does not read its close: its socket ends late.
  first.socket.pause();
  const second = await RawClient.join(url, 'bob', 'b1');
  ada.send({ type: T.SEND, chat, id: newId(), body: utf8('one') });
  assert.equal((await second.next(T.MESSAGE)).seq, 1);
  first.socket.resume();
  assert.equal(await first.closing(), CLOSE.replaced);
  while (node.acceptor.size > 2) await new Promise((resolve) => setTimeout(resolve, 10));
  ada.send({ type: T.SEND, chat, id: newId(), body: utf8('two') });
  assert.equal((await second.next(T.MESSAGE)).seq, 2);
  assert.equal(first.frames.filter((frame) => frame.type === T.MESSAGE).length, 0);
});

test('a user has a bounded number of devices, each with one connection', async (t) => {
  const { url } = await testNode(t);
  const open = await Promise.all(
    Array.from({ length: LIMITS.userDevices }, (_, i) => RawClient.join(url, 'ada', `d${i}`)),
  );
  const more = await RawClient.open(url);
  more.send(hello(await token('ada', 'one-more')));
  assert.deepEqual(await fate(more), ['full', CLOSE.goingAway]);
  const instead = await RawClient.join(url, 'ada', 'd0');
  assert.equal(await open[0]!.closing(), CLOSE.replaced);
  const ok = await ask(instead, { type: T.DEVICE, r: instead.request(), device: 'd1', op: 2, name: '' });
  assert.deepEqual(ok, []);
  assert.equal(await open[1]!.closing(), CLOSE.removed);
  const next = await RawClient.join(url, 'ada', 'one-more');
  assert.deepEqual([instead.closed, next.closed], [null, null]);
});

test('a chat whose actor breaks off answers what it owed, and a retry gets one number', async (t) => {
  const { url, node } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'a1');
  const bob = await RawClient.join(url, 'bob', 'b1');
  const chat = await ada.direct('bob');
  const key = Buffer.from(chat).toString('hex');
  ada.send({ type: T.SEND, chat, id: newId(), body: utf8('0') });
  await ada.next(T.SENT);
  const ids = Array.from({ length: 40 }, newId);
  let seq = 1;
  let broken = 0;
  for (const id of ids) {
    for (;;) {
      ada.send({ type: T.SEND, chat, id, body: utf8('x') });
      // A group of three: what the actor has, what waits for it, and what comes when it is gone.
      const ref = node.chats[0]!.lookup(key);
      await new Promise((resolve) => setImmediate(resolve));
      if (broken < 20 && ref !== undefined) {
        node.runtime.exit(ref, { type: 'shutdown' });
        broken += 1;
      }
      while (!ada.frames.some((frame) => frame.type === T.SENT || frame.type === T.FAILED)) await ada.changed();
      const answer = ada.frames.splice(
        ada.frames.findIndex((frame) => frame.type === T.SENT || frame.type === T.FAILED),
        1,
      )[0]!;
      if (answer.type === T.SENT) {
        seq += 1;
        assert.equal(answer.seq, seq);
        break;
      }
      assert.ok(answer.type === T.FAILED && answer.code === 'unavailable', JSON.stringify(answer));
    }
  }
  assert.equal(broken, 20);
  for (let at = 1; at <= seq; at += 1) assert.equal((await bob.next(T.MESSAGE)).seq, at);
});

test('hostile bytes by the thousand, while honest clients go on chatting', async (t) => {
  const { url, node } = await testNode(t);
  const [ada, bob] = [await RawClient.join(url, 'ada', 'a1'), await RawClient.join(url, 'bob', 'b1')];
  const chat = await ada.direct('bob');
  const eve = await token('eve', 'e1');
  const frames: ClientFrame[] = [
    hello(eve),
    { type: T.SEND, chat, id: newId(), body: utf8('x') },
    { type: T.SYNC, entries: [{ chat, seq: 2 ** 40, read: 2 ** 50, flags: 1 }], more: false, backfill: 7 },
    { type: T.DIRECT, r: 1, user: 'ada' },
    { type: T.CREATE, r: 2, id: newId(), title: 'x', users: ['ada', 'bob', 'ada', ''] },
    { type: T.CHANGE, r: 3, chat, id: newId(), op: 3, users: ['ada'], args: [] },
    { type: T.HISTORY, r: 4, chat, before: 2 ** 53 - 1, limit: 100 },
    { type: T.LIST, r: 5, after: chat, limit: 500 },
    { type: T.INFO, r: 6, chat },
    { type: T.WATCH, chat, on: true },
    { type: T.READ, chat, seq: 2 ** 53 - 1 },
    { type: T.TOKEN, r: 7, token: 'x' },
  ];
  let stop = false;
  const attack = async (seed: number): Promise<void> => {
    for (let round = 0; !stop; round += 1) {
      const client = await RawClient.open(url).catch(() => null);
      if (client === null) continue;
      if ((seed + round) % 2 === 0) client.send(hello(await token('eve', `e${seed}`)));
      for (let i = 0; i < 40 && client.closed === null; i += 1) {
        const frame = frames[(seed + i * 7 + round) % frames.length]!;
        const bytes = Uint8Array.from(encodeClient(frame));
        const kind = (seed + i + round) % 4;
        if (kind === 1) bytes[(i * 31 + round) % bytes.length]! ^= 1 << (i % 8);
        client.socket.send(kind === 2 ? randomBytes(1 + ((i * 97) % 600)) : kind === 3 ? bytes.subarray(0, i) : bytes);
      }
      await new Promise((resolve) => setTimeout(resolve, 3));
      client.cut();
    }
  };
  const attacks = Array.from({ length: 8 }, (_, seed) => attack(seed));
  for (let i = 1; i <= 60; i += 1) {
    ada.send({ type: T.SEND, chat, id: newId(), body: utf8(`${i}`) });
    assert.equal((await ada.next(T.SENT)).seq, i);
    assert.equal(text((await bob.next(T.MESSAGE)).body), `${i}`);
  }
  stop = true;
  await Promise.all(attacks);
  assert.equal(node.acceptor.crashes, 0);
  while (node.acceptor.size > 2) await new Promise((resolve) => setTimeout(resolve, 10));
});
