// Owns the tests of the FoundationDB engine on a cluster that is killed, frozen, or not there.
// Invariant: what is checked holds whenever the fault comes; none waits for a time that a slow machine would miss. Nothing goes
// on after its test, also where that failed: a commit or a watch that did would hold the process.
// Must not: assume what became of a commit whose answer was `unknown`.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { FDB_LIMITS } from '../../actors/limits.js';
import { StoreOpenError, StoreReadError } from '../../storage/failure.js';
import { type FdbOptions, openFoundationDb } from '../../storage/foundationdb.js';
import type { CommitResult, Store } from '../../storage/store.js';
import { onFoundationDb } from '../foundationdb.js';
import { folder } from './folder.js';
import { groupRows, readGroups } from './groups.js';
import { put, text } from './scene.js';

/** ms within which everything ends: the time limit of what is on its way, that of its turn before, and some for a slow machine. */
const BOUND = 3 * FDB_LIMITS.timeoutMs + 2_000;

await onFoundationDb(import.meta.url, (server) => {
  let stores = 0;
  const fresh = (): FdbOptions => ({ clusterFile: server.clusterFile, directory: ['faults', `${++stores}`] });

  async function opened(t: TestContext, options = fresh()): Promise<Store> {
    const store = await openFoundationDb(options);
    t.after(() => store.close());
    return store;
  }

  /** The answer, and that it came in time. */
  async function bounded<T>(work: Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await work;
    } finally {
      const ms = performance.now() - began;
      assert.ok(ms < BOUND, `${ms} ms`);
    }
  }

  /** Reads until the cluster answers. */
  async function patient<T>(read: () => Promise<T>): Promise<T> {
    for (const until = Date.now() + 30_000; ; ) {
      try {
        return await read();
      } catch (error) {
        assert.ok(error instanceof StoreReadError, String(error));
        assert.equal(error.code, 'store_unavailable');
        assert.ok(Date.now() < until, 'the cluster did not come back');
      }
    }
  }

  type Answers = Map<string, CommitResult>;

  /** Commits numbered groups, eight at a time, while `work` runs; all are answered when it returns, also where it throws. */
  async function amidCommits(store: Store, work: (answers: Answers) => Promise<void>): Promise<Answers> {
    const answers: Answers = new Map();
    let running = true;
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let i = 0; running; i++) {
        const id = `${writer}-${i}`;
        answers.set(id, await bounded(store.commit({ checks: [], writes: groupRows(id) })));
      }
    });
    const worked = work(answers).finally(() => {
      running = false;
    });
    for (const end of await Promise.allSettled([worked, ...writers])) if (end.status === 'rejected') throw end.reason;
    return answers;
  }

  const ids = (answers: Answers, outcome: string): string[] =>
    [...answers].filter(([, result]) => result.outcome === outcome).map(([id]) => id);

  test('foundationdb: killed -9 amid commits, nothing acknowledged is lost, nothing refused is there', async (t) => {
    const store = await opened(t);
    const answers = await amidCommits(store, async (answers) => {
      for (let kill = 0; kill < 3; kill++) {
        await pause(100 + Math.random() * 300);
        await server.kill();
        await server.start();
      }
      const before = ids(answers, 'committed').length;
      for (const until = Date.now() + 20_000; ids(answers, 'committed').length < before + 50; await pause(10)) {
        assert.ok(Date.now() < until, 'commits go on by themselves');
      }
    });
    const stored = await patient(() => readGroups(store));
    for (const id of ids(answers, 'committed')) assert.ok(stored.has(id), `${id} was acknowledged`);
    for (const id of ids(answers, 'failed')) assert.ok(!stored.has(id), `${id} was refused`);
  });

  test('foundationdb: frozen, everything ends in time by a code; what was open is settled by the first read, for good', async (t) => {
    t.after(() => server.thaw());
    const store = await opened(t);
    let unknown: string[] = [];
    for (let round = 0; round < 5 && unknown.length === 0; round++) {
      const answers = await amidCommits(store, async () => {
        await pause(200 + Math.random() * 50);
        server.freeze();
        await pause(FDB_LIMITS.timeoutMs + 500);
        const refused = await bounded(store.commit({ checks: [], writes: [put('late', `${round}`)] }));
        assert.equal(refused.outcome === 'failed' && refused.code, 'store_unavailable');
        await assert.rejects(bounded(store.get(text('late'))), StoreReadError);
        await assert.rejects(bounded(store.range({ start: text('a'), end: text('b'), limit: 1 })), StoreReadError);
      });
      // Not before all are answered: groups are read range by range, and one that is committed between two looks torn.
      server.thaw();
      const [settled] = await Promise.all([
        patient(() => readGroups(store)),
        // A commit finds the same open ones, at the same time.
        store.commit({ checks: [], writes: [put('thawed', `${round}`)] }),
      ]);
      unknown = ids(answers, 'unknown');
      // What came late, if anything did, came before the read.
      await pause(500);
      const later = await patient(() => readGroups(store));
      for (const id of unknown) assert.equal(later.has(id), settled.has(id), `${id} changed after it was read`);
      for (const id of ids(answers, 'committed')) assert.ok(later.has(id), `${id} was acknowledged`);
      assert.equal(await patient(() => store.get(text('late'))), undefined);
    }
    assert.ok(unknown.length > 0, 'a commit was on its way when the server froze');
  });

  test('foundationdb: a watch tells of a change after the server was killed and started again', async (t) => {
    const options = fresh();
    const [one, two] = [await opened(t, options), await opened(t, options)];
    let told = 0;
    const end = one.watch(text('w'), () => {
      told += 1;
    });
    await pause(200);
    await server.kill();
    await server.start();
    for (let round = 0; round < 3; round++) {
      const before = told;
      const change = () => two.commit({ checks: [], writes: [put('w', `${round}`)] });
      for (const until = Date.now() + 30_000; (await change()).outcome !== 'committed'; )
        assert.ok(Date.now() < until, 'the cluster did not come back');
      for (const until = Date.now() + 15_000; told === before; await pause(5))
        assert.ok(Date.now() < until, `${round}`);
    }
    end();
  });

  test('foundationdb: close ends in time while the server is away, and every commit has its answer', async (t) => {
    t.after(() => server.thaw());
    const store = await opened(t);
    store.watch(text('w'), () => undefined);
    await pause(100);
    server.freeze();
    const commits = Array.from({ length: 50 }, (_, i) => store.commit({ checks: [], writes: [put(`k${i}`, 'v')] }));
    const read = store.get(text('k1')).catch((error: unknown) => error);
    await bounded(store.close());
    for (const { outcome } of await Promise.all(commits)) assert.notEqual(outcome, 'committed');
    assert.ok((await read) instanceof StoreReadError);
  });

  test('foundationdb: a cluster that is not there, or is another one, is refused in time by code', async () => {
    const real = readFileSync(server.clusterFile, 'utf8');
    const port = /:(\d+)\s*$/.exec(real)![1]!;
    const where = join(folder(), 'fdb.cluster');
    for (const cluster of ['weft:test@127.0.0.1:1', `weft:other@127.0.0.1:${port}`]) {
      writeFileSync(where, cluster);
      const opening = openFoundationDb({ clusterFile: where, openMs: 2_500 });
      await assert.rejects(bounded(opening), (error) => {
        assert.ok(error instanceof StoreOpenError && error.code === 'store_unavailable', String(error));
        assert.ok(error.message.includes(where), error.message);
        return true;
      });
    }
  });
});
