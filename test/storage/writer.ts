// Owns the child process of the crash tests: writes groups of rows and tells its parent of each that was acknowledged.
// Invariant: a line "ack ID" is written by one synchronous write, after the commit's answer and never before.
// Must not: end by itself in mode "forever"; its parent kills it.
//
//   writer.js PATH PREFIX forever      40 streams of commits until killed
//   writer.js PATH PREFIX forever line the same, written by whoever has the other end of descriptor 3
//   writer.js PATH PREFIX COUNT [MS]   COUNT commits one after the other; a transaction of over MS counts as stalled
//   writer.js PATH KEY increment COUNT adds COUNT times 1 to a row that others add to as well
//   writer.js PATH KEY hold            reads and keeps its snapshot until killed
//   writer.js PATH KEY look            tells after how many ms a row could first be read
//   writer.js PATH KEY churn           writes and removes rows all over the tree until killed; tells when it is large

import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { open } from 'lmdb';
import { CommitLine } from '../../storage/commit-line.js';
import { openLmdb } from '../../storage/lmdb.js';
import { openLmdbReader } from '../../storage/lmdb-reader.js';
import type { Store } from '../../storage/store.js';
import { GROUP, groupRows, increment } from './groups.js';

const [path = '', prefix = '', mode = '', count = '0'] = process.argv.slice(2);
if (mode === 'hold') await hold();
const stall = mode !== 'increment' && Number(count) > 0 ? { stallMs: Number(count) } : {};
// The word goes out among the answers, as its commit would see it.
const store =
  count === 'line' ? remote() : await openLmdb({ path, ...stall, onBroken: () => writeSync(1, 'broken -\n') });
let next = 0;

function remote(): Store {
  const line = new CommitLine(new Socket({ fd: 3 }), { lost: (reason) => writeSync(1, `lost ${reason}\n`) });
  return openLmdbReader({ path, line });
}

/** With the package alone: our engine gives its snapshots back. */
async function hold(): Promise<never> {
  const database = open<Uint8Array, Uint8Array>({
    path,
    noSubdir: false,
    keyEncoding: 'binary',
    encoding: 'binary',
    overlappingSync: false,
  });
  database.get(Buffer.from(prefix), { transaction: database.useReadTransaction() });
  writeSync(1, 'held\n');
  for (;;) await new Promise((resolve) => setTimeout(resolve, 1_000));
}

async function write(): Promise<void> {
  const id = `${prefix}${next++}`;
  const result = await store.commit({ checks: [], writes: groupRows(id) });
  const word = result.outcome === 'committed' ? 'ack' : result.outcome === 'failed' ? result.code : result.outcome;
  writeSync(1, `${word} ${id}\n`);
  if (word !== 'ack' && 'stallMs' in stall) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function stream(): Promise<never> {
  for (;;) await write();
}

async function look(): Promise<void> {
  const began = performance.now();
  const answer = write();
  while ((await store.get(groupRows(`${prefix}0`)[0]!.key)) === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  writeSync(1, `seen ${performance.now() - began}\n`);
  await answer;
}

/** Pages are freed and used again all the time. */
async function churn(): Promise<never> {
  const row = (n: number) => ({ key: Buffer.from(`${prefix}${n * 7_919}`), value: new Uint8Array(400) });
  for (let n = 0; n < 8_000; n += 80) {
    await store.commit({ checks: [], writes: Array.from({ length: 80 }, (_, i) => row(n + i)) });
  }
  writeSync(1, 'large\n');
  for (let n = 0; ; n = (n + 997) % 8_000) {
    await store.commit({ checks: [], writes: [row(n), { ...row((n * 31) % 8_000), value: null }] });
  }
}

if (mode === 'churn') await churn();
else if (mode === 'look') await look();
else if (mode === 'forever') await Promise.all(Array.from({ length: 10 * GROUP }, stream));
else if (mode === 'increment') await increment(store, prefix, Number(count));
else for (let i = 0; i < Number(mode); i++) await write();
await store.close();
