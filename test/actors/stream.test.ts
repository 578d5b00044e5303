// Owns the tests of what is streamed: live, lost, behind, out of credit, in any order, against the list of visible numbers.
// Invariant: the client of the model moves its cursor only by frames and gaps, as docs/wire.md tells it to.
// Must not: use actors; pages are read when the test says so.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../actors/limits.js';
import type { ChatInfo, ConnectionRef } from '../../actors/messages.js';
import { type Page, readPage, Stream } from '../../actors/stream.js';
import { type View, Views } from '../../actors/views.js';
import { visibleFrom } from '../../actors/visibility.js';
import { chatKey, inboxKey, messageKey } from '../../storage/keys.js';
import { openMemory } from '../../storage/memory.js';
import { encodeInbox, type Span } from '../../storage/rows.js';
import { encodeMessageRow } from '../../transport/row.js';
import { oneEntry } from './delivery.js';
import { ManualWorld } from './manual-world.js';

const ROW = encodeMessageRow('bob', new Uint8Array(16), 0, new Uint8Array(4));

/** One client, some chats whose logs grow, and a user who comes and goes. */
class Scene {
  readonly world = new ManualWorld();
  readonly store = openMemory({ world: this.world });
  readonly views = new Views();
  readonly infos: ChatInfo[];
  readonly heads: number[];
  readonly spans: Span[][];
  /** What the client has, by chat. */
  readonly got: number[][];
  readonly cursors: number[];
  buffered = 0;
  readonly stream: Stream;
  #page: { readonly page: Promise<Page> } | null = null;

  constructor(chats: number, credit: number) {
    const each = <T>(make: (at: number) => T): T[] => Array.from({ length: chats }, (_, at) => make(at));
    this.infos = each((at) => {
      const chat = Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 2 : at));
      return { chat, key: chatKey(chat), kind: 2, pair: null, title: `${at}` };
    });
    this.heads = each(() => 0);
    this.spans = each(() => [{ from: 1, until: 0 }]);
    this.got = each(() => []);
    this.cursors = each(() => 0);
    this.stream = new Stream(this.views, {
      delivery: (view, _from, seq) => this.#take(view, seq),
      gap: (view, _head, start) => {
        const at = this.#at(view);
        this.cursors[at] = Math.max(this.cursors[at]!, start - 1);
      },
      buffered: () => this.buffered,
    });
    this.stream.credit = credit;
  }

  #at(view: View): number {
    return this.infos.findIndex(({ key }) => key === view.key);
  }

  #take(view: View, seq: number): void {
    const at = this.#at(view);
    assert.equal(seq, this.cursors[at]! + 1, `chat ${at}`);
    this.cursors[at] = seq;
    this.got[at]!.push(seq);
  }

  async #commit(at: number): Promise<void> {
    const { chat, title } = this.infos[at]!;
    const flags = { large: true, hot: false, wrote: false };
    const inbox = { kind: 2, ...flags, head: 0, at: 0, delivered: 0, read: 0, devices: [], name: title };
    const value = encodeInbox({ ...inbox, spans: this.spans[at]! });
    const writes = [{ key: inboxKey('ada', chat), value }];
    if (this.heads[at]! > 0) writes.push({ key: messageKey(chat, this.heads[at]!), value: ROW });
    const done = this.store.commit({ checks: [], writes });
    for (let i = 0; i < 4; i += 1) {
      await Promise.resolve();
      this.world.settle();
    }
    await done;
  }

  /** An entry of the chat, by which the user perhaps joins or leaves; told live, or lost on the way. */
  async append(at: number, what: 'message' | 'join' | 'leave', way: 'live' | 'lost'): Promise<void> {
    const spans = this.spans[at]!;
    const last = spans[spans.length - 1]!;
    const member = last.until === 0;
    this.heads[at]! += 1;
    const seq = this.heads[at]!;
    const joins = what === 'join' && !member;
    if (joins) spans.push({ from: seq, until: 0 });
    if (what === 'leave' && member) last.until = seq;
    await this.#commit(at);
    if (!member && !joins) return;
    const joined = joins ? ['ada'] : [];
    const delivery = oneEntry({ info: this.infos[at]!, seq, row: ROW, joined });
    if (way === 'live') this.stream.delivery(delivery, 'ada', null);
    else if (!this.views.missed(delivery)) this.resync();
  }

  /** Starts reading a page if there is cause; `finish` hands it over. */
  start(): boolean {
    if (this.#page !== null) return true;
    const view = this.stream.next();
    if (view === null) return false;
    this.#page = { page: readPage(this.store, 'ada', view, this.stream.credit) };
    return true;
  }

  async finish(): Promise<void> {
    const { page } = this.#page ?? { page: null };
    this.#page = null;
    if (page !== null) this.stream.page(await page);
  }

  /** The client said where it stands. */
  resync(): void {
    this.views.forget();
    for (const [at, info] of this.infos.entries()) {
      const next = visibleFrom(this.spans[at]!, this.cursors[at]! + 1);
      if (next === null || next.from > this.heads[at]!) {
        const view = this.views.get(info.key);
        if (view !== undefined) view.cursor = this.heads[at]!;
        continue;
      }
      const view = this.views.open(info.chat, info.key);
      this.cursors[at] = next.from - 1;
      view.cursor = next.from - 1;
      this.views.fallBehind(view, this.heads[at]!);
    }
  }

  visible(at: number): number[] {
    return Array.from({ length: this.heads[at]! }, (_, i) => i + 1).filter((seq) => {
      const next = visibleFrom(this.spans[at]!, seq);
      return next !== null && next.from === seq;
    });
  }
}

