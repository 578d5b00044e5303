// Owns the proof of the limits of what a client may do, over real sockets: code, time to wait, that it passes then, and that
// neighbours do not feel it.
// Invariant: the defaults of the product, or the same in small where reaching them would take an hour.
// Must not: measure throughput (npm run bench).

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { DEFAULT_QUOTAS, type Quotas } from '../../actors/allowances.js';
import { LIMITS } from '../../actors/limits.js';
import { CLOSE, OP, type ServerFrame, SUBPROTOCOL, T } from '../../transport/frames.js';
import { NO_QUOTAS } from '../quotas.js';
import { alter } from './group-acts.js';
import { newId, RawClient, type TestNode, testNode, token, utf8 } from './harness.js';
import { create } from './talk.js';

type Failed = Extract<ServerFrame, { type: 49 }>;

function limited(t: TestContext, quotas: Partial<Quotas> = DEFAULT_QUOTAS): Promise<TestNode> {
  return testNode(t, { settings: { quotas: { ...NO_QUOTAS, ...quotas } } });
}

function sendAll(client: RawClient, chat: Uint8Array, ids: readonly Uint8Array[]): void {
  for (const id of ids) client.send({ type: T.SEND, chat, id, body: utf8('x') });
}

const ids = (count: number): Uint8Array[] => Array.from({ length: count }, newId);

async function answers(client: RawClient, count: number): Promise<{ sent: number[]; failed: Failed[] }> {
  const sent: number[] = [];
  const failed: Failed[] = [];
  while (sent.length + failed.length < count) {
    const at = client.frames.findIndex(({ type }) => type === T.SENT || type === T.FAILED);
    if (at < 0) await client.changed();
    else {
      const frame = client.frames.splice(at, 1)[0]!;
      if (frame.type === T.SENT) sent.push(frame.seq);
      else failed.push(frame as Failed);
    }
  }
  return { sent, failed };
}

test('a device that sends too fast is told when it may go on, keeps its order, and harms nobody', async (t) => {
  const { url } = await limited(t);
  const [ada, bob] = [await RawClient.join(url, 'ada', 'a1'), await RawClient.join(url, 'bob', 'b1')];
  const chat = await ada.direct('carol');
  let accepted = 0;
  let batch: Uint8Array[] = [];
  let failed: Failed[] = [];
  // Each a burst, within the window; on a slow machine tokens come meanwhile.
  for (let i = 0; failed.length === 0 && i < 10; i += 1) {
    batch = ids(LIMITS.sendBurst);
    sendAll(ada, chat, batch);
    const answered = await answers(ada, batch.length);
    accepted += answered.sent.length;
    failed = answered.failed;
  }
  assert.ok(accepted >= LIMITS.sendBurst);
  const [first, ...rest] = failed;
  assert.equal(first?.code, 'rate_limited');
  assert.equal(first?.retry, true);
  assert.ok(first.after >= 1 && first.after <= 1_000 / LIMITS.deviceSends, `${first.after}`);
  assert.ok(
    rest.every(({ code }) => code === 'busy'),
    'nothing overtakes it',
  );
  const other = await bob.direct('carol');
  sendAll(bob, other, ids(10));
  assert.deepEqual((await answers(bob, 10)).failed, []);
  await sleep(first.after + 5);
  const at = batch.length - failed.length;
  sendAll(ada, chat, batch.slice(at, at + 1));
  assert.deepEqual((await answers(ada, 1)).sent, [accepted + 1]);
});

