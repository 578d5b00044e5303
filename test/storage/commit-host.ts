// Owns the child process that writes an LMDB environment for a parent that only reads it.
// Invariant: ends with the line to its parent.
// Must not: write anything of its own.
//
//   commit-host.js PATH      the line is descriptor 3; "open" on stdout when the store is

import { Socket } from 'node:net';
import { serveCommits } from '../../storage/commit-server.js';
import { openLmdb } from '../../storage/lmdb.js';

const store = await openLmdb({ path: process.argv[2] ?? '' });
const line = new Socket({ fd: 3 });
serveCommits(store, line, (reason) => console.log(`fault ${reason}`));
line.once('close', () => void store.close());
console.log('open');
