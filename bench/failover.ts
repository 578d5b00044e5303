// Owns the failover suite: three nodes under steady load, of which one is killed with -9, one drained, and one stopped in order, again and again; what
// the senders of each chat feel of it.
// Invariant: the load is a process of its own; a chat counts as served again with the first message that was given to the SDK
// afterwards and acknowledged; no chat is left out.
// Must not: choose chats or clients by where they live.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LIMITS } from '../actors/limits.js';
import type { FailoverCommand, FailoverLoad, FailoverPhase } from './failover-load.js';
import { HostProcess } from './host-process.js';
import { type Row, row } from './report.js';
import type { SuiteOptions } from './suite.js';

const NODES = 3;
const CHATS = 200;
/** ms between the acknowledgement of a message and the chat's next. */
const EVERY_MS = 100;
/** Kills, and stops. */
const TIMES = 3;
const SECONDS = 6;
const WARM_MS = 3_000;
/** s that a phase waits for the cluster to be whole, far over what it takes. */
const PATIENCE = 60;
/** What the issue asks of a kill, ms. */
const ASKED_MS = 3_000;
/** What it asks of a drain: times the p99 of the steady state. */
const ASKED_TIMES = 3;
/** Slow enough for the chats and clients that a move makes wait to stay far below one send in a hundred. */
const DRAIN = { rate: 2, clients: 20 } as const;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The load's process, one phase after the other. */
class Load {
  readonly #child;
  readonly #lines;

  constructor(load: FailoverLoad) {
    const program = fileURLToPath(new URL('./failover-load.js', import.meta.url));
    const args = ['--enable-source-maps', program, JSON.stringify(load)];
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves when all chats were served once. */
  async ready(): Promise<void> {
    await this.#line();
  }

  /** From now on it is another phase. */
  begin(command: FailoverCommand): void {
    this.#child.stdin.write(`${command}\n`);
  }

  /** Ends the phase and tells of it. */
  async end(): Promise<FailoverPhase> {
    this.#child.stdin.write('end\n');
    return JSON.parse(await this.#line()) as FailoverPhase;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the load ended');
    return value;
  }
}

export async function run({ seconds = SECONDS, store, progress }: SuiteOptions): Promise<readonly Row[]> {
  const data = mkdtempSync(join(tmpdir(), 'weft-failover-'));
  const flags = store === undefined ? [] : ['--store', store];
  const host = await HostProcess.start({ ...(await HostProcess.ports(NODES)), nodes: NODES, data, flags });
  const load = new Load({ url: host.url, data, chats: CHATS, everyMs: EVERY_MS });
  try {
    await load.ready();
    await whole(host, progress);
    await pause(WARM_MS);
    const phases: Phases = {
      steady: none(),
      drained: none(),
      killed: none(),
      back: none(),
      stopped: none(),
      seconds: [],
    };
    for (let time = 0; time < TIMES; time += 1) {
      const node = 1 + (time % NODES);
      progress(`${time + 1} of ${TIMES}: steady`);
      load.begin('calm');
      await pause((seconds * 1_000) / TIMES);
      add(phases.steady, await load.end());
      progress(`${time + 1} of ${TIMES}: drain of node ${node}`);
      load.begin('calm');
      phases.seconds.push(await drained(host, node, ASKED_TIMES * at(phases.steady.times, 0.99)));
      add(phases.drained, await load.end());
      load.begin('calm');
      await host.stay(node);
      await whole(host, progress);
      add(phases.back, await load.end());
      progress(`${time + 1} of ${TIMES}: kill -9 of node ${node}`);
      load.begin('blow');
      host.signal(node, 'SIGKILL');
      await pause(seconds * 1_000);
      add(phases.killed, await load.end());
      load.begin('calm');
      await whole(host, progress);
      add(phases.back, await load.end());
      progress(`${time + 1} of ${TIMES}: SIGTERM for node ${1 + (node % NODES)}`);
      load.begin('blow');
      host.signal(1 + (node % NODES), 'SIGTERM');
      await pause(seconds * 1_000);
      add(phases.stopped, await load.end());
      load.begin('calm');
      await whole(host, progress);
      add(phases.back, await load.end());
    }
    return rows(phases);
  } finally {
    load.kill();
    await host.stop('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
}

type Phases = Readonly<
  Record<'steady' | 'drained' | 'killed' | 'back' | 'stopped', { times: number[]; gaps: number[]; failed: number }>
> & { readonly seconds: number[] };

/** Drains the node, no faster than the latency allows; answers how many seconds that took. */
async function drained(host: HostProcess, node: number, maxP99: number): Promise<number> {
  const began = performance.now();
  await host.drain(node, { ...DRAIN, maxP99 });
  return (performance.now() - began) / 1_000;
}

function none(): { times: number[]; gaps: number[]; failed: number } {
  return { times: [], gaps: [], failed: 0 };
}

function add(into: { times: number[]; gaps: number[]; failed: number }, { times, gaps, failed }: FailoverPhase): void {
  into.times.push(...times);
  into.gaps.push(...gaps);
  into.failed += failed;
}

/** All nodes are back, and each has its shards. */
async function whole(host: HostProcess, progress: (line: string) => void): Promise<void> {
  const end = performance.now() + PATIENCE * 1_000;
  while (!((await host.whole()) && (await shared(host)))) {
    if (performance.now() > end) return progress(`the cluster was not whole within ${PATIENCE} s`);
    await pause(100);
  }
}

/** Each has its share of the shards: what happens to one concerns as many chats as what happened to another. */
async function shared(host: HostProcess): Promise<boolean> {
  const members = (await host.report(1))?.members ?? [];
  return members.length === NODES && members.every(({ shards }) => shards >= Math.floor(LIMITS.shards / NODES));
}

function rows({ steady, drained, killed, back, stopped, seconds }: Phases): Row[] {
  const [p50, p99] = [at(steady.times, 0.5), at(steady.times, 0.99)];
  return [
    row('steady: send → SENT, p50', p50, 'ms'),
    row('steady: send → SENT, p99', p99, 'ms'),
    row('drain: send → SENT, p50', at(drained.times, 0.5), 'ms', p50),
    row('drain: send → SENT, p99 (asked: 3 ×)', at(drained.times, 0.99), 'ms', p99),
    row('drain: send → SENT, longest', Math.max(...drained.times), 'ms'),
    row('drain: sends that failed for good', drained.failed, ''),
    row('drain: longest of them took', Math.max(...seconds), 's'),
    row('kill -9: a chat accepts sends again, p50', at(killed.gaps, 0.5), 'ms'),
    row('kill -9: a chat accepts sends again, p99 (asked)', at(killed.gaps, 0.99), 'ms', ASKED_MS),
    row('kill -9: a chat accepts sends again, longest', Math.max(...killed.gaps), 'ms'),
    row('kill -9: sends that failed for good', killed.failed, ''),
    row('stop: a chat accepts sends again, p99', at(stopped.gaps, 0.99), 'ms'),
    row('stop: send → SENT, p50', at(stopped.times, 0.5), 'ms', p50),
    row('stop: send → SENT, p99', at(stopped.times, 0.99), 'ms', p99),
    row('stop: sends that failed for good', stopped.failed, ''),
    row('return of a node: send → SENT, p50', at(back.times, 0.5), 'ms', p50),
    row('return of a node: send → SENT, p99', at(back.times, 0.99), 'ms', p99),
    row('return of a node: sends that failed for good', back.failed, ''),
  ];
}

function at(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
