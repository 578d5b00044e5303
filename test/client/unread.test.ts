// Owns the proof that the count of unread messages is the server's, whatever is read, deleted, hidden or lost, on this
// device or another.
// Invariant: a course is decided by its steps alone; the count is compared without asking the server again.
// Must not: reach into the client.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ChatLog } from '../../client/chat-log.js';
import { MemoryStore } from '../../client/store-memory.js';
import { Unread } from '../../client/unread.js';
import { MARK_OP, OP } from '../../transport/frames.js';
import { ManualWorld } from '../actors/manual-world.js';
import { advance, type Bench, bench, settle } from './bench.js';
import { FakeServer } from './fake-server.js';

const NAMES = ['bob', 'carol'] as const;
const KINDS = [
  'post',
  'send',
  'sentElsewhere',
  'read',
  'readElsewhere',
  'delete',
  'hide',
  'hideElsewhere',
  'clear',
] as const;
const TROUBLE = ['cut', 'crash', 'lose', 'resync', 'wait', 'away'] as const;

type Step = {
  readonly type: (typeof KINDS)[number] | (typeof TROUBLE)[number];
  readonly name: string;
  readonly at: number;
};

const name = fc.constantFrom(...NAMES);
const at = fc.nat(40);
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: fc.constant('post' as const), name, at }) },
    { weight: 6, arbitrary: fc.record({ type: fc.constantFrom(...KINDS), name, at }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constantFrom(...TROUBLE), name, at }) },
  ),
  { maxLength: 50 },
);

class Course {
  readonly world = new ManualWorld();
  readonly server = new FakeServer(this.world);
  readonly #store = new MemoryStore();
  readonly #backfill: number;
  #bench: Bench | undefined;

  constructor(backfill: number, before: number) {
    this.#backfill = backfill;
    for (const name of NAMES) for (let i = 0; i < before; i++) this.server.post(this.server.chat(name), `${i}`);
    // A device that begins late has no more than its backfill.
    if (backfill > 0) for (const chat of this.server.chats) chat.start = Math.max(1, chat.rows.length - backfill + 1);
  }

