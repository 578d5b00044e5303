// Owns the end-to-end test of damaged rows: what a client is told where the store holds what nobody wrote there.
// Invariant: every question is answered, by a result or a code, or the connection is closed with one; chats and users whose
// rows are sound notice nothing; the node says which row it was.
// Must not: damage the file itself: that is the engine's matter.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  accountKey,
  chatRowKey,
  deviceKey,
  idPageRange,
  inboxKey,
  marksKey,
  messageKey,
  profileKey,
  sweepKey,
} from '../../storage/keys.js';
import type { Store } from '../../storage/store.js';
import { CLOSE, type ClientFrame, OP, T } from '../../transport/frames.js';
import { newId, RawClient, type TestNode, testNode, text, utf8 } from './harness.js';

type Damage = (row: Uint8Array) => Uint8Array;

const cut: Damage = (row) => row.slice(0, row.length - 3);
const noise: Damage = () => new Uint8Array(64).fill(0xc1);

async function damage(store: Store, key: Uint8Array, how: Damage): Promise<void> {
  const row = (await store.get(key)) ?? new Uint8Array(40);
  const result = await store.commit({ checks: [], writes: [{ key, value: how(row) }] });
  assert.equal(result.outcome, 'committed');
}

async function send(client: RawClient, chat: Uint8Array, body: string): Promise<number> {
  client.send({ type: T.SEND, chat, id: newId(), body: utf8(body) });
  return (await client.next(T.SENT)).seq;
}

interface Scene extends TestNode {
  readonly ada: RawClient;
  readonly bob: RawClient;
  readonly carol: RawClient;
  /** Chat ids. */
  readonly bobs: Uint8Array;
  readonly carols: Uint8Array;
}

/** Ada has written three messages to bob, and carol three to ada, and all chats are at rest. */
async function scene(t: Parameters<typeof testNode>[0]): Promise<Scene> {
  const node = await testNode(t, { settings: { passivateMs: 50 } });
  const [ada, bob, carol] = await Promise.all(
    ['ada', 'bob', 'carol'].map((user) => RawClient.join(node.url, user, `${user}1`)),
  );
  assert(ada && bob && carol);
  const [bobs, carols] = [await ada.direct('bob'), await carol.direct('ada')];
  for (const body of ['one', 'two', 'three']) await Promise.all([send(ada, bobs, body), send(carol, carols, body)]);
  await Promise.all([ada, bob].map((client) => client.next(T.MESSAGE, ({ seq }) => seq === 3)));
  while (node.node.chats.some((pool) => pool.size > 0)) await new Promise((resolve) => setTimeout(resolve, 20));
  return { ...node, ada, bob, carol, bobs, carols };
}

/** Everything that can be asked of a chat: each answer's code, or 'granted'. */
async function questions(client: RawClient, chat: Uint8Array): Promise<Record<string, string>> {
  const answers: Record<string, string> = {};
  const { closed } = client;
  assert.equal(closed, null);
  client.send({ type: T.SEND, chat, id: newId(), body: utf8('again') });
  const sent = await client.next([T.SENT, T.FAILED]);
  answers.send = sent.type === T.FAILED ? sent.code : 'granted';
  const asks = {
    history: (r: number) => ({ type: T.HISTORY, r, chat, before: 0, limit: 10 }) as const,
    info: (r: number) => ({ type: T.INFO, r, chat }) as const,
    receipts: (r: number) => ({ type: T.RECEIPTS, r, chat, seq: 2 }) as const,
    mark: (r: number) => ({ type: T.MARK, r, chat, op: 3, value: 1, seqs: [] }) as const,
    marks: (r: number) => ({ type: T.MARKS, r, since: 0, limit: 10 }) as const,
    list: (r: number) => ({ type: T.LIST, r, after: null, limit: 10 }) as const,
    devices: (r: number) => ({ type: T.DEVICES, r }) as const,
    profile: (r: number) => ({ type: T.PROFILE, r, user: 'ada', version: 0 }) as const,
    describe: (r: number) => ({ type: T.DESCRIBE, r, name: 'x', avatar: '', about: '', fields: [] }) as const,
    erase: (r: number) =>
      ({ type: T.CHANGE, r, chat, id: newId(), op: OP.deleted, users: [], args: [2] }) satisfies ClientFrame,
  };
  for (const [name, make] of Object.entries(asks)) {
    const r = client.request();
    client.send(make(r));
    const answer = await client.next([T.OK, T.PAGE, T.ERROR], (frame) => frame.r === r);
    answers[name] = answer.type === T.ERROR ? answer.code : 'granted';
  }
  return answers;
}

