// Owns three nodes as real processes that share a store, each with a folder, a client port and a peer port of its own.
// Invariant: their reports are their own words, asked at the ports that clients use; all are gone when the test ends.
// Must not: know what a test does with them.

import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type NodeProcess, quietPort } from '../../bench/node-process.js';
import type { ClusterReport } from '../../services/cluster-report.js';
import { Home } from './process.js';

export const NAMES = ['a', 'b', 'c'] as const;

export class Nodes {
  readonly urls: readonly string[];
  readonly #homes: readonly Home[];
  readonly #port: number;
  readonly #store: string;
  readonly #running: (NodeProcess | null)[] = NAMES.map(() => null);
  readonly #lines: string[] = [];

  private constructor(t: TestContext, port: number, store: string | undefined) {
    this.#homes = NAMES.map(() => new Home(t));
    this.#port = port;
    this.#store = store ?? `lmdb:${join(this.#homes[0]!.folder, 'store')}`;
    this.urls = NAMES.map((_, at) => `ws://127.0.0.1:${port + at}/v1`);
  }

  /** All three, each with its links to the others. `store`: as of `weft start`; absent: an LMDB folder. */
  static async start(t: TestContext, store?: string): Promise<Nodes> {
    const nodes = new Nodes(t, await quietPort(NAMES.length), store);
    await nodes.start(0);
    await Promise.all([nodes.start(1), nodes.start(2)]);
    return nodes;
  }

  /** `program`: of another build. Rejects with StartFailure. */
  async start(at: number, program?: string): Promise<void> {
    const [first, home] = [this.#homes[0]!, this.#homes[at]!];
    // The first one makes the cluster's secret.
    if (at > 0) copyFileSync(join(first.data, 'cluster.key'), join(home.data, 'cluster.key'));
    const flags = ['--store', this.#store, '--peer-listen', '127.0.0.1:0'];
    flags.push('--node-id', NAMES[at]!, '--public-url', this.urls[at]!);
    const build = program === undefined ? {} : { program };
    this.#running[at] = await home.start({ port: this.#port + at, flags, ...build });
  }

  /** In order. */
  async stop(at: number): Promise<void> {
    const { code, lines } = await this.#end(at, 'SIGTERM');
    assert.equal(code, 0, lines.join('\n'));
  }

  async kill(at: number): Promise<void> {
    await this.#end(at, 'SIGKILL');
  }

  async #end(at: number, signal: NodeJS.Signals): Promise<{ code: number | null; lines: readonly string[] }> {
    const node = this.#running[at]!;
    this.#running[at] = null;
    const { code } = await node.stop(signal);
    this.#lines.push(...node.lines);
    return { code, lines: node.lines };
  }

  pid(at: number): number {
    return this.#running[at]!.pid;
  }

  data(at: number): string {
    return this.#homes[at]!.data;
  }

  report(at: number): Promise<ClusterReport> {
    return reportOf(this.urls[at]!);
  }

  reports(): Promise<ClusterReport[]> {
    return Promise.all(this.urls.map(reportOf));
  }

  /** All of them are there, linked with each other, and every shard has an owner. */
  async whole(): Promise<boolean> {
    return (await this.reports()).every(isWhole);
  }

  /** By its own word. */
  async owns(at: number, least = 1): Promise<boolean> {
    const { members } = await this.report(at);
    return members.some(({ node, shards }) => node === NAMES[at] && shards >= least);
  }

  /** Lines of all lives that match. */
  said(pattern: RegExp): string[] {
    const lines = [...this.#lines, ...this.#running.flatMap((node) => node?.lines ?? [])];
    return lines.filter((line) => pattern.test(line));
  }
}

async function reportOf(url: string): Promise<ClusterReport> {
  const response = await fetch(new URL('/cluster', url.replace(/^ws/, 'http')));
  return (await response.json()) as ClusterReport;
}

function isWhole({ members, shards, links }: ClusterReport): boolean {
  return (
    members.length === NAMES.length &&
    shards.every(({ owner }) => owner !== null) &&
    links.length === NAMES.length - 1 &&
    links.every(({ state }) => state === 'up')
  );
}
