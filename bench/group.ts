// Owns the group suite: a group of 1,024 with 1,000 online devices, beside the same fan-out by raw uWebSockets.js publish.
// Invariant: servers and load are processes of their own; every device's every message is checked (once, in order), and
// every receipt at the end: a run that breaks a promise has no figures. CPU is the server process's own, all threads.
// Must not: measure in its own process.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { GroupLoad, GroupResult } from './group-load.js';
import { NodeProcess } from './node-process.js';
import { cpuSeconds } from './process-stat.js';
import { type Row, row } from './report.js';
import type { SuiteOptions } from './suite.js';

const SECONDS = 60;
const WARM_MS = 3_000;
const SCENE = { online: 1_000, offline: 24, senders: 20, rate: 20, bodyBytes: 100 } as const;

const SECRET = '0123456789abcdef'.repeat(4);

interface Contender {
  readonly pid: number;
  readonly url: string;
}

interface Measured extends GroupResult {
  /** µs of server CPU a delivery. */
  readonly cpu: number;
}

const program = (name: string): string => join(import.meta.dirname, name);

async function measure({ pid, url }: Contender, mode: GroupLoad['mode'], measureMs: number): Promise<Measured> {
  const load: GroupLoad = { ...SCENE, url, mode, secret: SECRET, warmMs: WARM_MS, measureMs };
  const generator = spawn(process.execPath, [program('group-load.js'), JSON.stringify(load)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let began = 0;
  let spent = 0;
  let result: GroupResult | null = null;
  for await (const line of createInterface({ input: generator.stdout })) {
    if (line === 'measure') began = cpuSeconds(pid);
    else if (line === 'done') spent = cpuSeconds(pid) - began;
    else result = JSON.parse(line) as GroupResult;
  }
  if (result === null) throw new Error('the load generator failed');
  if (result.failures.length > 0) throw new Error(`${mode}: ${result.failures.join('; ')}`);
  return { ...result, cpu: (spent / result.deliveries) * 1e6 };
}

async function weft(measureMs: number): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'weft-group-'));
  const file = join(folder, 'secret');
  writeFileSync(file, Buffer.from(SECRET, 'hex'), { mode: 0o600 });
  const node = await NodeProcess.start({ data: folder, flags: ['--jwt-secret-file', file] });
  try {
    return await measure(node, 'weft', measureMs);
  } finally {
    await node.stop('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

async function floor(measureMs: number): Promise<Measured> {
  const child: ChildProcess = spawn(process.execPath, [program('peers/publish.js')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const url = await new Promise<string>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the raw server ended with ${code}`)));
      createInterface({ input: child.stdout! }).once('line', (line) => resolve(line.replace('weft ready ', '')));
    });
    return await measure({ pid: child.pid!, url }, 'publish', measureMs);
  } finally {
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
  }
}

export async function run({ seconds = SECONDS, progress }: SuiteOptions): Promise<readonly Row[]> {
  const { online, offline, rate } = SCENE;
  progress(`raw publish: ${online} subscribers, ${rate} messages/s`);
  const raw = await floor(seconds * 1_000);
  progress(`weft: ${online} of ${online + offline} members online, ${rate} messages/s`);
  const ours = await weft(seconds * 1_000);
  progress(`${ours.messages} messages: each once and in order on ${online} devices; receipts right`);
  const of = (name: string, unit: string, pick: (measured: Measured) => number): Row =>
    row(name, pick(ours), unit, pick(raw));
  return [
    of('server CPU a delivery', 'µs', ({ cpu }) => cpu),
    of('deliveries', '1/s', ({ deliveries, seconds: s }) => deliveries / s),
    of('send → deliver, p50', 'ms', ({ p50 }) => p50),
    of('send → deliver, p99', 'ms', ({ p99 }) => p99),
    of('bytes a delivery', 'B', ({ bytes, deliveries }) => bytes / deliveries),
    row('send → SENT, p99', ours.sentP99, 'ms'),
    row('receipt frames a device', ours.receipts / ours.seconds / online, '1/s'),
    row('ACK and READ of all devices', ours.acks / ours.seconds, '1/s'),
  ];
}
