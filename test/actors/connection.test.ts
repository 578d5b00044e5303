// Owns the tests of a connection's races, on a manual clock: what is lost when, and what it does about it.
// Invariant: the order of events is the test's, never the machine's.
// Must not: repeat what test/e2e shows with sockets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import type { ChatInfo, Delivery } from '../../actors/messages.js';
import { chatKey, directChat, messageKey, seqOf } from '../../storage/keys.js';
import { CLOSE, T } from '../../transport/frames.js';
import { encodeMessageRow } from '../../transport/row.js';
import { ChatScene, DIRECT, DIRECT_KEY } from './chat-scene.js';
import { Client } from './client-scene.js';
import { oneEntry } from './delivery.js';

const GROUP = Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? 2 : 7));
const info: ChatInfo = { chat: GROUP, key: chatKey(GROUP), kind: 2, pair: null, title: 'crew' };

function delivery(scene: ChatScene, seq: number, joined: readonly string[] = []): Delivery {
  const row = encodeMessageRow('bob', scene.id(), 0, new Uint8Array(3));
  return oneEntry({ info, seq, row, joined });
}

test('news lost while a SYNC is read: the client is asked again when it is answered', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  client.frames.length = 0;
  scene.holding = true;
  client.sync();
  await scene.settle();
  client.ref!.tell({ type: 'resync' });
  await scene.settle();
  assert.deepEqual(client.frames, []);
  scene.release();
  await scene.settle();
  assert.deepEqual(
    client.frames.map(({ type }) => type),
    [T.SYNCED, T.RESYNC],
  );
  client.sync();
  await scene.settle();
  assert.equal(client.of(T.RESYNC).length, 1);
});

test('a group joined while the inbox is read: the client learns where it begins', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  scene.holding = true;
  client.sync();
  await scene.settle();
  client.ref!.tell(delivery(scene, 5, ['ada']));
  client.ref!.tell(delivery(scene, 6));
  await scene.settle();
  scene.release();
  await scene.settle();
  const [entry] = client.of(T.CERT).flatMap((frame) => frame.entries);
  assert.deepEqual([entry?.head, entry?.start, entry?.kind, entry?.name], [6, 5, 2, 'crew']);
});

test('vectors overlap: each SYNC is answered for what it said', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  client.frames.length = 0;
  const chats = [1, 2, 3, 4].map((at) => Uint8Array.from({ length: 16 }, () => at));
  const part = (at: number, more: boolean): void =>
    client.say({ type: T.SYNC, entries: [{ chat: chats[at]!, seq: 1, read: 0, flags: 0 }], more, backfill: 0 });
  scene.holding = true;
  part(0, false);
  await scene.settle();
  part(1, false);
  part(2, true);
  await scene.settle();
  scene.release();
  await scene.settle();
  part(3, false);
  await scene.settle();
  assert.deepEqual(
    client.of(T.CERT).map(({ entries }) => entries.map(({ chat }) => chat[0])),
    [[1], [2], [3, 4]],
  );
});

test('a chat that breaks off: what it owed is answered once, what comes late is not told', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  client.say({ type: T.DIRECT, r: 1, user: 'bob' });
  await scene.settle();
  scene.holding = true;
  const id = scene.id();
  client.say({ type: T.SEND, chat: DIRECT, id, body: new Uint8Array(1) });
  client.say({ type: T.INFO, r: 2, chat: DIRECT });
  await scene.settle();
  scene.runtime.exit(scene.chats.get(DIRECT_KEY)!, { type: 'killed' });
  await scene.settle();
  scene.release();
  await scene.settle();
  assert.deepEqual(
    client.of(T.FAILED).map(({ n, code, retry }) => [n, code, retry]),
    [[1, 'unavailable', true]],
  );
  assert.deepEqual(
    client.of(T.ERROR).map(({ r, code }) => [r, code]),
    [[2, 'unavailable']],
  );
  client.ref!.tell({ type: 'sent', n: 1, seq: 9, members: 2, count: 1 });
  client.ref!.tell({ type: 'answer', r: 2, results: [] });
  await scene.settle();
  assert.deepEqual([client.of(T.SENT).length, client.of(T.OK).length], [0, 1]);
  client.say({ type: T.SEND, chat: DIRECT, id, body: new Uint8Array(1) });
  await scene.settle();
  assert.deepEqual(
    client.of(T.SENT).map(({ n, seq }) => [n, seq]),
    [[2, 1]],
  );
});

