// Owns a load of real SDK clients whose node goes through something: pairs that write to each other without end.
// Invariant: every body is written once by one sender; what `send` resolved with is remembered.
// Must not: know what happens to the node.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { connect, MemoryStore, type Session } from '../../client/index.js';
import { token } from './harness.js';

/** Of a body: a few messages fill a page. */
const FILLER = 'x'.repeat(1_500);

interface Pair {
  readonly sender: Session;
  readonly receiver: Session;
  readonly to: string;
  readonly acked: { readonly seq: number; readonly body: string }[];
  readonly seen: string[];
  sent: number;
}

export class Load {
  readonly #url: string;
  readonly #pairs: Pair[] = [];
  readonly #lanes: Promise<void>[] = [];
  #on = true;

  private constructor(url: string) {
    this.#url = url;
  }

  static async start(t: TestContext, url: string, pairs: number): Promise<Load> {
    const load = new Load(url);
    t.after(() => load.close());
    await Promise.all(Array.from({ length: pairs }, (_, at) => load.#add(at)));
    return load;
  }

  get acked(): number {
    return this.#pairs.reduce((sum, { acked }) => sum + acked.length, 0);
  }

  /** Resolves when `more` further messages were acknowledged. */
  async flow(more: number): Promise<void> {
    const before = this.acked;
    while (this.acked < before + more) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  /** No more sends; resolves when what is under way was acknowledged, and has arrived. */
  async rest(): Promise<void> {
    this.#on = false;
    await Promise.all(this.#lanes);
    while (this.#pairs.some(({ seen, sent }) => seen.length < sent)) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Holds what was acknowledged and seen against the log as the node has it now. */
  async check(): Promise<void> {
    for (const { sender, to, acked, seen, sent } of this.#pairs) {
      const log: string[] = [];
      for (let before = 0, more = true; more; ) {
        const page = await sender.direct(to).history({ before, limit: 100 });
        log.unshift(...page.items.map((item) => (item.type === 'message' ? item.text : '')));
        before = page.items[0]?.seq ?? 0;
        more = page.more && before > 1;
      }
      assert.equal(acked.length, sent, 'every send was acknowledged in the end');
      assert.equal(new Set(log).size, log.length, 'nothing is there twice');
      for (const { seq, body } of acked) assert.equal(log[seq - 1], body, 'what was acknowledged is in its place');
      assert.deepEqual(seen, log, 'the other side saw each once, in order');
    }
  }

  async close(): Promise<void> {
    this.#on = false;
    await Promise.all(this.#pairs.flatMap(({ sender, receiver }) => [sender.close(), receiver.close()]));
  }

  async #add(at: number): Promise<void> {
    const [from, to] = [`ada${at}`, `bob${at}`];
    const open = (user: string): Promise<Session> =>
      connect({
        url: this.#url,
        token: () => token(user, 'd'),
        store: new MemoryStore(),
        backoff: { base: 30, cap: 300, immediate: true },
      });
    const [sender, receiver] = await Promise.all([open(from), open(to)]);
    const pair: Pair = { sender, receiver, to, acked: [], seen: [], sent: 0 };
    receiver.on('message', ({ text }) => pair.seen.push(text));
    this.#pairs.push(pair);
    this.#lanes.push(this.#lane(pair));
  }

  async #lane({ sender, to, acked }: Pair): Promise<void> {
    const pair = this.#pairs.find((one) => one.sender === sender)!;
    while (this.#on) {
      pair.sent += 1;
      const body = `${pair.sent} to ${to} ${FILLER}`;
      const sent = await sender
        .direct(to)
        .send(body)
        .catch(() => null);
      if (sent === null) return;
      acked.push({ seq: sent.seq, body });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
