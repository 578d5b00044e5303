// Owns the end-to-end test of a device that connects a second time while its first connection is being caught up.
// Invariant: real sockets, a real store; what both connections got is compared with the log, number by number.
// Must not: depend on which of the two is faster.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOSE, T } from '../../transport/frames.js';
import { newId, RawClient, testNode, token, utf8 } from './harness.js';
import { cursors } from './talk.js';

const CHATS = 5;
/** As many as a client may have on their way. */
const EACH = 60;

/** What one client has got of each chat. */
class Tape {
  readonly client: RawClient;
  readonly #names = new Map<number, string>();
  readonly got = new Map<string, number[]>();
  #read = 0;

  constructor(client: RawClient) {
    this.client = client;
  }

  /** Reads the frames that have come. */
  roll(): void {
    for (const frame of this.client.frames.slice(this.#read)) {
      if (frame.type === T.CHAT) this.#names.set(frame.alias, hex(frame.chat));
      if (frame.type !== T.MESSAGE) continue;
      const chat = typeof frame.chat === 'number' ? this.#names.get(frame.chat)! : hex(frame.chat);
      this.got.set(chat, [...(this.got.get(chat) ?? []), frame.seq]);
    }
    this.#read = this.client.frames.length;
  }

  get total(): number {
    this.roll();
    return [...this.got.values()].reduce((sum, { length }) => sum + length, 0);
  }

  async until(total: number): Promise<void> {
    while (this.total < total) {
      assert.equal(this.client.closed, null);
      await this.client.changed();
    }
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

async function town(t: Parameters<typeof testNode>[0]) {
  const { url } = await testNode(t);
  const writers = await Promise.all(Array.from({ length: CHATS }, (_, at) => RawClient.join(url, `w${at}`, '1')));
  const chats = await Promise.all(writers.map((writer) => writer.direct('ada')));
  const write = (writer: RawClient, chat: Uint8Array): void =>
    writer.send({ type: T.SEND, chat, id: newId(), body: utf8('x') });
  for (const [at, writer] of writers.entries()) for (let i = 0; i < EACH; i += 1) write(writer, chats[at]!);
  for (const writer of writers) for (let i = 0; i < EACH; i += 1) await writer.next(T.SENT);
  let live = 0;
  const more = async (): Promise<void> => {
    live += 1;
    for (const [at, writer] of writers.entries()) write(writer, chats[at]!);
    for (const writer of writers) await writer.next(T.SENT);
  };
  return { url, chats, more, head: () => EACH + live };
}

/** The newer connection has everything above `have`, once and in order. */
function whole(tape: Tape, chats: readonly Uint8Array[], have: (chat: string) => number, head: number): void {
  for (const chat of chats) {
    const from = have(hex(chat)) + 1;
    const expected = Array.from({ length: head - from + 1 }, (_, at) => from + at);
    assert.deepEqual(tape.got.get(hex(chat)) ?? [], expected);
  }
}

test('takeover in the middle of a stream: the newer connection gets everything above its vector once, the older ends', async (t) => {
  const { url, chats, more, head } = await town(t);
  const older = new Tape(await RawClient.join(url, 'ada', '1', [], 100));
  await older.until(100);
  // Credit for more, of which some is on its way while the newer one comes.
  older.client.send({ type: T.CREDIT, n: 75 });
  const vector = chats.map((chat): [Uint8Array, number] => [chat, older.got.get(hex(chat))?.length ?? 0]);
  const newer = new Tape(await RawClient.join(url, 'ada', '1', vector, 10_000));
  const had = new Map(vector.map(([chat, seq]) => [hex(chat), seq]));
  for (let i = 0; i < 10; i += 1) await more();
  const sum = [...had.values()].reduce((total, seq) => total + seq, 0);
  await newer.until(CHATS * head() - sum);
  assert.equal(await older.client.closing(), CLOSE.replaced);
  await more();
  await newer.until(CHATS * head() - sum);
  whole(newer, chats, (chat) => had.get(chat)!, head());
  older.roll();
  for (const [, seqs] of older.got)
    assert.deepEqual(
      seqs,
      seqs.map((_, at) => at + 1),
    );
});

test('takeover again and again, each before the last was answered: the last one has everything once', async (t) => {
  const { url, chats, more, head } = await town(t);
  const bearer = await token('ada', '1');
  const clients: RawClient[] = [];
  for (let i = 0; i < 12; i += 1) {
    const client = await RawClient.open(url);
    client.send({ type: T.HELLO, version: 1, token: bearer, credit: 10_000, agent: 'test' });
    client.sync(i % 3 === 2 ? chats.map((chat) => [chat, 25]) : []);
    clients.push(client);
    if (i % 2 === 0) await more();
  }
  const last = clients.pop()!;
  await last.next(T.SYNCED);
  for (const client of clients) assert.equal(await client.closing(), CLOSE.replaced);
  await more();
  const tape = new Tape(last);
  await tape.until(CHATS * (head() - 25));
  whole(tape, chats, () => 25, head());
});

test('an acknowledgement of the older connection counts, and the newer one is not sent what it did not list', async (t) => {
  const { url, chats } = await town(t);
  const older = new Tape(await RawClient.join(url, 'ada', '1', [], 10_000));
  await older.until(CHATS * EACH);
  older.client.send({ type: T.READ, chat: chats[0]!, seq: EACH });
  // What the server has not read when the newer one takes over is gone with the socket.
  older.client.send({ type: T.PING, n: 1 });
  await older.client.next(T.PONG);
  const newer = await RawClient.join(
    url,
    'ada',
    '1',
    chats.map((chat) => [chat, EACH]),
  );
  assert.equal(await older.client.closing(), CLOSE.replaced);
  const info = (): Promise<Record<string, string>> => cursors(newer, chats[0]!);
  while ((await info()).ada !== `${EACH}/${EACH}`);
  assert.ok(!newer.frames.some((frame) => frame.type === T.MESSAGE));
});
