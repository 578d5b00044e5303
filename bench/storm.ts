// Owns the storm suite: all nodes of a host are killed with -9 at one moment, so that each device loses its node; the host starts them
// again, and all devices come back at once to what was written meanwhile.
// Invariant: devices are SDK sessions in processes of their own; the nodes have the limits of the product, for loopback addresses, too; a
// device has caught up when its application was given what was written to each of its chats after the kill; memory is what the kernel
// counts, of the largest node alone.
// Must not: pace the devices: their SDK does, and the nodes.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HostProcess } from './host-process.js';
import { cpuSeconds, memory } from './process-stat.js';
import { type Row, row } from './report.js';
import type { StormAnswer, StormLoad, StormProgress, StormReport } from './storm-load.js';
import type { SuiteOptions } from './suite.js';

const NODES = 3;
const DEVICES = 15_000;
/** Devices of one load process, at most, and of its groups. */
const SHARE = 7_500;
const GROUPS = { large: 500, small: 20 };
/** s until all are to be back. */
const PATIENCE_S = 300;
const SAMPLE_MS = 100;
const MIB = 2 ** 20;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function run({ connections: devices = DEVICES, progress }: SuiteOptions): Promise<readonly Row[]> {
  const data = mkdtempSync(join(tmpdir(), 'weft-storm-'));
  const host = await HostProcess.start({ ...(await HostProcess.ports(NODES)), nodes: NODES, data, limited: true });
  const loads: Load[] = [];
  try {
    for (let from = 0; from < devices; from += SHARE) {
      const count = Math.min(SHARE, devices - from);
      const load = new Load({ url: host.url, data, from, count, ...GROUPS });
      loads.push(load);
      await load.ready;
      progress(`${from + count} devices online`);
    }
    while (!(await host.whole())) await pause(SAMPLE_MS);
    const usage = new Usage(host);
    const before = usage.sample();
    progress(`kill -9 of all ${NODES} nodes`);
    for (const load of loads) load.say('storm');
    for (let node = 1; node <= NODES; node += 1) host.signal(node, 'SIGKILL');
    const began = performance.now();
    const reports = Promise.all(loads.map((load) => load.report));
    let over = false;
    void reports.finally(() => {
      over = true;
    });
    for (let second = 1; !over && second <= PATIENCE_S; ) {
      usage.sample();
      await pause(SAMPLE_MS);
      if (performance.now() - began < second * 1_000) continue;
      progress(`${second} s: ${line(loads)}; ${usage.line()}`);
      second += 1;
    }
    for (const load of loads) load.say('enough');
    return rows(devices, before, usage, await reports);
  } finally {
    for (const load of loads) load.stop();
    await host.stop('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
}

class Load {
  readonly #child: ChildProcess;
  /** Resolves when its devices are online and in their chats. */
  readonly ready: Promise<void>;
  readonly report: Promise<StormReport>;
  newest: StormProgress = { type: 'progress', online: 0, caught: 0, refused: {} };

  constructor(load: StormLoad) {
    const program = fileURLToPath(new URL('./storm-load.js', import.meta.url));
    const child = spawn(process.execPath, ['--enable-source-maps', program, JSON.stringify(load)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    const ended = new Promise<never>((_, reject) => {
      child.once('exit', (code) => reject(new Error(`the load ended with ${code}`)));
    });
    let ready = (): void => undefined;
    let report = (_: StormReport): void => undefined;
    this.ready = Promise.race([
      ended,
      new Promise<void>((resolve) => {
        ready = resolve;
      }),
    ]);
    this.report = Promise.race([
      ended,
      new Promise<StormReport>((resolve) => {
        report = resolve;
      }),
    ]);
    // It ends one day, when nobody asks any more.
    for (const one of [this.ready, this.report]) one.catch(() => undefined);
    child.on('message', (answer: StormAnswer) => {
      if (answer.type === 'ready') ready();
      else if (answer.type === 'report') report(answer);
      else this.newest = answer;
    });
  }

  say(word: 'storm' | 'enough'): void {
    if (this.#child.connected) this.#child.send(word);
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}

/** What the processes of a host use. */
class Usage {
  readonly #host: HostProcess;
  /** CPU seconds by process, from the first sample on. */
  readonly #cpu = new Map<number, { first: number; last: number }>();
  /** Bytes of the largest node: without the pages of the store, which all have in common. */
  most = 0;
  #told = 0;
  #since = performance.now();

  constructor(host: HostProcess) {
    this.#host = host;
  }

  /** Bytes of the largest node now. */
  sample(): number {
    const nodes = [...this.#host.pids.values()];
    const before = this.#cpu.size > 0;
    let largest = 0;
    for (const pid of [this.#host.pid, ...nodes]) {
      try {
        const last = cpuSeconds(pid);
        const known = this.#cpu.get(pid);
        if (known === undefined) this.#cpu.set(pid, { first: before ? 0 : last, last });
        else known.last = last;
        const { resident, files } = memory(pid);
        if (pid !== this.#host.pid) largest = Math.max(largest, resident - files);
      } catch {
        // It has ended meanwhile.
      }
    }
    this.most = Math.max(this.most, largest);
    return largest;
  }

  /** CPU seconds since the first sample. */
  get cpu(): number {
    return [...this.#cpu.values()].reduce((total, { first, last }) => total + last - first, 0);
  }

  line(): string {
    const { cpu } = this;
    const now = performance.now();
    const share = (cpu - this.#told) / ((now - this.#since) / 1_000);
    this.#told = cpu;
    this.#since = now;
    return `server CPU ${(100 * share).toFixed(0)} %, largest node ${(this.most / MIB).toFixed(0)} MiB`;
  }
}

function line(loads: readonly Load[]): string {
  const all = loads.map(({ newest }) => newest);
  const total = (of: 'online' | 'caught'): number => all.reduce((count, one) => count + one[of], 0);
  const refused = new Map<string, number>();
  for (const one of all) {
    for (const [code, count] of Object.entries(one.refused)) refused.set(code, (refused.get(code) ?? 0) + count);
  }
  const refusals = [...refused].map(([code, count]) => `, ${count} refused as ${code}`).join('');
  return `${total('online')} online, ${total('caught')} caught up${refusals}`;
}

function rows(devices: number, before: number, usage: Usage, reports: readonly StormReport[]): Row[] {
  const online = reports.flatMap((report) => report.online).sort((a, b) => a - b);
  const caught = reports.flatMap((report) => report.caught).sort((a, b) => a - b);
  const at = (sorted: readonly number[], share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return [
    row('devices', devices, ''),
    row('online again, p50', at(online, 0.5), 'ms'),
    row('online again, p99', at(online, 0.99), 'ms'),
    row('caught up, p50', at(caught, 0.5), 'ms'),
    row('caught up, p99', at(caught, 0.99), 'ms'),
    row('caught up, last', at(caught, 1), 'ms'),
    row('never caught up', devices - caught.length, 'devices'),
    row('gave up for good', sum(reports, 'failed'), 'devices'),
    row('refusals that were retried', sum(reports, 'refused'), ''),
    row('server CPU of a device that comes back', (usage.cpu / devices) * 1e6, 'µs'),
    row('CPU of the device itself', (sum(reports, 'cpu') / devices) * 1e6, 'µs'),
    row('memory of the largest node, at its peak beside before', usage.most / MIB, 'MiB', before / MIB),
  ];
}

function sum(reports: readonly StormReport[], of: 'failed' | 'refused' | 'cpu'): number {
  return reports.reduce((total, one) => total + one[of], 0);
}
