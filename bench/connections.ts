// Owns the connections suite: what an idle authenticated connection costs a node, beside raw uWebSockets.js.
// Invariant: server and load are processes of their own; memory is what the kernel says is in RAM, on the flags that
// `weft start` has; nobody is asked to collect garbage. What is counted: all that N more connections, each of a user of
// its own, leave in RAM, the users' actors, their rows in the store and garbage that nobody collected included; less what
// a node that has served already holds. So a few hundred connections come and go first: they load code and fill pools, and
// the count begins when their users' actors are gone. Sockets' buffers in the kernel are nobody's RAM here.
// Must not: measure in its own process.
//
//   warm up ─▶ users gone: base ─▶ open N ─▶ settled: first ─▶ close all ─▶ users gone: left ─▶ open N ─▶ settled: second

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { LIMITS } from '../actors/limits.js';
import type { IdleOrder, IdleReport } from './idle-load.js';
import { NodeProcess } from './node-process.js';
import { cpuSeconds, type Memory, memory } from './process-stat.js';
import { type Row, row } from './report.js';
import type { SuiteOptions } from './suite.js';

const CONNECTIONS = 15_000;
const WARM_UP = 300;
/** s before memory is read: a heartbeat of every client, and some. */
const SECONDS = 40;
/** ms over which memory must not move by more than this share, and ms after which it is read anyway. */
const STILL = { ms: 5_000, share: 0.005, patienceMs: 60_000 };

interface Contender {
  readonly pid: number;
  readonly url: string;
  /** Resolves when nothing is left of those who disconnected. */
  forgotten(): Promise<void>;
  stop(): Promise<void>;
}

interface Measured {
  readonly base: Memory;
  readonly first: Memory;
  readonly left: Memory;
  readonly second: Memory;
  readonly openSeconds: number;
  /** CPU seconds for opening all. */
  readonly openCpu: number;
  /** CPU seconds a second while all are idle. */
  readonly idleCpu: number;
}

const SECRET = '0123456789abcdef'.repeat(4);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function weft(folder: string): Promise<Contender> {
  const file = join(folder, 'secret');
  writeFileSync(file, Buffer.from(SECRET, 'hex'), { mode: 0o600 });
  const node = await NodeProcess.start({ data: folder, flags: ['--jwt-secret-file', file] });
  const status = new URL('/status', node.url.replace('ws:', 'http:'));
  return {
    pid: node.pid,
    url: node.url,
    async forgotten() {
      for (;;) {
        const { users, connections } = (await (await fetch(status)).json()) as { users: number; connections: number };
        if (users === 0 && connections === 0) return;
        await pause(1_000);
      }
    },
    async stop() {
      await node.stop('SIGKILL');
    },
  };
}

async function raw(): Promise<Contender> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'peers/idle.js')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the raw server ended with ${code}`)));
    createInterface({ input: child.stdout }).once('line', (line) => resolve(line.replace('weft ready ', '')));
  });
  return {
    pid: child.pid!,
    url,
    forgotten: () => pause(1_000),
    async stop() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

class Load {
  readonly #child: ChildProcess = fork(join(import.meta.dirname, 'idle-load.js'));

  /** Seconds it took. Rejects with what failed. */
  async order(order: IdleOrder): Promise<number> {
    this.#child.send(order);
    const [report] = (await once(this.#child, 'message')) as [IdleReport];
    if ('failure' in report) throw new Error(report.failure);
    return report.seconds;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

/** Waits until the process's memory stands still, and answers it. */
async function settled(pid: number, seconds: number): Promise<Memory> {
  await pause(seconds * 1_000);
  const late = performance.now() + STILL.patienceMs;
  let before = memory(pid);
  for (;;) {
    await pause(STILL.ms);
    const now = memory(pid);
    const moved = Math.abs(now.resident - before.resident) / before.resident;
    if (moved <= STILL.share || performance.now() > late) return now;
    before = now;
  }
}

async function measure(
  contender: Contender,
  count: number,
  seconds: number,
  progress: (line: string) => void,
): Promise<Measured> {
  const { pid, url } = contender;
  const load = new Load();
  let net = 0;
  const open = (from: number, many: number): Promise<number> => {
    net += 1;
    return load.order({ type: 'open', url, secret: SECRET, from, count: many, net });
  };
  try {
    await open(count, WARM_UP);
    await load.order({ type: 'close' });
    await contender.forgotten();
    const base = await settled(pid, STILL.ms / 1_000);
    progress(`  base: ${megabytes(base)}`);
    const began = cpuSeconds(pid);
    const openSeconds = await open(0, count);
    const opened = cpuSeconds(pid);
    progress(`  ${count} opened in ${openSeconds.toFixed(1)} s: ${megabytes(memory(pid))}`);
    // The first heartbeats still clean up after the logins.
    await pause(LIMITS.heartbeatMs);
    const idle = cpuSeconds(pid);
    const idleBegan = performance.now();
    const first = await settled(pid, Math.max(0, seconds - LIMITS.heartbeatMs / 1_000));
    const idleCpu = (cpuSeconds(pid) - idle) / ((performance.now() - idleBegan) / 1_000);
    progress(`  settled: ${megabytes(first)}`);
    await load.order({ type: 'close' });
    await contender.forgotten();
    const left = await settled(pid, STILL.ms / 1_000);
    progress(`  all closed: ${megabytes(left)}`);
    await open(0, count);
    const second = await settled(pid, seconds);
    progress(`  opened again and settled: ${megabytes(second)}`);
    return { base, first, left, second, openSeconds, openCpu: opened - began, idleCpu };
  } finally {
    await load.stop();
  }
}

function megabytes({ resident, files }: Memory): string {
  return `${(resident / 1e6).toFixed(1)} MB, of it files ${(files / 1e6).toFixed(1)} MB`;
}

export async function run(options: SuiteOptions): Promise<readonly Row[]> {
  const { seconds = SECONDS, connections = CONNECTIONS, progress } = options;
  const contend = async (name: string, contender: Contender): Promise<Measured> => {
    progress(name);
    try {
      return await measure(contender, connections, seconds, progress);
    } finally {
      await contender.stop();
    }
  };
  const floor = await contend('raw uWebSockets.js', await raw());
  const folder = mkdtempSync(join(tmpdir(), 'weft-connections-'));
  try {
    const node = await contend('weft', await weft(folder));
    const of = (name: string, unit: string, pick: (measured: Measured) => number): Row =>
      row(name, pick(node), unit, pick(floor));
    const each = (pick: (measured: Measured) => number) => (measured: Measured) => pick(measured) / connections;
    return [
      { name: 'connections', value: connections, unit: '' },
      of(
        'RAM of an idle connection',
        'bytes',
        each(({ first, base }) => first.resident - base.resident),
      ),
      of(
        '  of it pages of files',
        'bytes',
        each(({ first, base }) => first.files - base.files),
      ),
      of(
        '  after all closed',
        'bytes',
        each(({ left, base }) => left.resident - base.resident),
      ),
      of(
        '  after all opened again',
        'bytes',
        each(({ second, base }) => second.resident - base.resident),
      ),
      of('RAM before', 'MB', ({ base }) => base.resident / 1e6),
      of('time to open all', 's', ({ openSeconds }) => openSeconds),
      of(
        'server CPU of a login',
        'µs',
        each(({ openCpu }) => openCpu * 1e6),
      ),
      of('server CPU while all are idle', '% of a core', ({ idleCpu }) => idleCpu * 100),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
