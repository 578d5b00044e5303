// Owns the proof that an acknowledged commit survives: processes killed at random moments, and the order of system calls.
// Invariant: every child is gone when its test ends.
// Must not: depend on how far a child came before it was killed, beyond its first acknowledgement.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { openLmdb } from '../../storage/lmdb.js';
import { inspect } from '../../storage/lmdb-file.js';
import { folder } from './folder.js';
import { groupRows, readGroups } from './groups.js';

const WRITER = join(import.meta.dirname, 'writer.js');

function start(
  t: TestContext,
  command: string[],
  errors: 'inherit' | 'ignore' = 'inherit',
): { child: ChildProcess; lines: string[]; first: Promise<unknown> } {
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', errors] });
  t.after(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout! });
  reader.on('line', (line) => lines.push(line));
  return { child, lines, first: Promise.race([once(reader, 'line'), once(reader, 'close')]) };
}

const acked = (lines: string[]): string[] => lines.filter((l) => l.startsWith('ack ')).map((l) => l.slice(4));

test('what was acknowledged before kill -9 is there afterwards, and no commit is torn', async (t) => {
  const path = folder();
  const expected: string[] = [];
  for (let round = 0; round < 6; round++) {
    const { child, lines, first } = start(t, [process.execPath, WRITER, path, `r${round}-`, 'forever']);
    await first;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 150));
    child.kill('SIGKILL');
    await once(child, 'close');
    const told = acked(lines);
    assert.ok(told.length > 0, 'the child acknowledged something before it died');
    assert.equal(told.length, lines.length, 'nothing was refused');
    expected.push(...told);
    const store = await openLmdb({ path });
    const found = await readGroups(store);
    await store.close();
    assert.deepEqual(
      expected.filter((id) => !found.has(id)),
      [],
      `round ${round}: acknowledged and lost`,
    );
  }
});

test('a store is found whole while another process writes to it', async (t) => {
  const path = folder();
  const { child, first } = start(t, [process.execPath, WRITER, path, 'c', 'churn']);
  await first;
  const until = performance.now() + 500;
  let looks = 0;
  for (; performance.now() < until; looks++) inspect(path, LIMITS.storeCheckPages);
  assert.ok(looks > 0);
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
  inspect(path, LIMITS.storeCheckPages);
});

/** Package and permission decide whether system calls can be watched; says why not. */
function straceTrouble(): string | false {
  const probe = spawnSync('strace', [
    '-f',
    '-y',
    '-e',
    'trace=fdatasync',
    '-o',
    '/dev/null',
    process.execPath,
    '-e',
    '0',
  ]);
  if (probe.error !== undefined) return 'NOT PROVEN HERE: install the package strace';
  return probe.status === 0 ? false : `NOT PROVEN HERE: strace may not trace (${probe.stderr.toString().trim()})`;
}

interface Call {
  readonly name: string;
  readonly text: string;
  /** Line numbers of the log at which the call began and ended. */
  readonly began: number;
  readonly ended: number;
}

/** Calls of all threads in the order in which they ended; strace splits one that another thread's call interrupts. */
function parse(log: string): Call[] {
  const open = new Map<string, { text: string; began: number }>();
  const calls: Call[] = [];
  log.split('\n').forEach((line, at) => {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (rest.endsWith('<unfinished ...>')) {
      open.set(thread, { text: rest, began: at });
      return;
    }
    const begun = rest.startsWith('<...') ? open.get(thread) : undefined;
    const whole = begun === undefined ? rest : `${begun.text} ${rest}`;
    const name = /^\w+/.exec(whole)?.[0];
    if (name !== undefined) calls.push({ name, text: whole, began: begun?.began ?? at, ended: at });
  });
  return calls;
}

test('system calls: each acknowledgement follows a completed flush of its pages and of the meta page', async (t) => {
  const trouble = straceTrouble();
  if (trouble !== false) return t.skip(trouble);
  const path = folder();
  const log = join(folder(), 'calls');
  const watched = 'trace=openat,pwrite64,pwritev,writev,fdatasync,fsync,msync,write';
  const strace = ['strace', '-f', '-y', '-s', '64', '-e', watched, '-o', log];
  const { child, lines } = start(t, [...strace, process.execPath, WRITER, path, 's', '20']);
  await once(child, 'close');
  assert.equal(acked(lines).length, 20);

  const calls = parse(readFileSync(log, 'utf8'));
  const data = `${path}/data.mdb>`;
  const done = (call: Call): boolean => / = \d+(<.*>)?$/.test(call.text);
  const synchronous = calls.filter(
    (c) => c.name === 'openat' && c.text.includes('data.mdb') && c.text.includes('O_DSYNC'),
  );
  assert.equal(synchronous.length, 1, 'the meta page has a descriptor of its own that flushes as it writes');
  const meta = `pwrite64(${/= (\d+)/.exec(synchronous[0]!.text)?.[1]}<`;
  const acks = calls.filter((c) => c.name === 'write' && c.text.includes('"ack '));
  assert.equal(acks.length, 20);
  let since = 0;
  for (const ack of acks) {
    const before = calls.filter((c) => c.began > since && c.ended < ack.began && c.text.includes(data) && done(c));
    const pages = before.findLastIndex((c) => /^p?writev?(64)?$/.test(c.name) && !c.text.startsWith(meta));
    const flush = before.findLastIndex((c) => /^(fdatasync|fsync|msync)$/.test(c.name));
    const root = before.findLastIndex((c) => c.text.startsWith(meta));
    assert.ok(
      pages !== -1 && pages < flush && flush < root,
      `${ack.text}: pages ${pages}, flush ${flush}, meta ${root}`,
    );
    assert.ok(before[pages]!.ended < before[flush]!.began && before[flush]!.ended < before[root]!.began);
    since = ack.ended;
  }
});

