// Owns the retention suite: a node that keeps messages until they are delivered, filled and emptied again and again.
// Invariant: what is said to be gone was counted by the node and looked for by a client; a run that loses or repeats a
// message, leaves acknowledged ones for over a minute, lets the file grow or slows senders down by half, fails.
// Must not: share a process with the node.

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, type Histogram } from 'hdr-histogram-js';
import { NodeProcess } from './node-process.js';
import { type Row, row } from './report.js';
import { Device, type Place } from './retention-load.js';
import type { SuiteOptions } from './suite.js';

const MESSAGES = 1_000_000;
const CYCLES = 10;
const PER_CHAT = 100;
const BODY = new Uint8Array(100);
/** s of timed sends after the sweeps. */
const SECONDS = 10;
/** ms that acknowledgements take to be written. */
const ACKS_MS = 5_000;
/** Sends a second that are timed. */
const RATE = 200;

/** ms in which acknowledged messages must be gone. */
const GONE_MS = 60_000;
/** How many times its quiet figure the p99 of sends may be. */
const RATIO = 1.5;
/** How many times the largest of the first two cycles the file may become. */
const GROWTH = 1.25;

const SECRET = '0123456789abcdef'.repeat(4);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const mib = (bytes: number): number => bytes / 2 ** 20;

class Scene {
  readonly node: NodeProcess;
  readonly #folder: string;
  readonly senders: Device[] = [];
  readonly receivers: Device[] = [];
  readonly probes: { readonly from: Device; readonly to: Device };
  #probed: Place | null = null;

  constructor(node: NodeProcess, folder: string, side: number) {
    this.node = node;
    this.#folder = folder;
    for (let at = 0; at < side; at += 1) {
      this.senders.push(new Device(`s${at}`));
      this.receivers.push(new Device(`r${at}`));
    }
    this.probes = { from: new Device('probe'), to: new Device('probed') };
  }

  get devices(): Device[] {
    return [...this.senders, ...this.receivers, this.probes.from, this.probes.to];
  }

  get failures(): string[] {
    return this.devices.flatMap((device) => device.failures);
  }

  async join(): Promise<void> {
    const secret = Buffer.from(SECRET, 'hex');
    for (const device of this.devices) await device.join(this.node.url, secret);
    for (const sender of this.senders) {
      for (const { name } of this.receivers) await sender.direct(name);
    }
    this.#probed = await this.probes.from.direct('probed');
  }

  /** Sends in every chat; resolves when all is answered and received. */
  async fill(): Promise<void> {
    const before = this.received;
    const count = this.senders.length * this.receivers.length * PER_CHAT;
    await Promise.all(
      this.senders.map(async (sender) => {
        for (let round = 0; round < PER_CHAT; round += 1) {
          for (const place of sender.places) await sender.send(place, BODY);
        }
      }),
    );
    while (this.received < before + count || this.senders.some(({ unanswered }) => unanswered > 0)) {
      if (this.failures.length > 0) throw new Error(this.failures.slice(0, 5).join('; '));
      await pause(20);
    }
  }

  get received(): number {
    return this.receivers.reduce((sum, { received }) => sum + received, 0);
  }