test('after a refusal the chat takes no other SEND of the connection before the refused one, however late it comes', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  client.say({ type: T.DIRECT, r: 1, user: 'bob' });
  const [first, second, third] = [scene.id(), scene.id(), scene.id()];
  const send = async (id: Uint8Array): Promise<void> => {
    client.frames.length = 0;
    client.say({ type: T.SEND, chat: DIRECT, id, body: new Uint8Array(1) });
    await scene.settle();
  };
  scene.faults = ['store_full'];
  await send(first);
  assert.deepEqual(
    client.of(T.FAILED).map(({ code }) => code),
    ['unavailable'],
  );
  // Everything is answered and the store works again: only the order speaks against these.
  await scene.pass(LIMITS.reloadMs);
  await send(second);
  assert.deepEqual(
    client.of(T.FAILED).map(({ code }) => code),
    ['busy'],
  );
  await send(first);
  assert.deepEqual(
    client.of(T.SENT).map(({ seq }) => seq),
    [1],
  );
  await send(second);
  await send(third);
  assert.deepEqual(
    client.of(T.SENT).map(({ seq }) => seq),
    [3],
  );
});

test('of several refused SENDs the earliest comes first, in whatever order they were refused', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  client.say({ type: T.DIRECT, r: 1, user: 'bob' });
  client.say({ type: T.DIRECT, r: 2, user: 'eve' });
  await scene.settle();
  const resume = scene.memory.stall();
  scene.faults = ['store_full'];
  const ids = Array.from({ length: LIMITS.window + 1 }, () => scene.id());
  // The first waits for the disk; the window is filled up elsewhere, so the next one is refused before the first is.
  const send = (chat: Uint8Array, id: Uint8Array): void => {
    client.say({ type: T.SEND, chat, id, body: new Uint8Array(1) });
  };
  send(DIRECT, ids[0]!);
  await scene.settle();
  for (const id of ids.slice(2)) send(directChat('ada', 'eve'), id);
  send(DIRECT, ids[1]!);
  await scene.settle();
  assert.deepEqual(
    client.of(T.FAILED).map(({ code }) => code),
    ['over_window'],
  );
  resume();
  await scene.settle();
  await scene.pass(LIMITS.reloadMs);
  client.frames.length = 0;
  send(DIRECT, ids[1]!);
  await scene.settle();
  assert.deepEqual(
    client.of(T.FAILED).map(({ code }) => code),
    ['busy'],
  );
  send(DIRECT, ids[0]!);
  send(DIRECT, ids[1]!);
  await scene.settle();
  assert.deepEqual(
    client.of(T.SENT).map(({ seq }) => seq),
    [1, 2],
  );
});

test('a SEND over the window is not overtaken by those piped behind it', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  client.say({ type: T.DIRECT, r: 1, user: 'bob' });
  client.say({ type: T.DIRECT, r: 2, user: 'eve' });
  const eve = directChat('ada', 'eve');
  const send = (chat: Uint8Array): void => client.say({ type: T.SEND, chat, id: scene.id(), body: new Uint8Array(1) });
  send(DIRECT);
  await scene.settle();
  // The chat with bob is being written; a send to eve is answered by its failing read and frees the window.
  scene.holding = true;
  send(eve);
  await scene.settle();
  const resume = scene.memory.stall();
  for (let i = 0; i < LIMITS.window - 1; i += 1) send(DIRECT);
  send(DIRECT);
  await scene.settle();
  assert.deepEqual(
    client.of(T.FAILED).map(({ n, code }) => [n, code]),
    [[LIMITS.window + 2, 'over_window']],
  );
  scene.unreadable = true;
  scene.release();
  await scene.settle();
  scene.unreadable = false;
  send(DIRECT);
  await scene.settle();
  resume();
  await scene.settle();
  assert.deepEqual(
    client
      .of(T.FAILED)
      .slice(1)
      .map(({ n, code }) => [n, code]),
    [
      [2, 'unavailable'],
      [LIMITS.window + 3, 'busy'],
    ],
  );
  assert.equal(client.of(T.SENT).length, LIMITS.window);
});