  async start(): Promise<void> {
    const { world, server } = this;
    this.#bench = await bench({
      world,
      server,
      store: this.#store,
      offline: true,
      credit: 16,
      backfill: this.#backfill,
    });
    this.#bench.session.on('event', () => {});
  }

  async step({ type, name, at }: Step): Promise<void> {
    const { server, world } = this;
    const chat = server.chat(name);
    const known = this.#bench!.session.direct(name);
    const seq = Math.max(1, chat.rows.length - at);
    const exists = chat.rows.length > 0;
    switch (type) {
      case 'post':
        for (let i = 0; i <= at % 7; i++) server.post(chat, 'x');
        break;
      case 'send':
        known.send('mine').catch(() => {});
        break;
      case 'sentElsewhere':
        server.post(chat, 'mine', 'alice');
        break;
      case 'read':
        known.read(known.head - (at % 5));
        break;
      case 'readElsewhere':
        server.account.read(chat, seq);
        break;
      case 'delete':
        if (chat.rows[seq - 1]?.op === undefined && exists) server.event(chat, OP.deleted, [seq]);
        break;
      case 'hide':
        if (exists && known.id !== '') known.deleteForMe([seq]).catch(() => {});
        break;
      case 'hideElsewhere':
        if (exists) server.account.mark(chat, MARK_OP.hidden, 0, [seq], at % 3 === 0);
        break;
      case 'clear':
        if (exists) server.account.mark(chat, MARK_OP.cleared, seq, [], at % 3 === 0);
        break;
      case 'cut':
        server.connections.at(-1)?.cut();
        break;
      case 'away':
        server.connections.at(-1)?.cut();
        for (let i = 0; i < at; i++) server.post(chat, 'y');
        server.account.read(chat, chat.rows.length - (at % 4));
        break;
      case 'lose': {
        const connection = server.connections.at(-1);
        if (connection?.synced) connection.next.set(chat, chat.rows.length + 2);
        server.post(chat, 'z');
        break;
      }
      case 'resync': {
        const connection = server.connections.at(-1);
        if (connection?.open && connection.synced) connection.send({ type: 46 });
        break;
      }
      case 'wait':
        await advance(world, 100 * at, 50);
        break;
      case 'crash':
        // As a killed process: nothing is flushed, nothing said; 4409 keeps the old session from dialling.
        server.connections.at(-1)?.cut(4409);
        await settle(world);
        if (this.#bench!.session.state !== 'replaced') await this.#bench!.session.close();
        await this.start();
        break;
    }
    await settle(world);
  }

  /** As things stand. */
  async compare(): Promise<void> {
    const { server, world } = this;
    await advance(world, 2_000, 100);
    for (const chat of server.chats) {
      const known = this.#bench!.session.direct(chat.name);
      assert.equal(known.unread, server.account.unread(chat), chat.name);
    }
  }

  async check(): Promise<void> {
    const { server, world } = this;
    await advance(world, 90_000, 500);
    // A connection that hears of everything from its beginning: a push that was lost is made up for by the next.
    server.last.cut();
    await advance(world, 5_000, 100);
    const asked = server.last.of(11).length;
    for (const name of NAMES) {
      const chat = server.chat(name);
      if (chat.rows.length === 0) continue;
      // Live, after the last LIST.
      server.post(chat, 'end');
      server.post(chat, 'end');
      server.event(chat, OP.deleted, [chat.rows.length - 1]);
      await advance(world, 1_000, 100);
      const known = this.#bench!.session.direct(name);
      assert.equal(known.unread, server.account.unread(chat), name);
      server.account.read(chat, chat.rows.length - 2);
      await advance(world, 1_000, 100);
      assert.equal(known.unread, server.account.unread(chat), `${name}, when the end was read`);
    }
    assert.equal(server.last.of(11).length, asked, 'not asked again');
  }
}