test("a user's devices share one rate, and what was refused did not count for it", async (t) => {
  const { url } = await limited(t, { userSends: 1 });
  const [phone, desk] = [await RawClient.join(url, 'ada', 'a1'), await RawClient.join(url, 'ada', 'a2')];
  const bob = await RawClient.join(url, 'bob', 'b1');
  const chat = await phone.direct('bob');
  sendAll(phone, chat, ids(LIMITS.sendBurst));
  assert.equal((await answers(phone, LIMITS.sendBurst)).sent.length, LIMITS.sendBurst);
  const id = newId();
  for (let i = 0; i < 100; i += 1) {
    sendAll(desk, chat, [id]);
    const [refused] = (await answers(desk, 1)).failed;
    assert.equal(refused?.code, 'rate_limited');
    assert.ok(refused.after <= 1_000);
  }
  const theirs = await bob.direct('ada');
  sendAll(bob, theirs, [newId()]);
  assert.deepEqual((await answers(bob, 1)).failed, []);
  await sleep(1_005);
  sendAll(desk, chat, [id]);
  assert.equal((await answers(desk, 1)).sent.length, 1);
});

test('a reconnect does not fill the bucket again', async (t) => {
  const { url } = await limited(t, { deviceSends: 1 });
  const first = await RawClient.join(url, 'ada', 'a1');
  sendAll(first, await first.direct('bob'), ids(LIMITS.sendBurst));
  await answers(first, LIMITS.sendBurst);
  const again = await RawClient.join(url, 'ada', 'a1');
  sendAll(again, await again.direct('bob'), ids(1));
  assert.equal((await answers(again, 1)).failed[0]?.code, 'rate_limited');
  const other = await RawClient.join(url, 'ada', 'a2');
  sendAll(other, await other.direct('bob'), ids(1));
  assert.equal((await answers(other, 1)).sent.length, 1);
});

test('new direct chats count for who begins them; known ones go on', async (t) => {
  const { url } = await limited(t, { newDirects: 2 });
  const eve = await RawClient.join(url, 'eve', 'e1');
  const known = [await eve.direct('u1'), await eve.direct('u2')];
  for (const chat of known) sendAll(eve, chat, ids(1));
  assert.deepEqual((await answers(eve, 2)).failed, []);
  sendAll(eve, await eve.direct('u3'), ids(1));
  const [refused] = (await answers(eve, 1)).failed;
  assert.equal(refused?.code, 'rate_limited');
  assert.ok(refused.after > 1_700_000 && refused.after <= 1_800_000, `${refused.after}`);
  for (const chat of known) sendAll(eve, chat, ids(3));
  assert.deepEqual((await answers(eve, 6)).failed, [], 'in chats that exist nothing changed');
  const mallory = await RawClient.join(url, 'u3', 'm1');
  sendAll(mallory, await mallory.direct('eve'), ids(1));
  assert.deepEqual((await answers(mallory, 1)).failed, [], 'the other one may begin it');
  sendAll(eve, await eve.direct('u3'), ids(1));
  const [waits] = (await answers(eve, 1)).failed;
  assert.equal(waits?.code, 'busy', 'what was refused comes first');
});

test('new groups count for who makes them', async (t) => {
  const { url } = await limited(t, { newGroups: 1 });
  const [ada, bob] = [await RawClient.join(url, 'ada', 'a1'), await RawClient.join(url, 'bob', 'b1')];
  const make = (client: RawClient, r: number, id: Uint8Array): void =>
    client.send({ type: T.CREATE, r, id, title: 'g', users: ['carol'] });
  const id = newId();
  make(ada, 1, id);
  await ada.next(T.OK);
  make(ada, 2, id);
  await ada.next(T.OK, ({ r }) => r === 2);
  make(ada, 3, newId());
  const refused = await ada.next(T.ERROR);
  assert.equal(refused.code, 'rate_limited');
  assert.equal(refused.retry, true);
  assert.ok(refused.after > 3_500_000, `${refused.after}`);
  make(bob, 1, newId());
  await bob.next(T.OK);
});

test('what becomes an event of a group counts like a message', async (t) => {
  const { url } = await limited(t, { deviceSends: 1 });
  const [ada, bob] = [await RawClient.join(url, 'ada', 'a1'), await RawClient.join(url, 'bob', 'b1')];
  const chat = await create(ada, ['bob']);
  const titled = (client: RawClient, at: number): Promise<number | string> =>
    alter(client, chat, OP.title, { args: [`title ${at}`] });
  const acts = Array.from({ length: LIMITS.sendBurst + 2 }, (_, at) => titled(ada, at));
  const refused = (await Promise.all(acts)).filter((answer) => typeof answer === 'string');
  assert.ok(refused.length >= 1);
  assert.deepEqual(new Set(refused), new Set(['rate_limited']));
  sendAll(ada, chat, ids(1));
  assert.equal((await answers(ada, 1)).failed[0]?.code, 'rate_limited', 'one bucket for both');
  assert.equal(await titled(bob, 0), 'not_allowed', 'others have their own');
});