test('a store that cannot be read is asked again, at a pace, and then the client catches up', async () => {
  const scene = await ChatScene.open();
  const sender = scene.connection();
  const client = await Client.join(scene, 'bob/1', 0);
  for (let i = 0; i < 5; i += 1) scene.send(sender.ref);
  await scene.settle();
  for (const news of scene.users.get('bob')!.heard) if (news.type === 'delivery') client.ref!.tell(news);
  await scene.settle();
  scene.unreadable = true;
  client.say({ type: T.CREDIT, n: 100 });
  await scene.settle();
  await scene.pass(1_000);
  const asked = scene.reports.filter((event) => event === 'log_unreadable').length;
  assert.ok(asked >= 2 && asked <= 7, `asked ${asked} times`);
  scene.unreadable = false;
  await scene.pass(2 * LIMITS.reloadMs);
  assert.deepEqual(
    client.of(T.MESSAGE).map(({ seq }) => seq),
    [1, 2, 3, 4, 5],
  );
});

test('deliveries that fill the mailbox are no flood of the client, and are caught up', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  for (let seq = 1; seq <= LIMITS.connectionMailbox + 100; seq += 1) client.ref!.tell(delivery(scene, seq));
  client.say({ type: T.PING, n: 1 });
  await scene.settle();
  assert.deepEqual([client.closed, client.of(T.PONG).length], [null, 1]);
  for (let i = 0; i <= LIMITS.inflowFrames; i += 1) client.say({ type: T.PING, n: i });
  await scene.settle();
  assert.equal(client.closed, CLOSE.flood);
});

test('a flood of bytes closes too: past a full window of a client that is known, past a vector of one that is not', async () => {
  const scene = await ChatScene.open();
  const body = new Uint8Array(LIMITS.body);
  const flood = (client: Client, sends: number): void => {
    for (let i = 0; i < sends; i += 1) client.say({ type: T.SEND, chat: GROUP, id: scene.id(), body });
  };
  const known = await Client.join(scene, 'ada/1');
  flood(known, LIMITS.window);
  assert.equal(known.closed, null, 'a full window is none');
  flood(known, 2 * LIMITS.window);
  assert.equal(known.closed, CLOSE.flood);

  scene.verify = () => new Promise(() => undefined);
  const stranger = new Client(scene);
  stranger.say({ type: T.HELLO, version: 1, token: 'eve/1', credit: 0, agent: '' });
  await scene.settle();
  flood(stranger, LIMITS.inflowGreeting / LIMITS.body - 1);
  assert.equal(stranger.closed, null);
  flood(stranger, 1);
  assert.equal(stranger.closed, CLOSE.flood);
});

test('who a client is takes too long to settle: unavailable, not silence', async () => {
  for (const what of ['user', 'verifier'] as const) {
    const scene = await ChatScene.open();
    if (what === 'user') scene.usersBusy = true;
    else scene.verify = () => new Promise(() => undefined);
    const client = await Client.join(scene, 'ada/1');
    await scene.pass(LIMITS.authMs + 100);
    assert.deepEqual([client.of(T.ERROR)[0]?.code, client.closed], ['unavailable', CLOSE.goingAway]);
  }
});

