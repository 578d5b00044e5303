// Owns a process that stands still while it has LMDB's lock for writing, as one whose disk has stopped to answer.
// Invariant: it says `held` before it stops itself; killing it frees the lock.
// Must not: write anything.

import { writeSync } from 'node:fs';
import { open } from 'lmdb';

const database = open({ path: process.argv[2]!, noSubdir: false, overlappingSync: false });
database.transactionSync(() => {
  writeSync(1, 'held\n');
  process.kill(process.pid, 'SIGSTOP');
});