const chat = fc.nat(2);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('append' as const), chat, way: fc.constantFrom('live', 'lost') }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('join' as const, 'leave' as const), chat }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('credit' as const), n: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('buffer' as const), full: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ type: 'start' as const }) },
  { weight: 2, arbitrary: fc.constant({ type: 'finish' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'resync' as const }) },
);

test('whatever is lost, late or out of credit: every visible entry once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), fc.nat(4), async (steps, credit) => {
      const scene = new Scene(3, credit);
      for (const action of steps) {
        const given = scene.got.flat().length;
        const had = scene.stream.credit;
        if (action.type === 'append')
          await scene.append(action.chat, 'message', action.way === 'live' ? 'live' : 'lost');
        else if (action.type === 'join' || action.type === 'leave')
          await scene.append(action.chat, action.type, 'live');
        else if (action.type === 'credit') scene.stream.credit += action.n;
        else if (action.type === 'buffer') scene.buffered = action.full ? LIMITS.buffered + 1 : 0;
        else if (action.type === 'start') scene.start();
        else if (action.type === 'finish') await scene.finish();
        else scene.resync();
        const more = scene.got.flat().length - given;
        if (action.type !== 'credit') assert.equal(scene.stream.credit, had - more);
        assert.ok(scene.stream.credit >= 0);
      }
      scene.buffered = 0;
      scene.stream.credit = 10_000;
      while (scene.start()) await scene.finish();
      for (const at of scene.infos.keys()) assert.deepEqual(scene.got[at], scene.visible(at));
    }),
    { numRuns: 300 },
  );
});

test('chats that are behind take turns, a page each', async () => {
  const scene = new Scene(2, 10_000);
  for (let i = 0; i < 3 * LIMITS.pageRows; i += 1) {
    await scene.append(0, 'message', 'lost');
    await scene.append(1, 'message', 'lost');
  }
  const course: string[] = [];
  while (scene.start()) {
    await scene.finish();
    course.push(scene.got.map((seqs) => seqs.length / LIMITS.pageRows).join());
  }
  assert.deepEqual(course, ['1,0', '1,1', '2,1', '2,2', '3,2', '3,3']);
});

test('what the client itself sent counts as sent, and costs no credit', async () => {
  const scene = new Scene(1, 1);
  await scene.append(0, 'message', 'live');
  assert.equal(scene.stream.credit, 0);
  scene.heads[0]! += 1;
  const self: ConnectionRef = { kind: 'connection', key: '', incarnation: 1, alive: true, tell: () => 'ok' };
  const own = oneEntry({ info: scene.infos[0]!, seq: 2, from: 'ada', row: ROW, origin: self });
  scene.stream.delivery(own, 'ada', self);
  assert.deepEqual([scene.views.behind, scene.views.get(own.info.key)!.cursor], [0, 2]);
});
