// Owns the tests of a store that another process writes: the contract, and what becomes of commits where either side dies or stands still.
// Invariant: real processes, a real socket pair and a real environment.
// Must not: repeat the tests of the engine behind it (lmdb.test.ts).

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { CommitLine } from '../../storage/commit-line.js';
import { serveCommits } from '../../storage/commit-server.js';
import { openLmdb } from '../../storage/lmdb.js';
import { openLmdbReader } from '../../storage/lmdb-reader.js';
import type { CommitResult, Store } from '../../storage/store.js';
import { storeContract } from './contract.js';
import { folder } from './folder.js';
import { groupRows, readGroups } from './groups.js';
import { put, show, text } from './scene.js';

interface Hosted {
  readonly store: Store;
  readonly path: string;
  readonly host: ChildProcess;
  readonly socket: Socket;
  readonly lost: string[];
  open(): Store;
  end(): Promise<void>;
}

/** A store that a child writes and this process reads. */
async function hosted(stallMs?: number): Promise<Hosted> {
  const path = folder();
  const program = [join(import.meta.dirname, 'commit-host.js'), path];
  const host = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
  await once(host.stdout!, 'data');
  const lost: string[] = [];
  const socket = host.stdio[3] as Socket;
  const line = new CommitLine(socket, { lost: (reason) => lost.push(reason), ...(stallMs && { stallMs }) });
  const open = (): Store => openLmdbReader({ path, line });
  const end = async (): Promise<void> => {
    const gone = once(host, 'close');
    socket.destroy();
    await gone;
  };
  return { store: open(), path, host, socket, lost, open, end };
}

storeContract('lmdb of another process', async () => {
  const { store, open, end } = await hosted();
  return { store, reopen: async () => open(), dispose: end };
});

const commit = (store: Store, id: string): Promise<CommitResult> => store.commit({ checks: [], writes: groupRows(id) });

test('a writer that is killed: what was answered is there, what was not is unknown, and nothing more is taken', async (t) => {
  const { store, path, host, lost } = await hosted();
  t.after(() => host.kill('SIGKILL'));
  const acked: string[] = [];
  const others: CommitResult[] = [];
  let n = 0;
  const streams = Array.from({ length: 40 }, async () => {
    while (lost.length === 0) {
      const id = `k${n++}`;
      const result = await commit(store, id);
      if (result.outcome === 'committed') acked.push(id);
      else others.push(result);
      if (acked.length === 2_000) host.kill('SIGKILL');
    }
  });
  await Promise.all(streams);
  assert.ok(acked.length >= 2_000 && others.length > 0, `${acked.length} and ${others.length}`);
  assert.ok(others.every(({ outcome }) => outcome === 'unknown'));
  assert.equal(lost.length, 1);
  const late = await commit(store, 'late');
  assert.equal(late.outcome === 'failed' && late.code, 'store_unavailable');
  // What was there can still be read, and the environment is whole for whoever opens it next.
  assert.notEqual(await store.get(groupRows('k0')[0]!.key), undefined);
  await store.close();
  const next = await openLmdb({ path });
  t.after(() => next.close());
  const groups = await readGroups(next);
  assert.deepEqual(
    acked.filter((id) => !groups.has(id)),
    [],
  );
  assert.ok(groups.size <= n && !groups.has('late'));
});

test('nodes that are killed with commits under way: all that they were told is there, and another one goes on', async (t) => {
  const path = folder();
  const store = await openLmdb({ path });
  t.after(() => store.close());
  const faults: string[] = [];
  const acks: string[] = [];
  const node = (prefix: string): ChildProcess => {
    const program = [join(import.meta.dirname, 'writer.js'), path, prefix, 'forever', 'line'];
    const child = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
    t.after(() => child.kill('SIGKILL'));
    serveCommits(store, child.stdio[3] as Socket, (reason) => faults.push(reason));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const [word, id = ''] = line.split(' ');
      assert.equal(word, 'ack');
      acks.push(id);
    });
    return child;
  };
  const until = async (prefix: string, count: number): Promise<void> => {
    while (acks.filter((id) => id.startsWith(prefix)).length < count)
      await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const steady = node('steady-');
  for (const prefix of ['a-', 'b-', 'c-']) {
    const mortal = node(prefix);
    await until(prefix, 300);
    const gone = once(mortal, 'close');
    mortal.kill('SIGKILL');
    await gone;
  }
  const before = acks.length;
  await until('steady-', before);
  const gone = once(steady, 'close');
  steady.kill('SIGKILL');
  await gone;
  await store.commit({ checks: [], writes: [put('behind all of them', '')] });
  const groups = await readGroups(store);
  assert.deepEqual(
    acks.filter((id) => !groups.has(id)),
    [],
  );
  assert.deepEqual(faults, []);
});

test('a writer that stands still: commits are unknown, then refused, and what was sent is applied before anything later is taken', async (t) => {
  const { store, host, end } = await hosted(400);
  t.after(() => host.kill('SIGKILL'));
  const alive = setInterval(() => undefined, 1_000);
  t.after(() => clearInterval(alive));
  await store.commit({ checks: [], writes: [put('a', '1')] });
  host.kill('SIGSTOP');
  const results = await Promise.all([
    store.commit({ checks: [{ key: text('a'), value: text('1') }], writes: [put('a', '2')] }),
    store.commit({ checks: [{ key: text('a'), value: text('2') }], writes: [put('a', '3')] }),
  ]);
  assert.deepEqual(
    results.map(({ outcome }) => outcome),
    ['unknown', 'unknown'],
  );
  const refused = await store.commit({ checks: [], writes: [put('a', '9')] });
  assert.equal(refused.outcome === 'failed' && refused.code, 'store_unavailable');
  assert.equal(show(await store.get(text('a'))), '1', 'reads go on');
  host.kill('SIGCONT');
  let later: CommitResult;
  do {
    await new Promise((resolve) => setTimeout(resolve, 5));
    later = await store.commit({ checks: [{ key: text('a'), value: text('3') }], writes: [put('a', '4')] });
  } while (later.outcome === 'failed');
  assert.equal(later.outcome, 'committed');
  assert.equal(show(await store.get(text('a'))), '4');
  await store.close();
  await end();
});

test('this process standing still is not taken for the writer’s silence', async (t) => {
  const { store, host, end } = await hosted(200);
  t.after(() => host.kill('SIGKILL'));
  for (let round = 0; round < 3; round++) {
    const answer = commit(store, `r${round}`);
    await new Promise((resolve) => process.nextTick(resolve));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
    assert.deepEqual(await answer, { outcome: 'committed' });
  }
  await store.close();
  await end();
});

test('bytes that no node sends end the line of who sent them', async () => {
  const { socket, host, lost } = await hosted();
  const said: string[] = [];
  createInterface({ input: host.stdout! }).on('line', (line) => said.push(line));
  const gone = once(host, 'close');
  socket.write(Buffer.from('ffffffff00', 'hex'));
  assert.deepEqual(await gone, [0, null]);
  assert.match(said.join(), /^fault a frame is of some length/);
  assert.equal(lost.length, 1);
});
