// Owns the proof that whole nodes with clients keep every promise on FoundationDB as they do on memory: the same tests, in virtual time,
// with every row in a real cluster.
// Invariant: as in foundationdb.test.ts.
// Must not: have tests of its own (test/e2e/foundationdb-cluster.test.ts has: real processes and sockets).

import { test } from 'node:test';
import { openFoundationDb } from '../../storage/foundationdb.js';
import { onFoundationDb } from '../foundationdb.js';
import { closeRows, keepRows } from './shared-rows.js';

await onFoundationDb(import.meta.url, async ({ clusterFile }) => {
  keepRows((scene) => openFoundationDb({ clusterFile, directory: ['nodes', `${scene}`] }));
  await import('./nodes.test.js');
  await import('./nodes-random.test.js');
  // Before the runner's own end, which comes when nothing is open any more.
  test('the last scene is closed', closeRows);
});