test('too many frames: requests wait, pings are answered, and a flood closes', async (t) => {
  const { url, node } = await limited(t);
  const [ada, bob] = [await RawClient.join(url, 'ada', 'a1'), await RawClient.join(url, 'bob', 'b1')];
  // One after the other: what is asked for at once is bounded by another limit.
  let refused: Extract<ServerFrame, { type: 42 }> | undefined;
  for (let r = 1; refused === undefined; r += 1) {
    assert.ok(r < 3_000, 'within the burst and what comes meanwhile');
    ada.send({ type: T.DIRECT, r, user: 'bob' });
    await ada.changed();
    refused = ada.frames.find((frame) => frame.type === T.ERROR);
    ada.frames.length = 0;
  }
  assert.equal(refused.code, 'rate_limited');
  assert.ok(refused.after >= 1 && refused.after <= 20, `${refused.after}`);
  ada.send({ type: T.PING, n: 9 });
  await ada.next(T.PONG);
  await sleep(refused.after + 50);
  await ada.direct('bob');
  for (let n = 0; n < 200_000 && ada.closed === null; n += 1) {
    ada.send({ type: T.TYPING, chat: new Uint8Array(16), on: true });
    if (n % 100 === 99) await sleep(1);
  }
  assert.equal(await ada.closing(), CLOSE.flood);
  await bob.direct('ada');
  assert.equal(node.acceptor.crashes, 0);
});

test('what a frame sets in motion counts: large bodies, long answers, chats that nobody knows', async (t) => {
  const { url } = await limited(t, { frameRate: 1 });
  const begin = async (user: string): Promise<[RawClient, Uint8Array]> => {
    const client = await RawClient.join(url, user, 'd');
    return [client, await client.direct('carol')];
  };
  const [bodies, chat] = await begin('bodies');
  const fit = 5;
  for (let i = 0; i < 3 * fit; i += 1)
    bodies.send({ type: T.SEND, chat, id: newId(), body: new Uint8Array(LIMITS.body) });
  const { sent, failed } = await answers(bodies, 3 * fit);
  assert.ok(sent.length >= fit && failed.length > 0, `${sent.length} sent`);
  assert.equal(failed[0]?.code, 'rate_limited');
  const reader = await RawClient.join(url, 'carol', 'd', [[chat, sent.length]]);
  for (let r = 1; r <= 30; r += 1) reader.send({ type: T.HISTORY, r, chat, before: 0, limit: 10 });
  await reader.next(T.PAGE, (page) => page.r === 3);
  await sleep(200);
  reader.send({ type: T.DIRECT, r: 99, user: 'bob' });
  assert.equal((await reader.next(T.ERROR)).code, 'rate_limited');
  const pages = reader.frames.filter(({ type }) => type === T.PAGE).length + 1;
  assert.ok(pages < 12, `${pages} pages of 192 KiB; the others wait for their turn and are not refused`);
  const [asker] = await begin('asker');
  const entries = Array.from({ length: LIMITS.syncEntries }, (_, at) => {
    const unknown = new Uint8Array(16);
    new DataView(unknown.buffer).setUint32(4, at);
    return { chat: unknown, seq: 1, read: 0, flags: 0 };
  });
  asker.send({ type: T.SYNC, entries, more: false, backfill: 0 });
  await asker.next(T.SYNCED);
  asker.send({ type: T.SYNC, entries, more: false, backfill: 0 });
  asker.send({ type: T.DIRECT, r: 50, user: 'bob' });
  assert.equal((await asker.next(T.ERROR)).code, 'rate_limited');
  asker.send({ type: T.PING, n: 1 });
  await asker.next(T.PONG);
  assert.ok(!asker.frames.some(({ type }) => type === T.SYNCED), 'the second waits for its turn');
});

