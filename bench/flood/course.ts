// Owns one run of the flood: a node with its own limits, honest clients, hostile clients, and the order of phases:
//
//   honest join ─▶ hostile prepare ─▶ quiet ─▶ flood ─▶ quiet again ─▶ what honest clients saw
//
// Invariant: node, honest and hostile clients are processes of their own; the quiet before and after are one measure, so
// that a machine that slows down by itself is not taken for the flood.
// Must not: judge the figures.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeProcess } from '../node-process.js';
import { cpuSeconds, memory } from '../process-stat.js';
import type { HonestLoad, HonestOrder, HonestResult } from './honest.js';
import type { HostileLoad, HostileOrder, HostileResult } from './hostile.js';

export interface FloodOptions {
  /** Of the flood, and of both quiet phases together. */
  readonly seconds: number;
  readonly hostile: number;
  readonly pairs: number;
  /** Messages a second of each honest client. */
  readonly rate: number;
  readonly progress: (line: string) => void;
}

export interface FloodResult extends HonestResult {
  readonly tried: HostileResult['tried'];
  readonly refused: HostileResult['refused'];
  /** Server CPU during the flood, as a share of one core. */
  readonly cpu: number;
  /** Bytes of the node in RAM at most during the flood, without pages of its files. */
  readonly resident: number;
}

const SECRET = '0123456789abcdef'.repeat(4);
const BODY_BYTES = 100;
/** Bodies of the largest size in each log that is read again and again: more than a page of it. */
const HISTORY = 8;
/** ms that a phase's start and end are left out. */
const MARGIN_MS = 500;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A process that takes orders one by one. */
class Crew<Order extends string, Result> {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start<Order extends string, Result>(name: string, load: unknown): Promise<Crew<Order, Result>> {
    const child = fork(join(import.meta.dirname, name), [JSON.stringify(load)]);
    const [ready] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown];
    if (ready !== 'ready') throw new Error(`${name} ended`);
    return new Crew<Order, Result>(child);
  }

  async order(order: Order): Promise<Result> {
    this.#child.send(order);
    const [result] = (await Promise.race([once(this.#child, 'message'), once(this.#child, 'exit')])) as [unknown];
    if (typeof result === 'number') throw new Error(`a load process ended with ${result}`);
    return result as Result;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

export async function flood({ seconds, hostile, pairs, rate, progress }: FloodOptions): Promise<FloodResult> {
  const folder = mkdtempSync(join(tmpdir(), 'weft-flood-'));
  const file = join(folder, 'secret');
  writeFileSync(file, Buffer.from(SECRET, 'hex'), { mode: 0o600 });
  const node = await NodeProcess.start({ data: folder, limited: true, flags: ['--jwt-secret-file', file] });
  const crews: { stop(): Promise<void> }[] = [];
  try {
    const { url } = node;
    const bad: HostileLoad = { url, secret: SECRET, clients: hostile, history: HISTORY };
    const good: HonestLoad = { url, secret: SECRET, pairs, rate, bodyBytes: BODY_BYTES };
    const enemies = await Crew.start<HostileOrder, HostileResult>('hostile.js', bad);
    crews.push(enemies);
    progress('hostile clients make their chats');
    await enemies.order('prepare');
    const friends = await Crew.start<HonestOrder, HonestResult>('honest.js', good);
    crews.push(friends);
    await pause(MARGIN_MS);
    const quiet = async (): Promise<void> => {
      await friends.order('quiet');
      await pause((seconds * 1_000) / 2);
      await friends.order('pause');
    };
    progress('quiet');
    await quiet();
    progress('flood');
    const before = await enemies.order('go');
    await pause(MARGIN_MS);
    await friends.order('flood');
    const began = cpuSeconds(node.pid);
    let resident = 0;
    for (const end = performance.now() + seconds * 1_000; performance.now() < end; await pause(250)) {
      const now = memory(node.pid);
      resident = Math.max(resident, now.resident - now.files);
    }
    const cpu = (cpuSeconds(node.pid) - began) / seconds;
    await friends.order('pause');
    const after = await enemies.order('stop');
    await pause(2 * MARGIN_MS);
    progress('quiet again');
    await quiet();
    const seen = await friends.order('end');
    const tried = Object.fromEntries(
      Object.entries(after.tried).map(([name, count]) => [name, count - (before.tried[name] ?? 0)]),
    );
    return { ...seen, tried, refused: after.refused, cpu, resident };
  } finally {
    await Promise.all(crews.map((crew) => crew.stop()));
    await node.stop('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}
