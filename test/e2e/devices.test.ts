// Owns the end-to-end test of a user's devices: list, name, remove, limit, takeover, and what removal leaves behind.
// Invariant: real sockets, a real store.
// Must not: wait for clocks: a token of later is issued ahead.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { decodeDevice } from '../../storage/account-rows.js';
import { deviceKey, inboxKey } from '../../storage/keys.js';
import { decodeInbox } from '../../storage/rows.js';
import { CLOSE, DEVICE_OP, type Plain, T } from '../../transport/frames.js';
import { ask, newId, RawClient, refusal, type TestNode, testNode, token, utf8 } from './harness.js';

async function list(client: RawClient): Promise<[string, string, number, number, number][]> {
  const [devices] = await ask(client, { type: T.DEVICES, r: client.request() });
  return devices as [string, string, number, number, number][];
}

function change(client: RawClient, device: string, op: number, name = ''): Promise<readonly Plain[]> {
  return ask(client, { type: T.DEVICE, r: client.request(), device, op, name });
}

/** Says HELLO with a token whose issuer is `ahead` s ahead. */
async function enter(url: string, user: string, device: string, ahead: number): Promise<RawClient> {
  const client = await RawClient.open(url);
  client.send({ type: T.HELLO, version: 1, token: await token(user, device, 3_600, ahead), credit: 100, agent: '' });
  client.sync([]);
  return client;
}

