// Owns the kernel suite: the runtime beside nact and Erlang, each contender and round in a process of its own.
// Invariant: contenders take turns within each round and rows are medians over rounds, so that the noise of a shared
// machine hits all alike.
// Must not: measure in its own process.

import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { median, type Row, row } from './report.js';
import type { SuiteOptions } from './suite.js';

const execute = promisify(execFile);

const ROUNDS = 5;
/** Seconds measured for each figure when none are asked for. */
const SECONDS = 3;
/** ms that one process may take; a contender that hangs must not hang the bench. */
const PATIENCE_MS = 60_000;

interface Contender {
  readonly name: string;
  measure(workload: string, ms: number): Promise<number>;
}

function javascript(name: string): Contender {
  const program = fileURLToPath(new URL(`./peers/${name}.js`, import.meta.url));
  return {
    name,
    async measure(workload, ms) {
      const { stdout } = await execute(process.execPath, ['--expose-gc', program, workload, String(ms)], {
        timeout: PATIENCE_MS,
      });
      return Number(stdout);
    },
  };
}

/** Compiled for the JIT into `folder`; null where Erlang is not installed. */
function erlang(folder: string): Contender | null {
  const source = fileURLToPath(new URL('../../bench/peers/kernel_bench.erl', import.meta.url));
  try {
    execFileSync('erlc', ['-o', folder, source], { stdio: 'pipe' });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  return {
    name: 'erlang',
    async measure(workload, ms) {
      const args = ['+S', '1:1', '+P', '1000000', '-noinput', '-pa', folder];
      const { stdout } = await execute('erl', [...args, '-run', 'kernel_bench', 'main', workload, String(ms)], {
        timeout: PATIENCE_MS,
      });
      return Number(stdout);
    },
  };
}

interface Figure {
  readonly title: string;
  readonly unit: string;
  readonly workload: string;
  /** Workload names of the peers, where they have it. */
  readonly erlang?: string;
  readonly nact?: string;
}

const PER_SECOND: readonly Figure[] = [
  { title: 'tell to one', workload: 'one', erlang: 'one', nact: 'one', unit: 'msg/s' },
  { title: 'tell over 100,000', workload: 'many', erlang: 'many', nact: 'many', unit: 'msg/s' },
  { title: 'ask, with monitor and time-out', workload: 'ask', erlang: 'ask', nact: 'ask', unit: 'asks/s' },
  { title: 'ask, peer without either', workload: 'ask', erlang: 'ask_bare', unit: 'asks/s' },
  { title: 'spawn, one message, end', workload: 'spawn', erlang: 'spawn', nact: 'spawn', unit: 'spawns/s' },
];

const BYTES: readonly Figure[] = [
  { title: 'idle actor', workload: 'memory', erlang: 'memory', nact: 'memory', unit: 'bytes' },
  { title: 'idle actor, watched, timer set', workload: 'memory_tied', unit: 'bytes' },
];

export async function run(options: SuiteOptions): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'weft-bench-'));
  try {
    const weft = javascript('weft');
    const nact = javascript('nact');
    const beam = erlang(folder);
    if (beam === null) options.progress('NO ERLANG: erlc is not installed, so the rows have no floor and no ratio.');
    const ms = Math.round(((options.seconds ?? SECONDS) * 1_000) / ROUNDS);
    const rows: Row[] = [];
    for (const figure of [...PER_SECOND, ...BYTES]) {
      const peers: [Contender, string | undefined][] = [
        [weft, figure.workload],
        [nact, figure.nact],
      ];
      if (beam !== null) peers.push([beam, figure.erlang]);
      const values = new Map<string, number[]>();
      for (let round = 0; round < ROUNDS; round++) {
        for (const [peer, workload] of peers) {
          if (workload === undefined) continue;
          const value = await peer.measure(workload, ms);
          values.set(peer.name, [...(values.get(peer.name) ?? []), value]);
        }
      }
      const medianOf = (name: string): number | undefined => {
        const measured = values.get(name);
        return measured === undefined ? undefined : median(measured);
      };
      const floor = medianOf('erlang');
      rows.push(row(figure.title, medianOf('weft') ?? Number.NaN, figure.unit, floor));
      const other = medianOf('nact');
      if (other !== undefined) rows.push(row(`  nact: ${figure.title}`, other, figure.unit, floor));
      options.progress(`${figure.title}: done`);
    }
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
