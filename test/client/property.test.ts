// Owns the property that matters most: whatever is cut, doubled, reordered or refused, the application sees each message
// once and in order, and each send lands once and in order.
// Invariant: one course is decided by its steps alone; a failure prints them.
// Must not: be weakened where it fails: what it found were bugs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MemoryStore } from '../../client/store-memory.js';
import type { ClientFrame } from '../../transport/frames.js';
import { ManualWorld } from '../actors/manual-world.js';
import { advance, type Bench, bench, settle } from './bench.js';
import { FakeServer } from './fake-server.js';

const NAMES = ['bob', 'carol'] as const;

type Step =
  /** Somebody writes. */
  | { readonly type: 'post'; readonly name: string; readonly count: number }
  | { readonly type: 'send'; readonly name: string; readonly count: number }
  /** Breaks the connection; what is under way is lost. */
  | { readonly type: 'cut' }
  /** Breaks it when so many more frames came from the client, before or after the server took the last one in. */
  | { readonly type: 'fuse'; readonly frames: number; readonly taken: boolean }
  /** Pushes rows again, or ahead of others. */
  | { readonly type: 'noise'; readonly name: string; readonly at: number }
  /** Writes without telling, so that the next push comes above a gap. */
  | { readonly type: 'lose'; readonly name: string }
  | { readonly type: 'resync' }
  /** The next sends are refused for now. */
  | { readonly type: 'busy'; readonly count: number }
  | { readonly type: 'wait'; readonly ms: number }
  /** The application ends without closing, and starts again over the same store. */
  | { readonly type: 'crash' };

const name = fc.constantFrom(...NAMES);
const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ type: fc.constant('post' as const), name, count: fc.integer({ min: 1, max: 9 }) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ type: fc.constant('send' as const), name, count: fc.integer({ min: 1, max: 4 }) }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('cut' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant('fuse' as const),
        frames: fc.integer({ min: 1, max: 6 }),
        taken: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('noise' as const), name, at: fc.nat(30) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('lose' as const), name }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('resync' as const) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('busy' as const), count: fc.integer({ min: 1, max: 4 }) }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 3_000 }) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('crash' as const) }) },
  ),
  { maxLength: 40 },
);

class Course {
  readonly world = new ManualWorld();
  readonly server = new FakeServer(this.world);
  readonly store = new MemoryStore();
  /** What the application saw over all its runs. */
  readonly seen: string[] = [];
  /** Positions at which a run started: messages after the stored cursor may come again there, once. */
  readonly runs: number[] = [];
  #bench: Bench | undefined;
  #sends = 0;
  #busy = 0;
  #fuse: { frames: number; readonly taken: boolean } | undefined;