  /** Times sends at a steady rate for as long as `goes`. */
  async probe(into: Histogram, goes: () => boolean): Promise<void> {
    const { from } = this.probes;
    const began = performance.now();
    for (let n = 0; goes() && from.failures.length === 0; n += 1) {
      const due = began + (n * 1_000) / RATE;
      const rest = due - performance.now();
      if (rest > 0) await pause(rest);
      await from.send(this.#probed!, BODY, (ms) => into.recordValue(Math.round(ms * 1_000)));
    }
    while (from.unanswered > 0 && from.failures.length === 0) await pause(5);
  }

  /** Entries that the node has emptied so far. */
  async swept(): Promise<number> {
    const answer = await fetch(this.node.url.replace(/^ws/, 'http').replace('/v1', '/status'));
    return ((await answer.json()) as { sweeps: { entries: number } }).sweeps.entries;
  }

  size(): number {
    return statSync(join(this.#folder, 'store', 'data.mdb')).size;
  }
}

interface Cycle {
  readonly goneMs: number;
  readonly size: number;
  readonly quiet: Histogram;
  readonly busy: Histogram;
}

/**
 * Fills all chats and has them emptied. Sends are timed in the rest that the node takes between the acknowledgements and
 * its sweeps, during these, and for `quietMs` after: close together, since others use the machine too.
 */
async function cycle(scene: Scene, quietMs: number): Promise<Cycle> {
  await scene.fill();
  const before = await scene.swept();
  const expected = scene.senders.length * scene.receivers.length * PER_CHAT;
  const [quiet, busy] = [build({ numberOfSignificantValueDigits: 3 }), build({ numberOfSignificantValueDigits: 3 })];
  const began = performance.now();
  for (const device of [...scene.senders, ...scene.receivers]) device.acknowledge();
  let gone = 0;
  let goneMs = 3 * GONE_MS;
  const watching = (async (): Promise<void> => {
    while (gone < expected && performance.now() - began < 3 * GONE_MS) {
      await pause(100);
      gone = (await scene.swept()) - before;
    }
    goneMs = performance.now() - began;
  })();
  await pause(ACKS_MS);
  await scene.probe(quiet, () => gone === 0 && performance.now() - began < 3 * GONE_MS);
  await scene.probe(busy, () => gone < expected && performance.now() - began < 3 * GONE_MS);
  await watching;
  if (scene.failures.length > 0) throw new Error(scene.failures.slice(0, 5).join('; '));
  const calm = performance.now() + quietMs;
  await scene.probe(quiet, () => performance.now() < calm);
  scene.probes.from.acknowledge();
  scene.probes.to.acknowledge();
  if (gone < expected) throw new Error(`${expected - gone} of ${expected} acknowledged messages were not swept`);
  for (const sender of scene.senders) {
    const left = await sender.stored(sender.places[0]!);
    if (left.length > 0) throw new Error(`${left.length} messages are said to be gone and are there`);
  }
  if (scene.failures.length > 0) throw new Error(scene.failures.slice(0, 5).join('; '));
  return { goneMs, size: scene.size(), quiet, busy };
}

export async function run(options: SuiteOptions): Promise<readonly Row[]> {
  const { seconds = SECONDS, messages = MESSAGES, cycles = CYCLES, progress } = options;
  const side = Math.max(1, Math.round(Math.sqrt(messages / PER_CHAT)));
  const folder = mkdtempSync(join(tmpdir(), 'weft-retention-'));
  const secret = join(folder, 'secret');
  writeFileSync(secret, Buffer.from(SECRET, 'hex'), { mode: 0o600 });
  const flags = ['--jwt-secret-file', secret, '--retention', 'until-delivered'];
  const node = await NodeProcess.start({ data: folder, flags });
  const scene = new Scene(node, folder, side);
  const done: Cycle[] = [];
  try {
    await scene.join();
    for (let n = 1; n <= cycles; n += 1) {
      const began = performance.now();
      const one = await cycle(scene, seconds * 1_000);
      done.push(one);
      const took = ((performance.now() - began) / 1_000).toFixed(0);
      progress(
        `cycle ${n} of ${cycles}: ${side * side * PER_CHAT} messages over ${side * side} chats in ${took} s, ` +
          `gone ${(one.goneMs / 1_000).toFixed(1)} s after they were acknowledged, file ${mib(one.size).toFixed(0)} MiB`,
      );
    }
  } finally {
    for (const device of scene.devices) device.close();
    await node.stop('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]! / 1_000;
  const over = (name: string, percentile: number): Row =>
    row(
      name,
      median(done.map(({ busy }) => busy.getValueAtPercentile(percentile))),
      'ms',
      median(done.map(({ quiet }) => quiet.getValueAtPercentile(percentile))),
    );
  const timed = (pick: (one: Cycle) => Histogram): number => done.reduce((sum, one) => sum + pick(one).totalCount, 0);
  const slowest = Math.max(...done.map(({ goneMs }) => goneMs));
  const first = Math.max(...done.slice(0, 2).map(({ size }) => size));
  const largest = Math.max(...done.map(({ size }) => size));
  const latency = over('send → SENT while sweeping, p99', 99);
  check(slowest <= GONE_MS, `acknowledged messages were there for ${(slowest / 1_000).toFixed(1)} s`, progress);
  check(
    largest <= first * GROWTH,
    `the file grew from ${mib(first).toFixed(0)} to ${mib(largest).toFixed(0)} MiB`,
    progress,
  );
  check((latency.ratio ?? 0) <= RATIO, `sends are ${latency.ratio?.toFixed(2)} times as slow while sweeping`, progress);
  return [
    row('acknowledged → gone, slowest cycle', slowest / 1_000, 's', GONE_MS / 1_000),
    row('file, largest', mib(largest), 'MiB', mib(first)),
    over('send → SENT while sweeping, p50', 50),
    latency,
    row(
      'timed sends while sweeping',
      timed(({ busy }) => busy),
      '',
      timed(({ quiet }) => quiet),
    ),
    row('cycles', done.length, ''),
  ];
}

function check(holds: boolean, what: string, progress: (line: string) => void): void {
  if (holds) return;
  progress(`FAILED: ${what}`);
  process.exitCode = 1;
}
