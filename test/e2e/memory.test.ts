// Owns the tests of what connections leave in memory: an idle one little, a closed one nothing.
// Invariant: what is measured is the live heap of this process, after collecting garbage, with a real node in it; the
// clients are a process of their own.
// Must not: measure RSS (npm run bench -- connections does): it depends on when garbage was collected.

import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { IdleOrder, IdleReport } from '../../bench/idle-load.js';
import { secret, type TestNode, testNode } from './harness.js';

/** Bytes of live heap that an idle connection and its user may take: 2,600 when this was written, 4,900 before. */
const EACH = 4_000;
/** What one that came and went may leave, on average: nothing, but compiled code makes noise. */
const GONE = 250;

setFlagsFromString('--expose-gc');
// Compiled code comes and goes by itself and is no concern here.
setFlagsFromString('--no-opt');
setFlagsFromString('--no-flush-bytecode');
const collect: () => void = runInNewContext('gc');

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Bytes of the live heap. */
async function heap(): Promise<number> {
  // What a first pass finalises, a second one frees.
  for (let pass = 0; pass < 2; pass += 1) {
    collect();
    await pause(20);
  }
  return getHeapStatistics().used_heap_size;
}

class Clients {
  readonly #node: TestNode;
  readonly #process: ChildProcess;

  constructor(t: TestContext, node: TestNode) {
    this.#node = node;
    this.#process = fork(join(import.meta.dirname, '../../bench/idle-load.js'));
    t.after(() => this.#process.kill());
  }

  open(from: number, count: number): Promise<void> {
    const { url } = this.#node;
    return this.#order({ type: 'open', url, secret: Buffer.from(secret).toString('hex'), from, count, net: null });
  }

  /** Closes all and waits until the node has forgotten them and their users. */
  async close(): Promise<void> {
    await this.#order({ type: 'close' });
    const { acceptor, users } = this.#node.node;
    while (acceptor.size > 0 || users.size > 0) await pause(20);
  }

  async #order(order: IdleOrder): Promise<void> {
    this.#process.send(order);
    const [report] = (await once(this.#process, 'message')) as [IdleReport];
    assert(!('failure' in report), JSON.stringify(report));
  }
}

async function scene(t: TestContext): Promise<Clients> {
  const node = await testNode(t, { settings: { passivateMs: 200 } });
  const clients = new Clients(t, node);
  // Loads code and fills pools.
  await clients.open(0, 300);
  await clients.close();
  return clients;
}

test('an idle connection and its user take little memory', async (t) => {
  const clients = await scene(t);
  const before = await heap();
  await clients.open(1_000, 1_000);
  const each = ((await heap()) - before) / 1_000;
  t.diagnostic(`${Math.round(each)} bytes each`);
  assert(each > 500, `a measure that sees nothing: ${each}`);
  assert(each <= EACH, `an idle connection takes ${Math.round(each)} bytes of heap; ${EACH} are allowed`);
});

test('connections that closed leave nothing', async (t) => {
  const clients = await scene(t);
  const before = await heap();
  for (let round = 0; round < 5; round += 1) {
    // The same users come again, others too.
    await clients.open(round * 200, 400);
    await clients.close();
  }
  const each = ((await heap()) - before) / 2_000;
  t.diagnostic(`${Math.round(each)} bytes each`);
  assert(each <= GONE, `a closed connection leaves ${Math.round(each)} bytes of heap; ${GONE} are allowed`);
});