test('a client whose user’s actor cannot read for a while stays, and is asked where it stands; for long, and it is closed', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  const ends = async (): Promise<void> => {
    scene.registration = { code: 'unavailable', detail: 'not now' };
    const { ref } = scene.users.get('ada')!;
    scene.users.delete('ada');
    scene.runtime.exit(ref, { type: 'killed' });
    await scene.settle();
  };
  await ends();
  await scene.pass(LIMITS.authMs - 2_000);
  const next = scene.users.get('ada')!;
  const tries = next.heard.filter(({ type }) => type === 'register').length;
  assert.ok(tries >= 2 && tries < 30, `it registered ${tries} times`);
  assert.ok((scene.runtime.inspect(next.ref)?.monitors ?? 0) <= 1);
  scene.registration = null;
  await scene.pass(LIMITS.registerMs);
  assert.deepEqual([client.closed, client.of(T.RESYNC).length], [null, 1]);
  await ends();
  await scene.pass(LIMITS.authMs - 1_000);
  assert.equal(client.closed, null);
  await scene.pass(2 * LIMITS.registerMs);
  assert.equal(client.closed, CLOSE.goingAway);
});

test('one token is checked at a time; a verifier that is away ends no connection', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  const answers: ((verdict: 'unavailable') => void)[] = [];
  scene.verify = () => new Promise((resolve) => answers.push((code) => resolve({ ok: false, code, detail: 'away' })));
  for (let r = 1; r <= 50; r += 1) client.say({ type: T.TOKEN, r, token: 'ada/1' });
  await scene.settle();
  assert.equal(answers.length, 1);
  answers[0]!('unavailable');
  await scene.settle();
  assert.equal(client.of(T.ERROR).filter(({ code }) => code === 'busy').length, 49);
  assert.deepEqual([client.of(T.ERROR).find(({ r }) => r === 1)?.code, client.closed], ['unavailable', null]);
});

test('after a frame that the socket dropped nothing follows', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  client.frames.length = 0;
  client.outcomes = ['sent', 'dropped', 'sent', 'sent'];
  for (let n = 1; n <= 4; n += 1) client.say({ type: T.PING, n });
  await scene.settle();
  assert.deepEqual(
    client.frames.map((frame) => (frame.type === T.PONG ? frame.n : frame.type)),
    [1],
  );
  assert.equal(client.closed, CLOSE.goingAway);
});

test('a request number that is under way is not taken twice, and requests are bounded', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  scene.holding = true;
  client.say({ type: T.INFO, r: 1, chat: DIRECT });
  client.say({ type: T.INFO, r: 1, chat: DIRECT });
  for (let r = 2; r <= LIMITS.window + 10; r += 1) client.say({ type: T.INFO, r, chat: DIRECT });
  await scene.settle();
  assert.deepEqual(
    client.of(T.ERROR).map(({ code }) => code),
    ['bad_request', ...Array.from({ length: 10 }, () => 'busy')],
  );
  scene.release();
  await scene.settle();
  assert.equal(client.of(T.ERROR).filter(({ code }) => code === 'unknown_chat').length, LIMITS.window);
});

test('a delivery is dropped behind others of its chat, which is not followed yet: none of them is passed over', async () => {
  const scene = await ChatScene.open();
  const bob = scene.connection();
  scene.send(bob.ref, { user: 'bob' });
  const client = new Client(scene);
  client.say({ type: T.HELLO, version: 1, token: 'ada/1', credit: 1_000, agent: '' });
  const has = (seq: number): void =>
    client.say({ type: T.SYNC, entries: [{ chat: DIRECT, seq, read: 0, flags: 0 }], more: false, backfill: 0 });
  has(1);
  await scene.settle();
  const [registered] = scene.users.get('ada')!.heard.flatMap((news) => (news.type === 'register' ? [news] : []));
  const { connection } = registered!;
  for (let i = 2; i <= 6; i += 1) scene.send(bob.ref, { user: 'bob' });
  await scene.settle();
  client.frames.length = 0;
  const direct = { ...info, chat: DIRECT, key: DIRECT_KEY, kind: 1, pair: ['ada', 'bob'] as const };
  const { rows } = await scene.memory.range({ start: messageKey(DIRECT, 1), end: messageKey(DIRECT, 9), limit: 9 });
  // The rest of the mailbox is full of what concerns other chats.
  for (let i = 0; i < LIMITS.connectionMailbox - 4; i += 1) connection.tell({ type: 'drained' });
  for (const { key, value } of rows.slice(1)) {
    connection.tell(oneEntry({ info: direct, seq: seqOf(key), row: value }));
  }
  await scene.settle();
  if (client.of(T.RESYNC).length > 0) has(Math.max(1, ...client.of(T.MESSAGE).map(({ seq }) => seq)));
  await scene.settle();
  assert.deepEqual(
    client.of(T.MESSAGE).map(({ seq }) => seq),
    [2, 3, 4, 5, 6],
  );
});

