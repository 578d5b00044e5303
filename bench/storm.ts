// Owns the storm suite: all nodes of a host are killed with -9 at one moment, so that each device loses its node; the host starts them
// again, and all devices come back at once to what was written meanwhile.
// Invariant: devices are SDK sessions in processes of their own; a device has caught up when its application was given the message that
// was sent to its group after the kill; memory is what the kernel counts, of the nodes alone.
// Must not: pace the devices: their SDK does.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HostProcess } from './host-process.js';
import type { SuiteOptions } from './main.js';
import { memory } from './process-stat.js';
import { type Row, row } from './report.js';
import type { StormLoad, StormReport } from './storm-load.js';

const NODES = 3;
const DEVICES = 15_000;
/** Devices of one load process, and of one group. */
const SHARE = 2_500;
const GROUP = 500;
/** s until all are to be back. */
const PATIENCE_S = 120;
const SAMPLE_MS = 100;
const MIB = 2 ** 20;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function run({ connections: devices = DEVICES, progress }: SuiteOptions): Promise<readonly Row[]> {
  const data = mkdtempSync(join(tmpdir(), 'weft-storm-'));
  const host = await HostProcess.start({ ...(await HostProcess.ports(NODES)), nodes: NODES, data });
  const loads: ChildProcess[] = [];
  try {
    for (let from = 0; from < devices; from += SHARE) {
      const count = Math.min(SHARE, devices - from);
      loads.push(await open({ url: host.url, data, from, count, group: GROUP }));
      progress(`${from + count} devices online`);
    }
    while (!(await host.whole())) await pause(SAMPLE_MS);
    const before = peak(host);
    const reports = Promise.all(loads.map(report));
    progress(`kill -9 of all ${NODES} nodes`);
    for (const load of loads) load.send('storm');
    for (let node = 1; node <= NODES; node += 1) host.signal(node, 'SIGKILL');
    const memories = [before];
    let over = false;
    void reports.finally(() => {
      over = true;
    });
    const end = performance.now() + PATIENCE_S * 1_000;
    while (!over && performance.now() < end) {
      memories.push(peak(host));
      await pause(SAMPLE_MS);
    }
    for (const load of loads) load.send('enough');
    return rows(devices, before, Math.max(...memories), await reports);
  } finally {
    for (const load of loads) load.kill('SIGKILL');
    await host.stop('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
}

/** Resolves when its devices are online. */
async function open(load: StormLoad): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('./storm-load.js', import.meta.url));
  const child = spawn(process.execPath, ['--enable-source-maps', program, JSON.stringify(load)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await answer(child);
  return child;
}

async function report(child: ChildProcess): Promise<StormReport> {
  return (await answer(child)) as StormReport;
}

async function answer(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the load ended with ${code}`)));
  // It ends one day, when nobody asks any more.
  ended.catch(() => undefined);
  const [message] = await Promise.race([once(child, 'message'), ended]);
  return message;
}

/** Bytes of memory of the largest node: without the pages of the store, which all have in common. */
function peak(host: HostProcess): number {
  return Math.max(
    ...[...host.pids.values()].map((pid) => {
      try {
        const { resident, files } = memory(pid);
        return resident - files;
      } catch {
        // It has ended meanwhile.
        return 0;
      }
    }),
    0,
  );
}

function rows(devices: number, before: number, most: number, reports: readonly StormReport[]): Row[] {
  const online = reports.flatMap(({ online }) => online).sort((a, b) => a - b);
  const caught = reports.flatMap(({ caught }) => caught).sort((a, b) => a - b);
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
    row('memory of the largest node, at its peak beside before', most / MIB, 'MiB', before / MIB),
  ];
}

function sum(reports: readonly StormReport[], of: 'failed' | 'refused'): number {
  return reports.reduce((total, one) => total + one[of], 0);
}
