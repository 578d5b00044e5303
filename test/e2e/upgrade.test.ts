// Owns the proof that a cluster is upgraded node by node, and taken back, while clients of all nodes talk to each other.
// Invariant: real processes of two builds with sockets between them, on one LMDB store.
// Must not: try the moments around the rise of the rows' version, which have their proof on virtual time (test/cluster/upgrade.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { StartFailure } from '../../bench/node-process.js';
import { crowd, Talk, until } from './crowd.js';
import { NAMES, Nodes } from './nodes.js';
import { otherBuild } from './other-build.js';

const USERS = 6;
/** What no node may have to say of another build. */
const TROUBLE = /link_refused|link_fault|damaged|crash|quarantine|unreadable|store_newer|cluster_version|dirty set/;

async function replace(nodes: Nodes, at: number, program?: string): Promise<void> {
  await nodes.stop(at);
  await nodes.start(at, program);
  await until(`${NAMES[at]} is there`, () => nodes.whole());
}

/** Versions of the links, and of the rows in force, by the word of each. */
async function versions(nodes: Nodes): Promise<{ links: string; formats: number[] }> {
  const reports = await nodes.reports();
  const links = reports.map(({ links }) =>
    links
      .map(({ version }) => version)
      .sort()
      .join(''),
  );
  return { links: links.join(' '), formats: reports.map(({ format }) => format) };
}

test('node by node to the next build under load, one of them back and forth; then no way back', async (t) => {
  const next = otherBuild(t);
  const nodes = await Nodes.start(t);
  await until('all are there', () => nodes.whole());
  const people = await crowd(
    t,
    Array.from({ length: USERS }, (_, at) => nodes.urls[at % NAMES.length]!),
  );
  const talk = new Talk(people);

  await replace(nodes, 0, next);
  assert.deepEqual(await versions(nodes), { links: '22 22 22', formats: [1, 1, 1] });
  // It has come too lately to be given shards for any other reason than that b stops.
  await replace(nodes, 1, next);
  assert.ok(await nodes.owns(0));
  const mixed = { links: '23 23 22', formats: [1, 1, 1] };
  assert.deepEqual(await versions(nodes), mixed);
  // Back: c, of this build, takes over all that the next one has written.
  await nodes.stop(1);
  await nodes.stop(0);
  assert.ok(await nodes.owns(2, LIMITS.shards));
  await Promise.all([nodes.start(0), nodes.start(1, next)]);
  await until('both are back', () => nodes.whole());
  await replace(nodes, 0, next);
  assert.deepEqual(await versions(nodes), mixed);
  const before = talk.sent.length;
  await until('all write', () => talk.sent.length > before + 10 * USERS);
  assert.deepEqual((await versions(nodes)).formats, [1, 1, 1], 'as long as there is one of this build');

  await replace(nodes, 2, next);
  assert.equal((await versions(nodes)).links, '33 33 33');
  await until('the rows have risen', async () => (await versions(nodes)).formats.every((format) => format === 2));
  const risen = talk.sent.length;
  await until('all write', () => talk.sent.length > risen + 10 * USERS);
  await nodes.stop(2);
  assert.deepEqual(nodes.said(TROUBLE), []);
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