  constructor(echo: boolean, chance: number) {
    for (let i = 0; i < chance; i++) this.world.random();
    this.server.echo = echo;
    this.server.intercept = (frame, connection) => {
      if (this.#fuse !== undefined && --this.#fuse.frames === 0) {
        if (this.#fuse.taken) this.server.handle(connection, frame);
        this.#fuse = undefined;
        connection.cut();
        return true;
      }
      return this.#refused(frame);
    };
  }

  async start(credit: number): Promise<void> {
    const { world, server, store } = this;
    this.#bench = await bench({ world, server, store, credit, offline: true, listen: false });
    this.runs.push(this.seen.length);
    this.#bench.session.on('message', ({ chat, seq, text, from }) => {
      // By its id: the name of a chat that came without one is still being asked for.
      const known = server.chats.find(({ id }) => Buffer.from(id).toString('hex') === chat.id);
      this.seen.push(`${known?.name} ${seq} ${from} ${text}`);
    });
    await settle(world);
  }

  async step(step: Step, credit: number): Promise<void> {
    const { server, world } = this;
    const connection = server.connections.at(-1);
    switch (step.type) {
      case 'post':
        for (let i = 0; i < step.count; i++)
          server.post(server.chat(step.name), `p${server.chat(step.name).rows.length}`);
        break;
      case 'send':
        for (let i = 0; i < step.count; i++) {
          this.#bench?.session
            .direct(step.name)
            .send(`s${this.#sends++}`)
            .catch(() => {});
        }
        break;
      case 'cut':
        connection?.cut();
        break;
      case 'fuse':
        this.#fuse = { frames: step.frames, taken: step.taken };
        break;
      case 'noise':
        this.#noise(step.name, step.at);
        break;
      case 'lose': {
        const chat = server.chat(step.name);
        if (connection?.synced) connection.next.set(chat, chat.rows.length + 2);
        server.post(chat, `p${chat.rows.length}`);
        break;
      }
      case 'resync':
        if (connection?.open && connection.synced) connection.send({ type: 46 });
        break;
      case 'busy':
        this.#busy = step.count;
        break;
      case 'wait':
        await advance(world, step.ms, 50);
        break;
      case 'crash':
        await this.#crash();
        await this.start(credit);
        break;
    }
    await settle(world);
  }

  /** Gives everything time to heal, and a last message to each chat, which shows up any gap. */
  async heal(): Promise<void> {
    this.#fuse = undefined;
    this.#busy = 0;
    await advance(this.world, 90_000, 500);
    for (const name of NAMES) this.server.post(this.server.chat(name), 'end');
    await advance(this.world, 30_000, 200);
  }

  check(): void {
    assert.deepEqual(this.#bench?.session.pending(), []);
    const landed: string[] = [];
    for (const name of NAMES) {
      const { rows } = this.server.chat(name);
      const theirs = rows.flatMap(({ from, body }, i) => {
        const text = new TextDecoder().decode(body);
        if (from !== 'alice') return [`${name} ${i + 1} ${from} ${text}`];
        landed.push(text);
        return [];
      });
      const own = rows
        .filter(({ from }) => from === 'alice')
        .map(({ body }) => Number(new TextDecoder().decode(body).slice(1)));
      assert.deepEqual(
        own,
        [...own].sort((a, b) => a - b),
        'own messages keep their order',
      );
      assert.deepEqual(this.#seenOf(name), theirs, 'each message once, in order');
    }
    const all = Array.from({ length: this.#sends }, (_, i) => `s${i}`);
    assert.deepEqual(landed.sort(), all.sort(), 'each send landed once');
  }

  /** What the application saw of a chat; each run may begin with a repetition of what the last one had not stored. */
  #seenOf(name: string): string[] {
    const result: string[] = [];
    this.runs.forEach((from, i) => {
      const run = this.seen.slice(from, this.runs[i + 1]).filter((line) => line.startsWith(`${name} `));
      const first = run[0];
      const again = first === undefined ? -1 : result.indexOf(first);
      if (again >= 0) result.splice(again);
      result.push(...run);
    });
    return result;
  }

  #noise(name: string, at: number): void {
    const chat = this.server.chat(name);
    const connection = this.server.connections.at(-1);
    const row = chat.rows[at % Math.max(1, chat.rows.length)];
    if (row === undefined || !connection?.open || !connection.synced || connection.credit === 0) return;
    if (row.from === 'alice') return;
    connection.credit--;
    const seq = chat.rows.indexOf(row) + 1;
    connection.send({ type: 34, chat: chat.id, from: row.from, seq, id: row.id, lag: 0, body: row.body });
  }

  #refused(frame: ClientFrame): boolean {
    if (frame.type !== 2 || this.#busy <= 0) return false;
    this.#busy--;
    this.server.refuse(this.server.last, frame, 'busy', 100);
    return true;
  }

  async #crash(): Promise<void> {
    // As a killed process: nothing is flushed, nothing said; 4409 keeps the old session from dialling.
    this.server.connections.at(-1)?.cut(4409);
    await settle(this.world);
    if (this.#bench?.session.state !== 'replaced') await this.#bench?.session.close();
  }
}

test('each message once and in order, each send once and in order, whatever happens', async () => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.boolean(),
      fc.integer({ min: 4, max: 40 }),
      fc.nat(500),
      async (course, echo, credit, chance) => {
        const run = new Course(echo, chance);
        await run.start(credit);
        for (const step of course) await run.step(step, credit);
        await run.heal();
        run.check();
      },
    ),
    { numRuns: Number(process.env.WEFT_RUNS ?? 60) },
  );
});
