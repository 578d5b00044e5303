// Owns the tests of processes on one LMDB environment, whose parent writes for all of them.
// Invariant: as in members-suite.ts.
// Must not: test the line between them (storage/commit-line.test.ts).

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { serveCommits } from '../../storage/commit-server.js';
import { openLmdb } from '../../storage/lmdb.js';
import { folder } from '../storage/folder.js';
import { membersSuite } from './members-suite.js';

membersSuite('one LMDB store', async (t) => {
  const path = folder();
  const store = await openLmdb({ path });
  t.after(() => store.close());
  return {
    args: ['lmdb', path],
    store,
    joined: (child) => serveCommits(store, child.stdio[3] as Socket, (reason) => assert.fail(reason)),
  };
});