test('the beginning of a group is dropped while the inbox is read: the client is asked again, and misses nothing', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  client.frames.length = 0;
  scene.holding = true;
  client.sync();
  await scene.settle();
  for (let i = 0; i < LIMITS.connectionMailbox - 1; i += 1) client.ref!.tell({ type: 'drained' });
  client.ref!.tell(delivery(scene, 5, ['ada']));
  client.ref!.tell(delivery(scene, 6));
  scene.release();
  await scene.settle();
  const starts = client.of(T.CERT).flatMap((frame) => frame.entries.map(({ start }) => start));
  assert.ok(starts.every((start) => start === 5));
  assert.ok(starts.length > 0 || client.of(T.RESYNC).length > 0);
});

test('a message becomes durable between the reading of the head and its certificate: it is streamed all the same', async () => {
  const scene = await ChatScene.open();
  const bob = scene.connection();
  scene.send(bob.ref, { user: 'bob' });
  const client = await Client.join(scene, 'ada/1');
  const ada = scene.users.get('ada')!;
  for (const seq of [1, 0]) {
    client.frames.length = 0;
    ada.heard.length = 0;
    // What is read was true when it was read, and is long in coming.
    const read = scene.store.range.bind(scene.store);
    let release = (): void => undefined;
    scene.store.range = async (query) => {
      const page = await read(query);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return page;
    };
    client.say({ type: T.SYNC, entries: [{ chat: DIRECT, seq, read: 0, flags: 0 }], more: false, backfill: 0 });
    await scene.settle();
    // The inbox, then its marks; the head is being read.
    for (let reads = 0; reads < 2; reads += 1) {
      release();
      await scene.settle();
    }
    scene.send(bob.ref, { user: 'bob' });
    await scene.settle();
    for (const news of ada.heard) if (news.type === 'delivery') client.ref!.tell(news);
    await scene.settle();
    scene.store.range = read;
    release();
    await scene.settle();
    const { head, start } = client.of(T.CERT)[0]!.entries[0]!;
    const newest = seq === 1 ? 2 : 3;
    assert.deepEqual([head, start], [newest - 1, seq + 1]);
    assert.deepEqual(
      client.of(T.MESSAGE).map((frame) => frame.seq),
      Array.from({ length: newest - seq }, (_, i) => seq + 1 + i),
    );
  }
});

test('SENT comes between the reading of the inbox and its certificate: that says no less', async () => {
  const scene = await ChatScene.open();
  const client = await Client.join(scene, 'ada/1');
  scene.send(client.ref!);
  await scene.settle();
  // What is read was true when it was read, and is long in coming.
  const read = scene.store.range.bind(scene.store);
  const late: (() => void)[] = [];
  scene.store.range = async (query) => {
    const page = await read(query);
    await new Promise<void>((resolve) => late.push(resolve));
    return page;
  };
  client.frames.length = 0;
  client.say({ type: T.SYNC, entries: [{ chat: DIRECT, seq: 1, read: 0, flags: 0 }], more: false, backfill: 0 });
  await scene.settle();
  // The inbox and its marks; the head is read, and on its way.
  for (let reads = 0; reads < 2; reads += 1) {
    late.shift()!();
    await scene.settle();
  }
  client.say({ type: T.SEND, chat: DIRECT, id: scene.id(), body: new Uint8Array(1) });
  await scene.settle();
  assert.equal(client.of(T.SENT).at(-1)?.seq, 2);
  scene.store.range = read;
  for (const come of late) come();
  await scene.settle();
  assert.deepEqual(
    client.of(T.CERT).flatMap(({ entries }) => entries.map(({ head, start }) => [head, start])),
    [[2, 2]],
  );
  assert.deepEqual(
    client.of(T.MESSAGE).map(({ seq }) => seq),
    [2],
  );
});