test('system calls: while a flush takes its time, its rows cannot be read', async (t) => {
  const trouble = straceTrouble();
  if (trouble !== false) return t.skip(trouble);
  const slow = inject('fdatasync:delay_enter=300000');
  const { child, lines } = start(t, [...slow, process.execPath, WRITER, folder(), 'l', 'look']);
  await once(child, 'close');
  const seen = lines.find((line) => line.startsWith('seen '));
  assert.ok(Number(seen?.slice(5)) >= 300, seen);
  assert.deepEqual(acked(lines), ['l0']);
});

/** strace counts the calls of each thread, so the child writes with one alone. */
function inject(fault: string): string[] {
  return ['strace', '-f', '-o', '/dev/null', '-E', 'UV_THREADPOOL_SIZE=1', '-e', `inject=${fault}`];
}

/** Runs a writer of 100 commits, then holds what it was told against what a new process finds. */
async function faulty(t: TestContext, wrap: string[], stallMs = 0): Promise<string[]> {
  const path = folder();
  const { child, lines } = start(t, [...wrap, process.execPath, WRITER, path, 'e', '100', `${stallMs}`], 'ignore');
  await once(child, 'close');
  const answers = lines.filter((line) => !line.startsWith('broken'));
  assert.equal(answers.length, 100, 'every commit was answered and the process ended');
  const store = await openLmdb({ path });
  const found = await readGroups(store);
  assert.deepEqual(await store.commit({ checks: [], writes: groupRows('later') }), { outcome: 'committed' });
  await store.close();
  for (const line of answers) {
    const [outcome, id] = line.split(' ');
    if (outcome !== 'unknown') assert.equal(found.has(id!), outcome === 'ack', line);
  }
  return lines.map((line) => line.split(' ')[0]!);
}

test('a data file that cannot grow is told as such, and what was acknowledged before stays', async (t) => {
  const outcomes = await faulty(t, ['sh', '-c', 'ulimit -f 100 && exec "$@"', 'sh']);
  assert.equal(outcomes[0], 'ack');
  // A write that is cut short in its middle carries no reason.
  assert.match(outcomes.at(-1)!, /^store_(full|unavailable)$/);
});

test('system calls: a flush that fails is told to its commits alone, and the store works again', async (t) => {
  const trouble = straceTrouble();
  if (trouble !== false) return t.skip(trouble);
  const fault = 'fdatasync:error=EIO:when=5..7';
  const outcomes = await faulty(t, inject(fault));
  const expected = Array.from({ length: 100 }, (_, i) => (i >= 3 && i < 6 ? 'store_unavailable' : 'ack'));
  assert.deepEqual(outcomes, expected);
});

test('system calls: an error while the meta page is written leaves its commit unknown; the store refuses more and says so', async (t) => {
  const trouble = straceTrouble();
  if (trouble !== false) return t.skip(trouble);
  // Which of the writes that is differs: strace counts each thread's calls apart.
  for (let call = 15; call < 40; call += 1) {
    const outcomes = await faulty(t, inject(`pwrite64:error=EIO:when=${call}`));
    const broken = outcomes.indexOf('broken');
    if (broken < 0) continue;
    assert.deepEqual(new Set(outcomes.slice(0, broken)), new Set(['ack']));
    assert.equal(outcomes[broken + 1], 'unknown');
    assert.deepEqual(
      new Set(outcomes.slice(broken + 2)),
      new Set(['store_unavailable']),
      'told once, refused from then on',
    );
    return;
  }
  assert.fail('no error met the meta page');
});

test('system calls: a disk that hangs leaves commits unknown and refuses more, until it answers again', async (t) => {
  const trouble = straceTrouble();
  if (trouble !== false) return t.skip(trouble);
  const fault = 'fdatasync:delay_enter=1500000:when=5';
  const outcomes = await faulty(t, inject(fault), 500);
  assert.ok(outcomes.includes('unknown') && outcomes.includes('store_unavailable'), outcomes.join());
  assert.equal(outcomes.at(-1), 'ack');
});