test('who catches up is not slowed, however many chats are acknowledged', async (t) => {
  const { url, node } = await limited(t, { frameRate: DEFAULT_QUOTAS.frameRate });
  const ada = await RawClient.join(url, 'ada', 'a1');
  const bob = await RawClient.join(url, 'bob', 'b1', [], 5_000);
  const chat = await ada.direct('bob');
  for (let part = 0; part < 5; part += 1) {
    sendAll(ada, chat, ids(64));
    await answers(ada, 64);
    for (let i = 0; i < 64; i += 1) {
      const { seq } = await bob.next(T.MESSAGE);
      bob.send({ type: T.ACK, chat, seq });
      bob.send({ type: T.READ, chat, seq });
      bob.send({ type: T.CREDIT, n: 1 });
    }
  }
  bob.send({ type: T.PING, n: 1 });
  await bob.next(T.PONG);
  assert.equal(node.allowances.refused.frameRate, 0);
});

test('a new connection is no way around the rate of frames', async (t) => {
  const { url } = await limited(t, { frameRate: 1 });
  const typing = { type: T.TYPING, chat: new Uint8Array(16), on: true } as const;
  const first = await RawClient.join(url, 'ada', 'a1');
  // Half of what closes.
  for (let i = 0; i < LIMITS.frameBurst / 10; i += 1) first.send(typing);
  first.send({ type: T.PING, n: 1 });
  await first.next(T.PONG);
  const again = await RawClient.join(url, 'ada', 'a1', null);
  again.send({ type: T.DIRECT, r: 1, user: 'bob' });
  assert.equal((await again.next(T.ERROR)).code, 'rate_limited');
  await (await RawClient.join(url, 'ada', 'a2')).direct('bob');
});

test('new connections count by user', async (t) => {
  const { url } = await limited(t, { logins: DEFAULT_QUOTAS.logins });
  const greet = async (user: string): Promise<RawClient> => {
    const client = await RawClient.open(url);
    client.send({ type: T.HELLO, version: 1, token: await token(user, 'd'), credit: 1, agent: '' });
    return client;
  };
  for (let i = 0; i < LIMITS.loginBurst; i += 1) await (await greet('ada')).next(T.WELCOME);
  let refused: ServerFrame | undefined;
  let last = await greet('ada');
  // Some tokens came meanwhile.
  for (let i = 0; refused === undefined && i < 60; i += 1) {
    while (last.frames.length === 0) await last.changed();
    refused = last.frames.find(({ type }) => type === T.ERROR);
    if (refused === undefined) last = await greet('ada');
  }
  assert.ok(refused?.type === T.ERROR);
  assert.deepEqual([refused.code, await last.closing()], ['rate_limited', CLOSE.tooMany]);
  await (await greet('bob')).next(T.WELCOME);
  await sleep(refused.after + 20);
  await (await greet('ada')).next(T.WELCOME);
});

test('refused tokens count by address; then no token is looked at, until the time has passed', async (t) => {
  let looked = 0;
  const verify = async (text: string) => {
    looked += 1;
    if (text === 'good') return { ok: true as const, user: 'ada', device: 'a1', issued: 0, expires: 9e15 };
    return { ok: false as const, code: 'bad_token' as const, detail: 'bad' };
  };
  const { url } = await testNode(t, {
    verifier: { verify },
    settings: { quotas: { ...NO_QUOTAS, badLogins: DEFAULT_QUOTAS.badLogins } },
  });
  const attempt = async (text: string, from = '127.0.0.1'): Promise<[string, number, number]> => {
    const client = await RawClient.open(url, { localAddress: from });
    client.send({ type: T.HELLO, version: 1, token: text, credit: 1, agent: '' });
    const frame = await client.next(T.ERROR);
    return [frame.code, frame.after, await client.closing()];
  };
  for (let i = 0; i < LIMITS.badLoginBurst; i += 1) assert.equal((await attempt('bad'))[2], CLOSE.auth);
  const at = performance.now();
  let last = await attempt('bad');
  while (last[2] === CLOSE.auth && performance.now() - at < 5_000) last = await attempt('bad');
  const seen = looked;
  const [code, after, close] = await attempt('good');
  assert.deepEqual([code, close], ['rate_limited', CLOSE.tooMany]);
  assert.ok(after >= 1 && after <= 1_000);
  assert.equal(looked, seen, 'the token was not looked at');
  assert.equal((await attempt('bad', '127.0.0.2'))[2], CLOSE.auth, 'another address');
  await sleep(after + 20);
  const good = await RawClient.open(url);
  good.send({ type: T.HELLO, version: 1, token: 'good', credit: 1, agent: '' });
  await good.next(T.WELCOME);
});

