// Owns the proof that members, ownership, fencing and hand-over hold on FoundationDB as they do on memory: the same tests, in virtual
// time, with every row, check and watch in a real cluster.
// Invariant: each scene has a directory of the cluster to itself, and each of its processes a way of its own to it.
// Must not: have tests of its own (foundationdb-members.test.ts has: real processes, and a cluster that dies).

import { test } from 'node:test';
import { openFoundationDb } from '../../storage/foundationdb.js';
import { onFoundationDb } from '../foundationdb.js';
import { closeRows, keepRows } from './shared-rows.js';

await onFoundationDb(import.meta.url, async ({ clusterFile }) => {
  keepRows((scene) => openFoundationDb({ clusterFile, directory: ['cluster', `${scene}`] }));
  await import('./cluster.test.js');
  await import('./charter.test.js');
  await import('./trouble.test.js');
  // Before the runner's own end, which comes when nothing is open any more.
  test('the last scene is closed', closeRows);
});
