// Owns the path suite: what one durable direct message costs the server, beside a raw relay without storage.
// Invariant: server, relay and load are processes of their own; contenders take turns and rows are medians over rounds;
// CPU is the server process's own, all threads, as the kernel counts it.
// Must not: measure in its own process.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { issueToken } from '../cli/token.js';
import type { ClusterReport } from '../services/cluster-report.js';
import type { PathLoad, PathResult } from './path-load.js';
import { childrenOf, cpuSeconds } from './process-stat.js';
import { median, type Row, row } from './report.js';
import type { SuiteOptions } from './suite.js';

const PAIRS = 200;
const WINDOW = 5;
const BODY_BYTES = 100;
/** One of two nodes varies by 6 %. */
const ROUNDS = 5;
const SECONDS = 5;
const WARM_MS = 2_000;
/** Looks, half a second apart, in which no shard moves. */
const SETTLED = 4;

interface Measured extends PathResult {
  /** µs of server CPU a message. */
  readonly cpu: number;
  /** Transactions of the store a message; NaN where there is none. */
  readonly transactions: number;
}

const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Starts a server and resolves with its URL. */
function serve(args: readonly string[]): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const url = /^weft ready (\S+)/.exec(line)?.[1];
      if (url !== undefined) resolve({ child, url });
    });
  });
}

/** CPU seconds of a server, and of its nodes where it is a host of several. */
function cpuOf(pid: number): number {
  return [pid, ...childrenOf(pid).values()].reduce((sum, one) => sum + cpuSeconds(one), 0);
}

/** Resolves when shards have gone where they belong: until then chats are refused for moments, and clients of this suite take no refusal. */
async function settled(url: string): Promise<void> {
  let before = '';
  for (let same = 0; same < SETTLED; ) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const answer = await fetch(new URL('/cluster', url.replace(/^ws/, 'http')));
    if (!answer.ok) continue;
    const { shards } = (await answer.json()) as ClusterReport;
    const owners = shards.map(({ owner }) => owner).join(' ');
    same = owners === before ? same + 1 : 0;
    before = owners;
  }
}