test('connections count by address, and one that closes makes room', async (t) => {
  const { url, node } = await limited(t, { addressConnections: 3 });
  const open = await Promise.all([1, 2, 3].map((i) => RawClient.join(url, `u${i}`, 'd')));
  const more = await RawClient.open(url);
  const refused = await more.next(T.ERROR);
  assert.deepEqual([refused.r, refused.code, await more.closing()], [0, 'full', CLOSE.goingAway]);
  assert.equal(node.acceptor.size, 3, 'no actor was made for it');
  const elsewhere = await RawClient.open(url, { localAddress: '127.0.0.2' });
  elsewhere.send({ type: T.HELLO, version: 1, token: await token('u4', 'd'), credit: 1, agent: '' });
  await elsewhere.next(T.WELCOME);
  open[0]!.close();
  await open[0]!.closing();
  while (node.acceptor.size > 3) await sleep(5);
  await RawClient.join(url, 'u5', 'd');
});

test('HTTP requests count by address', async (t) => {
  const { url } = await limited(t, { requests: DEFAULT_QUOTAS.requests });
  const page = `${url.replace('ws:', 'http:').replace('/v1', '')}/healthz`;
  const statuses = new Set<number>();
  for (let i = 0; i < 10 * LIMITS.requestBurst && !statuses.has(429); i += 1) {
    const response = await fetch(page, { headers: { connection: 'close' } });
    await response.text();
    statuses.add(response.status);
    if (response.status === 429) assert.equal(response.headers.get('retry-after'), '1');
  }
  assert.deepEqual([...statuses], [200, 429]);
  await sleep(1_000 / LIMITS.requests + 10);
  assert.equal((await fetch(page, { headers: { connection: 'close' } })).status, 200);
});

test('behind a proxy each client counts for itself', async (t) => {
  const { url } = await testNode(t, {
    settings: { quotas: { ...NO_QUOTAS, addressConnections: 1, loopback: false } },
    door: { trustProxy: true },
  });
  const from = (address: string) => ({ headers: { 'x-forwarded-for': `6.6.6.6, ${address}` } });
  const hold = await RawClient.join(url, 'ada', 'a1', [], 1, from('192.0.2.7'));
  const more = await RawClient.open(url, from('192.0.2.7'));
  assert.equal((await more.next(T.ERROR)).code, 'full');
  await RawClient.join(url, 'bob', 'b1', [], 1, from('192.0.2.8'));
  await RawClient.join(url, 'carol', 'c1', [], 1, from('2001:db8::1'));
  const neighbour = await RawClient.open(url, from('2001:db8::2'));
  assert.equal((await neighbour.next(T.ERROR)).code, 'full', 'of the same /64');
  assert.equal(hold.closed, null);
});

test("this machine's own addresses are not counted unless asked for", async (t) => {
  const { url } = await limited(t, { addressConnections: 1, badLogins: 1, loopback: false });
  await RawClient.join(url, 'u1', 'd');
  await RawClient.join(url, 'u2', 'd');
  const socket = new WebSocket(url, SUBPROTOCOL);
  await new Promise((resolve) => socket.once('open', resolve));
  socket.close();
});