describe('unread', () => {
  test('what is counted here is what the server counts', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(0, 0, 5), fc.nat(30), async (course, backfill, before) => {
        const run = new Course(backfill, before);
        await run.start();
        await settle(run.world);
        for (const step of course) await run.step(step);
        await run.check();
      }),
      { numRuns: Number(process.env.WEFT_RUNS ?? 60) },
    );
  });

  test('without a server that counts, too, while nothing is lost', async () => {
    const quiet = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.record({ type: fc.constant('post' as const), name, at }) },
        {
          weight: 6,
          arbitrary: fc.record({ type: fc.constantFrom(...KINDS), name, at: at.map((n) => n - (n % 3) + 1) }),
        },
        { weight: 1, arbitrary: fc.record({ type: fc.constant('wait' as const), name, at }) },
      ),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(quiet, async (course) => {
        const run = new Course(0, 0);
        run.server.account.counts = false;
        await run.start();
        await settle(run.world);
        for (const step of course) await run.step(step);
        await run.compare();
      }),
      { numRuns: Number(process.env.WEFT_RUNS ?? 60) },
    );
  });

  test('a model of numbers: any order of additions, removals, readings and counts', () => {
    type Op = readonly ['add' | 'remove' | 'read' | 'list', number];
    const op = fc.tuple(
      fc.constantFrom('add' as const, 'add' as const, 'remove' as const, 'read' as const, 'list' as const),
      fc.nat(9),
    );
    fc.assert(
      fc.property(fc.array(op), (ops: readonly Op[]) => {
        const unread = new Unread();
        const model = new Set<number>();
        let head = 0;
        let read = 0;
        for (const [type, n] of ops) {
          if (type === 'add') {
            for (let i = 0; i <= n; i++) {
              head++;
              if (n % 3 === 2 && i === 1) continue;
              model.add(head);
              unread.add(head);
            }
          } else if (type === 'remove') {
            for (let seq = head - n; seq <= head - Math.floor(n / 2); seq++) model.delete(seq);
            unread.remove(head - n, head - Math.floor(n / 2), read);
          } else if (type === 'read') {
            read = Math.max(read, head - n);
            for (const seq of model) if (seq <= read) model.delete(seq);
            unread.settle(read, head);
          } else unread.list(model.size, head, read, head);
          const again = new Unread();
          again.restore(unread.stored() ?? []);
          assert.deepEqual([unread.count, again.count], [model.size, model.size]);
        }
      }),
    );
  });

  test('what was deleted while its user was out of the group is not unread', () => {
    const unread = new Unread();
    for (let seq = 1; seq <= 5; seq += 1) unread.add(seq);
    unread.returned();
    unread.asked();
    assert.equal(unread.list(2, 5, 0, 5), true);
    assert.equal(unread.count, 2);
    unread.add(6);
    assert.equal(unread.count, 3);
    unread.settle(4, 6);
    assert.ok(unread.count <= 2, 'at most 5 and 6 are left');
    unread.settle(6, 6);
    assert.equal(unread.count, 0);
  });

  test('what was deleted while its user was out of the group, and is handled after the server counted, is not unread', () => {
    const unread = new Unread();
    unread.add(1);
    unread.returned();
    // Of 1 to 4 one is gone; 2 to 4 were here, and wait for the application.
    assert.equal(unread.list(3, 5, 0, 1), true);
    for (const seq of [2, 3, 4]) unread.add(seq);
    unread.settle(0, 5);
    assert.equal(unread.count, 3);
    unread.add(6);
    unread.settle(5, 6);
    assert.equal(unread.count, 1);
  });

  test('what the server no longer counted, and whose deletion is told later, is taken away once', () => {
    const unread = new Unread();
    for (let seq = 1; seq <= 5; seq += 1) unread.add(seq);
    unread.returned();
    // 6 says that 4 was deleted.
    unread.asked();
    assert.equal(unread.list(4, 6, 0, 5), true);
    unread.remove(4, 4, 0);
    unread.settle(0, 6);
    assert.equal(unread.count, 4);
  });

  test('what the server counted and has not sent yet is counted once', () => {
    const unread = new Unread();
    unread.begin(4);
    // 1 to 3 are not for this device, 4 and 5 were handled, 6 to 9 are on their way.
    unread.add(4);
    unread.list(7, 9, 1, 5);
    assert.equal(unread.count, 7);
    for (const seq of [6, 7, 8]) {
      unread.add(seq);
      unread.settle(1, seq);
      assert.equal(unread.count, 7, `with ${seq}`);
    }
    unread.settle(3, 8);
    assert.equal(unread.count, 5, '4, 6, 7, 8 and what is 9');
    unread.settle(3, 9);
    assert.equal(unread.count, 4, '9 was no message');
  });

  test('what was read stays read over a restart, though the server counted before it knew', () => {
    const log = new ChatLog();
    log.place(0);
    log.cursor = 4;
    log.done = 4;
    log.told(3);
    log.readTo(3);
    const again = new ChatLog();
    again.restore(log.stored());
    // The READ of 3 is not stored there yet.
    again.state.unread.list(1, 4, again.read, again.done);
    assert.equal(again.state.unread.count, 0);
  });

  test('what a device never had is known to be unread over a restart', () => {
    const log = new ChatLog();
    log.place(4);
    const again = new ChatLog();
    again.restore(log.stored());
    again.state.unread.list(3, 4, 1, 4);
    assert.equal(again.state.unread.count, 3);
  });

  test('beyond the limit the newest are kept, and the count stays right when some are read', () => {
    const unread = new Unread();
    for (let seq = 1; seq <= 2_500; seq++) unread.add(seq);
    assert.equal(unread.count, 1_000);
    unread.settle(1_400, 2_500);
    assert.equal(unread.count, 1_000, '1,100 are left');
    unread.settle(1_600, 2_500);
    assert.equal(unread.count, 900);
    assert.ok((unread.stored()?.length ?? 0) < 10, 'stored as runs');
  });
});