/** Why the server does not let it in. */
async function fate(client: RawClient): Promise<[string, number]> {
  const { code } = await client.next(T.ERROR);
  return [code, await client.closing()];
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (const began = performance.now(); !(await holds()); ) {
    assert.ok(performance.now() - began < 5_000, 'it came about in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function positions({ node }: TestNode, user: string, chat: Uint8Array): Promise<string[]> {
  const row = await node.store.get(inboxKey(user, chat));
  return row === undefined ? [] : decodeInbox(row).devices.map(({ device }) => device);
}

test('devices are listed with their names, and who is online', async (t) => {
  const at = await testNode(t);
  const began = Date.now();
  const phone = await RawClient.join(at.url, 'ada', 'phone');
  const laptop = await RawClient.join(at.url, 'ada', 'laptop');
  await RawClient.join(at.url, 'bob', 'phone');
  await change(phone, 'laptop', DEVICE_OP.rename, 'Ada’s laptop');
  laptop.close();
  await laptop.closing();
  await until(async () => (await list(phone)).some(([, , , , online]) => online === 0));
  const devices = await list(phone);
  assert.deepEqual(
    devices.map(([device, name, , , online]) => [device, name, online]),
    [
      ['laptop', 'Ada’s laptop', 0],
      ['phone', '', 1],
    ],
  );
  for (const [, , first, last] of devices) assert.ok(first >= began && last >= first && last <= Date.now());
  await change(phone, 'laptop', DEVICE_OP.rename);
  assert.equal((await list(phone))[0]![1], '');
});

test('what is wrong with a DEVICE is told, and changes nothing', async (t) => {
  const { url } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  for (const [device, op, name] of [
    ['watch', DEVICE_OP.rename, 'x'],
    ['watch', DEVICE_OP.remove, ''],
    ['phone', DEVICE_OP.rename, 'x'.repeat(LIMITS.deviceName + 1)],
    ['phone', DEVICE_OP.rename, 'a\u0000b'],
    ['phone', 7, ''],
  ] as const) {
    const frame = { type: T.DEVICE, r: ada.request(), device, op, name };
    assert.equal(await refusal(ada, frame), 'bad_request', `${device} ${op} ${name}`);
  }
  assert.deepEqual(
    (await list(ada)).map(([device, name]) => [device, name]),
    [['phone', '']],
  );
});

test('a removed device is closed; its old token lets it in no more, a later one as new; a restart forgets nothing', async (t) => {
  const at = await testNode(t);
  const ada = await RawClient.join(at.url, 'ada', 'phone');
  const stolen = await RawClient.join(at.url, 'ada', 'stolen');
  const bob = await RawClient.join(at.url, 'bob', 'phone');
  await change(ada, 'stolen', DEVICE_OP.rename, 'old name');
  const chat = await bob.direct('ada');
  bob.send({ type: T.SEND, chat, id: newId(), body: utf8('1') });
  for (const client of [ada, stolen]) client.send({ type: T.ACK, chat, seq: (await client.next(T.MESSAGE)).seq });
  await until(async () => (await positions(at, 'ada', chat)).length === 2);

  await change(ada, 'stolen', DEVICE_OP.remove);
  assert.equal(await stolen.closing(), CLOSE.removed);
  assert.deepEqual(await fate(await enter(at.url, 'ada', 'stolen', -60)), ['device_removed', CLOSE.auth]);
  assert.deepEqual(
    (await list(ada)).map(([device]) => device),
    ['phone'],
  );
  // The chat forgets how far it was, and then the device's row says so.
  await until(async () => (await positions(at, 'ada', chat)).join() === 'phone');
  await until(async () => !decodeDevice((await at.node.store.get(deviceKey('ada', 'stolen')))!).lingers);

  await at.stop();
  const next = await testNode(t, { folder: at.folder });
  assert.deepEqual(await fate(await enter(next.url, 'ada', 'stolen', -60)), ['device_removed', CLOSE.auth]);
  const found = await enter(next.url, 'ada', 'stolen', 5);
  assert.equal((await found.next(T.MESSAGE)).seq, 1, 'it starts from nothing');
  assert.deepEqual((await list(found)).find(([device]) => device === 'stolen')![1], '', 'and without a name');
  // The token of before stays dead, and does not even disturb the device that took its name.
  assert.deepEqual(await fate(await enter(next.url, 'ada', 'stolen', -60)), ['device_removed', CLOSE.auth]);
  assert.equal(found.closed, null);
});

test('at most 16 devices; one that is removed makes room, and one that connects again takes none', async (t) => {
  const { url } = await testNode(t);
  const names = Array.from({ length: LIMITS.userDevices + 4 }, (_, i) => `d${i}`);
  const clients = await Promise.all(names.map((name) => enter(url, 'ada', name, 0)));
  const welcome = await Promise.all(
    clients.map(async (client) => (await client.next([T.WELCOME, T.ERROR])).type === T.WELCOME),
  );
  assert.equal(welcome.filter(Boolean).length, LIMITS.userDevices, 'all at once, and none too many');
  const refused = clients[welcome.indexOf(false)]!;
  assert.equal(await refused.closing(), CLOSE.goingAway);
  const inside = welcome.indexOf(true);
  const again = await enter(url, 'ada', names[inside]!, 0);
  await again.next(T.WELCOME);
  assert.equal(await clients[inside]!.closing(), CLOSE.replaced);
  await change(again, names[welcome.lastIndexOf(true)]!, DEVICE_OP.remove);
  await (await enter(url, 'ada', names[welcome.indexOf(false)]!, 0)).next(T.WELCOME);
});

test('more removals than are remembered leave no way in for a forgotten device', async (t) => {
  const { url, node } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'home');
  for (let i = 0; i < LIMITS.removedDevices + 3; i += 1) {
    const other = await enter(url, 'ada', `d${i}`, 5);
    await other.next(T.WELCOME);
    await change(ada, `d${i}`, DEVICE_OP.remove);
    await other.closing();
  }
  assert.equal(await node.store.get(deviceKey('ada', 'd0')), undefined);
  for (const device of ['d0', 'd2', `d${LIMITS.removedDevices}`, 'never-seen']) {
    assert.deepEqual(await fate(await enter(url, 'ada', device, -60)), ['device_removed', CLOSE.auth], device);
  }
  await (await enter(url, 'ada', 'd0', 5)).next(T.WELCOME);
  await (await enter(url, 'ada', 'home', 0)).next(T.WELCOME);
});

test('a device removed while it sends and syncs: what was accepted stays, nothing follows, nobody loses anything', async (t) => {
  const at = await testNode(t);
  const ada = await RawClient.join(at.url, 'ada', 'phone');
  const bob = await RawClient.join(at.url, 'bob', 'phone');
  for (let round = 0; round < 12; round += 1) {
    const device = `d${round}`;
    const doomed = await RawClient.open(at.url);
    doomed.send({ type: T.HELLO, version: 1, token: await token('ada', device), credit: 1_000, agent: '' });
    await doomed.next(T.WELCOME);
    const chat = await doomed.direct('bob');
    const removed = change(ada, device, DEVICE_OP.remove);
    doomed.sync([]);
    for (let i = 0; i < 30; i += 1) doomed.send({ type: T.SEND, chat, id: newId(), body: utf8(`${round}`) });
    doomed.sync([]);
    await removed;
    assert.equal(await doomed.closing(), CLOSE.removed);
    const acked = doomed.frames.flatMap((frame) => (frame.type === T.SENT ? [frame.seq] : []));
    for (const seq of acked) await bob.next(T.MESSAGE, (frame) => frame.seq === seq);
  }
  assert.equal(at.node.acceptor.crashes, 0);
  // Bob has all that there is, in order, and another device of Ada's too.
  const rest = await RawClient.join(at.url, 'ada', 'check');
  const chat = await rest.direct('bob');
  const [, , head] = await ask(rest, { type: T.INFO, r: rest.request(), chat });
  for (let seq = 1; seq <= (head as number); seq += 1) assert.equal((await rest.next(T.MESSAGE)).seq, seq);
});

test('removed and back at once, with the user’s actor broken off in between: refused with the old token', async (t) => {
  const { url, node } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  const other = await RawClient.join(url, 'ada', 'other');
  await change(ada, 'other', DEVICE_OP.rename, 'x');
  ada.send({ type: T.DEVICE, r: ada.request(), device: 'other', op: DEVICE_OP.remove, name: '' });
  const answer = await ada.next(T.OK);
  node.runtime.exit(node.users.lookup('ada')!, { type: 'crash', error: new Error('test') });
  assert.equal(answer.results.length, 0);
  // Closed by the actor that removed it, or refused by the next one.
  assert.ok(([CLOSE.removed, CLOSE.auth] as number[]).includes(await other.closing()));
  await ada.next(T.RESYNC);
  assert.deepEqual(await fate(await enter(url, 'ada', 'other', -60)), ['device_removed', CLOSE.auth]);
  assert.deepEqual(
    (await list(ada)).map(([device]) => device),
    ['phone'],
  );
});

test('a request that the user’s actor owes when it breaks off is answered, and the next one served', async (t) => {
  const { url, node } = await testNode(t);
  const ada = await RawClient.join(url, 'ada', 'phone');
  let owed = 0;
  for (let round = 0; round < 60; round += 1) {
    const r = ada.request();
    ada.send({ type: T.DEVICE, r, device: 'phone', op: DEVICE_OP.rename, name: `n${round}` });
    for (let turns = round % 8; turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
    const ref = node.users.lookup('ada');
    if (ref !== undefined) node.runtime.exit(ref, { type: 'shutdown' });
    const answer = await ada.next([T.OK, T.ERROR], (frame) => frame.r === r);
    if (answer.type === T.ERROR) owed += 1;
    if (answer.type === T.ERROR) assert.ok(['unavailable', 'busy'].includes(answer.code));
  }
  assert.ok(owed > 0, 'some were owed');
  await until(async () => (await refusal(ada, { type: T.DEVICES, r: ada.request() })) === 'granted');
});