async function measure(
  args: readonly string[],
  tokens: PathLoad['tokens'],
  measureMs: number,
  several = false,
): Promise<Measured> {
  const { child, url } = await serve(args);
  try {
    if (several) await settled(url);
    const load: PathLoad = {
      url,
      tokens,
      receivers: tokens.map((_, at) => `r${at}`),
      window: WINDOW,
      bodyBytes: BODY_BYTES,
      warmMs: WARM_MS,
      measureMs,
    };
    const generator = spawn(process.execPath, [program('./path-load.js'), JSON.stringify(load)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let began = 0;
    let spent = 0;
    let transactions = Number.NaN;
    let result: PathResult | null = null;
    for await (const line of createInterface({ input: generator.stdout })) {
      if (line === 'measure') {
        transactions = await storeTransactions(url);
        began = cpuOf(child.pid!);
      } else if (line === 'done') {
        spent = cpuOf(child.pid!) - began;
        transactions = (await storeTransactions(url)) - transactions;
      } else result = JSON.parse(line) as PathResult;
    }
    if (result === null) throw new Error('the load generator failed');
    const { messages } = result;
    return { ...result, cpu: (spent / messages) * 1e6, transactions: transactions / messages };
  } finally {
    child.removeAllListeners('exit');
    const gone = once(child, 'close');
    child.kill('SIGKILL');
    // A host's nodes have its store open a moment longer.
    await gone;
  }
}

/** That the server's store has made so far. */
async function storeTransactions(url: string): Promise<number> {
  const answer = await fetch(new URL('/status', url.replace(/^ws/, 'http')));
  if (!answer.ok) return Number.NaN;
  const { store } = (await answer.json()) as { readonly store: { readonly transactions: number } };
  return store.transactions;
}

async function durable(folder: string, measureMs: number, flags: readonly string[] = []): Promise<Measured> {
  const secret = Buffer.from('0123456789abcdef0123456789abcdef');
  const file = join(folder, 'secret');
  writeFileSync(file, secret, { mode: 0o600 });
  const issued = Math.floor(Date.now() / 1_000);
  const token = (user: string): Promise<string> =>
    issueToken(secret, { user, device: 'd', issued, expires: issued + 3_600, issuer: undefined, audience: undefined });
  const tokens = await Promise.all(
    Array.from({ length: PAIRS }, async (_, at) => [await token(`s${at}`), await token(`r${at}`)] as const),
  );
  const args = ['--data', folder, '--listen', '127.0.0.1:0', '--jwt-secret-file', file, '--log-level', 'warn'];
  // Each pair sends as fast as it is answered.
  const unlimited = ['--send-rate', '0', '--user-send-rate', '0', '--frame-rate', '0'];
  const server = [program('../cli/main.js'), 'start', ...args, ...flags, ...unlimited];
  return measure(server, tokens, measureMs, flags.includes('--nodes'));
}

function relay(measureMs: number): Promise<Measured> {
  const tokens = Array.from({ length: PAIRS }, (_, at) => [`s${at}`, `r${at}`] as const);
  return measure([program('./peers/relay.js')], tokens, measureMs);
}

const FIGURES: readonly (readonly [string, string, (measured: Measured) => number])[] = [
  ['server CPU a message', 'µs', ({ cpu }) => cpu],
  ['messages', '1/s', ({ messages, seconds }) => messages / seconds],
  ['send → SENT, p50', 'ms', ({ sentP50 }) => sentP50],
  ['send → SENT, p99', 'ms', ({ sentP99 }) => sentP99],
  ['send → deliver, p50', 'ms', ({ deliverP50 }) => deliverP50],
  ['send → deliver, p99', 'ms', ({ deliverP99 }) => deliverP99],
];
const TRANSACTIONS = ['store transactions a message', '', (measured: Measured) => measured.transactions] as const;

export async function run({ seconds = SECONDS, store, nodes = 1, progress }: SuiteOptions): Promise<readonly Row[]> {
  const floor: Measured[] = [];
  const weft: Measured[] = [];
  const other: Measured[] = [];
  const several: Measured[] = [];
  const inFolder = async (flags: readonly string[]): Promise<Measured> => {
    const folder = mkdtempSync(join(tmpdir(), 'weft-path-'));
    try {
      return await durable(folder, seconds * 1_000, flags);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  for (let round = 1; round <= ROUNDS; round += 1) {
    progress(`round ${round} of ${ROUNDS}: relay`);
    floor.push(await relay(seconds * 1_000));
    progress(`round ${round} of ${ROUNDS}: weft`);
    weft.push(await inFolder([]));
    if (nodes > 1) {
      progress(`round ${round} of ${ROUNDS}: ${nodes} nodes`);
      several.push(await inFolder(['--nodes', `${nodes}`]));
    }
    if (store === undefined) continue;
    progress(`round ${round} of ${ROUNDS}: weft on ${store}`);
    other.push(await inFolder(['--store', store]));
  }
  const rows = FIGURES.map(([name, unit, pick]) => row(name, median(weft.map(pick)), unit, median(floor.map(pick))));
  if (nodes > 1) {
    const name = `${nodes} nodes: `;
    const beside = ([what, unit, pick]: (typeof FIGURES)[number]): Row =>
      row(`${name}${what}, beside one`, median(several.map(pick)), unit, median(weft.map(pick)));
    rows.push(...FIGURES.map(beside));
  }
  if (store === undefined) return rows;
  const [engine] = store.split(':');
  const beside = [...FIGURES, TRANSACTIONS].map(([name, unit, pick]) =>
    row(`${engine}: ${name}, beside lmdb`, median(other.map(pick)), unit, median(weft.map(pick))),
  );
  return [...rows, ...beside];
}
