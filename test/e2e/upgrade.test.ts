// Owns the proof that a cluster is upgraded node by node, and taken back, while clients of all nodes talk to each other.
// Invariant: real processes of two builds with sockets between them, on one LMDB store.
// Must not: try the moments around the rise of the rows' version, which have their proof on virtual time (test/cluster/upgrade.test.ts).

import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { type NodeProcess, quietPort, StartFailure } from '../../bench/node-process.js';
import type { ClusterReport } from '../../services/cluster-report.js';
import { crowd, Talk, until } from './crowd.js';
import { otherBuild } from './other-build.js';
import { Home } from './process.js';

const NAMES = ['a', 'b', 'c'];
const USERS = 6;
/** What no node may have to say of another build. */
const TROUBLE = /link_refused|link_fault|damaged|crash|quarantine|unreadable|store_newer|cluster_version|dirty set/;

/** Nodes in folders of their own, on the store of the first. */
class Nodes {
  readonly urls: readonly string[];
  readonly #homes: readonly Home[];
  readonly #port: number;
  readonly #running: (NodeProcess | null)[] = NAMES.map(() => null);
  readonly #lines: string[] = [];

  constructor(t: TestContext, port: number) {
    this.#homes = NAMES.map(() => new Home(t));
    this.#port = port;
    this.urls = NAMES.map((_, at) => `ws://127.0.0.1:${port + at}/v1`);
  }

  /** `program`: of another build. Rejects with StartFailure. */
  async start(at: number, program?: string): Promise<void> {
    const [first, home] = [this.#homes[0]!, this.#homes[at]!];
    if (at > 0) copyFileSync(join(first.data, 'cluster.key'), join(home.data, 'cluster.key'));
    const flags = ['--store', `lmdb:${join(first.folder, 'store')}`, '--peer-listen', '127.0.0.1:0'];
    flags.push('--node-id', NAMES[at]!, '--public-url', this.urls[at]!);
    const build = program === undefined ? {} : { program };
    this.#running[at] = await home.start({ port: this.#port + at, flags, ...build });
  }

  async stop(at: number): Promise<void> {
    const node = this.#running[at]!;
    this.#running[at] = null;
    assert.equal((await node.stop('SIGTERM')).code, 0, node.lines.join('\n'));
    this.#lines.push(...node.lines);
  }

  async replace(at: number, program?: string): Promise<void> {
    await this.stop(at);
    await this.start(at, program);
    await until(`${NAMES[at]} is there`, async () => (await this.reports()).every(isWhole));
  }

  reports(): Promise<ClusterReport[]> {
    return Promise.all(this.urls.map(reportOf));
  }

  /** Versions of the links, and of the rows in force, by the word of each. */
  async versions(): Promise<{ links: string; formats: number[] }> {
    const reports = await this.reports();
    const links = reports.map(({ links }) =>
      links
        .map(({ version }) => version)
        .sort()
        .join(''),
    );
    return { links: links.join(' '), formats: reports.map(({ format }) => format) };
  }

  /** By its own word. */
  async owns(at: number, least = 1): Promise<boolean> {
    const { members } = await reportOf(this.urls[at]!);
    return members.some(({ node, shards }) => node === NAMES[at] && shards >= least);
  }

  get trouble(): string[] {
    const lines = [...this.#lines, ...this.#running.flatMap((node) => node?.lines ?? [])];
    return lines.filter((line) => TROUBLE.test(line));
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

test('node by node to the next build under load, one of them back and forth; then no way back', async (t) => {
  const next = otherBuild(t);
  const nodes = new Nodes(t, await quietPort(NAMES.length));
  await nodes.start(0);
  await Promise.all([nodes.start(1), nodes.start(2)]);
  await until('all are there', async () => (await nodes.reports()).every(isWhole));
  const people = await crowd(
    t,
    Array.from({ length: USERS }, (_, at) => nodes.urls[at % NAMES.length]!),
  );
  const talk = new Talk(people);

  await nodes.replace(0, next);
  assert.deepEqual(await nodes.versions(), { links: '11 11 11', formats: [1, 1, 1] });
  // It has come too lately to be given shards for any other reason than that b stops.
  await nodes.replace(1, next);
  assert.ok(await nodes.owns(0));
  const versions = { links: '12 12 11', formats: [1, 1, 1] };
  assert.deepEqual(await nodes.versions(), versions);
  // Back: c, of this build, takes over all that the next one has written.
  await nodes.stop(1);
  await nodes.stop(0);
  assert.ok(await nodes.owns(2, LIMITS.shards));
  await Promise.all([nodes.start(0), nodes.start(1, next)]);
  await until('both are back', async () => (await nodes.reports()).every(isWhole));
  await nodes.replace(0, next);
  assert.deepEqual(await nodes.versions(), versions);
  const before = talk.sent.length;
  await until('all write', () => talk.sent.length > before + 10 * USERS);
  assert.deepEqual((await nodes.versions()).formats, [1, 1, 1], 'as long as there is one of this build');

  await nodes.replace(2, next);
  assert.equal((await nodes.versions()).links, '22 22 22');
  await until('the rows have risen', async () => (await nodes.versions()).formats.every((format) => format === 2));
  const risen = talk.sent.length;
  await until('all write', () => talk.sent.length > risen + 10 * USERS);
  await nodes.stop(2);
  assert.deepEqual(nodes.trouble, []);
  await assert.rejects(nodes.start(2), (error: unknown) => {
    assert.ok(error instanceof StartFailure && error.exit.code === 4);
    assert.match(
      error.lines.join('\n'),
      /^weft: store_newer: .* has format 2, this version knows 1: use a later Weft/m,
    );
    return true;
  });
  await nodes.start(2, next);
  await talk.end();
});