/** What of `questions` is answered with a code that tells to try again. */
function withheld(answers: Record<string, string>): string[] {
  const refused = Object.entries(answers).filter(([, code]) => code !== 'granted');
  for (const [name, code] of refused) assert.equal(code, 'unavailable', name);
  return refused.map(([name]) => name);
}

const rows: readonly [
  what: string,
  key: (s: Scene) => Uint8Array | Promise<Uint8Array>,
  withheld: readonly string[],
  andOfNoise?: readonly string[],
][] = [
  ['entry', (s) => messageKey(s.bobs, 2), ['send', 'history', 'info', 'receipts', 'erase'], ['list']],
  ['chat row', (s) => chatRowKey(s.bobs), ['send', 'info', 'receipts', 'erase']],
  ['inbox row', (s) => inboxKey('ada', s.bobs), ['send', 'history', 'info', 'receipts', 'mark', 'list', 'erase']],
  ['sweep row', (s) => sweepKey(s.bobs), ['send', 'info', 'receipts', 'erase']],
  ['id page', (s) => idPageRange(s.bobs, 0).start, ['send', 'info', 'receipts', 'erase']],
  ['marks row', (s) => marksKey('ada', s.bobs), ['history', 'mark', 'list']],
  ['account row', () => accountKey('ada'), ['mark', 'describe', 'devices']],
  ['profile row', () => profileKey('ada'), ['profile', 'describe']],
  ['device row', () => deviceKey('ada', 'ada1'), ['receipts', 'devices']],
];

for (const [what, key, expected, more] of rows) {
  for (const how of [cut, noise]) {
    test(`a damaged ${what} (${how === cut ? 'cut' : 'noise'})`, async (t) => {
      const s = await scene(t);
      await damage(s.node.store, await key(s), how);
      const mine = await questions(s.ada, s.bobs);
      assert.deepEqual(withheld(mine).sort(), [...expected, ...(how === noise ? (more ?? []) : [])].sort());
      const others = await questions(s.carol, s.carols);
      assert.deepEqual(withheld(others), what === 'profile row' ? ['profile'] : [], 'the other chat notices nothing');
      assert.equal(s.ada.closed, null);
      assert.ok(!s.events.includes('connection_crashed') && !s.events.includes('crashed'), `${s.events}`);
      assert.equal(s.node.acceptor.crashes, 0);
    });
  }
}

test('a damaged entry stops its own chat’s stream and no other', async (t) => {
  const s = await scene(t);
  await damage(s.node.store, messageKey(s.bobs, 2), noise);
  const again = await RawClient.join(s.url, 'ada', 'ada2');
  await again.next(T.MESSAGE, ({ seq, body }) => seq === 3 && text(body) === 'three', 5_000);
  assert.equal(again.closed, null);
  assert.ok(s.events.includes('log_unreadable'));
  again.send({ type: T.PING, n: 1 });
  await again.next(T.PONG);
});

test('a damaged inbox row: its user is told to come later, and the other one is not disturbed', async (t) => {
  const s = await scene(t);
  await damage(s.node.store, inboxKey('ada', s.bobs), cut);
  const again = await RawClient.join(s.url, 'ada', 'ada2', null);
  again.sync([]);
  assert.equal(await again.closing(), CLOSE.goingAway);
  assert.equal(again.frames.findLast((frame) => frame.type === T.ERROR)?.code, 'unavailable');
  assert.ok(s.events.includes('inbox_unreadable'));
  const bob = await RawClient.join(s.url, 'bob', 'bob2');
  await bob.next(T.MESSAGE, ({ seq }) => seq === 3);
});
