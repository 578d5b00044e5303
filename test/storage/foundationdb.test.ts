// Owns the tests of the FoundationDB engine on a cluster that works.
// Invariant: each uses a directory of the cluster of its own.
// Must not: repeat the contract suite; stop the server (foundationdb-faults.test.ts).

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { FDB_LIMITS, LIMITS } from '../../actors/limits.js';
import { type StoreFailure, StoreOpenError } from '../../storage/failure.js';
import { type FdbOptions, openFoundationDb } from '../../storage/foundationdb.js';
import { clientEnvironment, onFoundationDb } from '../foundationdb.js';
import { storeContract } from './contract.js';
import { increment } from './groups.js';
import { put, show, text } from './scene.js';

await onFoundationDb(import.meta.url, (server) => {
  let stores = 0;
  const fresh = (): FdbOptions => ({ clusterFile: server.clusterFile, directory: ['test', `${++stores}`] });

  storeContract('foundationdb', async () => {
    const options = fresh();
    return { store: await openFoundationDb(options), reopen: () => openFoundationDb(options) };
  });

  async function fails(options: FdbOptions, code: StoreFailure): Promise<void> {
    await assert.rejects(openFoundationDb(options), (error) => {
      assert.ok(error instanceof StoreOpenError, String(error));
      assert.equal(error.code, code, error.message);
      assert.ok(error.message.includes(options.clusterFile), error.message);
      return true;
    });
  }

  test('foundationdb: commits that wait together share transactions, told before the first answer', async () => {
    const groups: number[] = [];
    const store = await openFoundationDb({ ...fresh(), onTransaction: (commits) => groups.push(commits) });
    let answers = 0;
    await Promise.all(
      Array.from({ length: 1_000 }, async (_, i) => {
        const result = await store.commit({ checks: [], writes: [put(`k${i}`, 'v')] });
        assert.equal(result.outcome, 'committed');
        answers += 1;
        assert.ok(groups.reduce((sum, count) => sum + count, 0) >= answers);
      }),
    );
    assert.equal(
      groups.reduce((sum, count) => sum + count, 0),
      1_000,
    );
    assert.ok(groups.length <= Math.ceil(1_000 / LIMITS.groupCommits) + 1, `${groups.length} transactions`);
    await store.close();
  });

  test('foundationdb: a later format and rows of someone else are refused by code', async () => {
    const newer = fresh();
    const store = await openFoundationDb(newer);
    await store.commit({ checks: [], writes: [put('\xffweft-format', '2')] });
    await store.close();
    await fails(newer, 'store_newer');

    const foreign = fresh();
    const other = await openFoundationDb(foreign);
    await other.commit({ checks: [], writes: [{ key: text('\xffweft-format'), value: null }, put('theirs', '1')] });
    await other.close();
    await fails(foreign, 'store_corrupt');
  });

  test('foundationdb: two processes see each other at once and wake each other’s watches', async () => {
    const options = fresh();
    const [one, two] = [await openFoundationDb(options), await openFoundationDb(options)];
    await Promise.all([increment(one, 'total', 40), increment(two, 'total', 40)]);
    assert.equal(show(await one.get(text('total'))), '80');
    let seen: string | undefined;
    const end = one.watch(text('total'), () => {
      void one.get(text('total')).then((value) => {
        seen = show(value);
      });
    });
    seen = show(await one.get(text('total')));
    for (let i = 0; i < 10; i++) {
      await increment(two, 'total', 1);
      // The last change of each burst must be told, whenever it comes.
      if (i % 3 === 2)
        for (const by = Date.now() + 5_000; seen !== `${81 + i}`; await pause(5)) assert.ok(Date.now() < by, `${seen}`);
    }
    end();
    await one.close();
    await two.close();
  });

  test('foundationdb: a watch lives longer than a transaction may, and after its transaction was collected', async () => {
    const options = fresh();
    const [one, two] = [await openFoundationDb(options), await openFoundationDb(options)];
    let told = 0;
    const end = one.watch(text('slow'), () => {
      told += 1;
    });
    await pause(FDB_LIMITS.timeoutMs / 2);
    globalThis.gc?.();
    await pause(FDB_LIMITS.timeoutMs / 2 + 300);
    globalThis.gc?.();
    assert.equal(told, 0);
    await two.commit({ checks: [], writes: [put('slow', '1')] });
    for (const by = Date.now() + 5_000; told === 0; await pause(5)) assert.ok(Date.now() < by);
    end();
    await one.close();
    await two.close();
  });

  test('foundationdb: reads of a closed store fail as promises', async () => {
    const store = await openFoundationDb(fresh());
    await store.close();
    await assert.rejects(store.get(text('a')));
    await assert.rejects(store.range({ start: text('a'), end: text('b'), limit: 1 }));
  });

  test('foundationdb: a range of more rows and bytes than one answer of the cluster holds', async () => {
    const store = await openFoundationDb(fresh());
    const value = Buffer.alloc(9_000, 1);
    for (let i = 0; i < 3_000; i += 100) {
      const writes = Array.from({ length: 100 }, (_, j) => ({ key: text(`k${`${i + j}`.padStart(5, '0')}`), value }));
      assert.equal((await store.commit({ checks: [], writes })).outcome, 'committed');
    }
    for (const reverse of [false, true]) {
      const page = await store.range({ start: text('k'), end: text('l'), limit: 10_000, reverse });
      assert.equal(page.rows.length, 3_000);
      assert.equal(show(page.rows[0]!.key), reverse ? 'k02999' : 'k00000');
      const part = await store.range({ start: text('k'), end: text('l'), limit: 10_000, maxBytes: 5_000_000, reverse });
      assert.deepEqual([part.rows.length, part.more], [555, true]);
    }
    await store.close();
  });

  test('foundationdb: a process ends by itself after close, and at once by exit, whatever is on its way', () => {
    const program = join(import.meta.dirname, 'foundationdb-exit.js');
    for (const how of ['close', 'exit', 'busy']) {
      const { status, signal, stderr } = spawnSync(process.execPath, [program, server.clusterFile, how], {
        env: clientEnvironment(),
        timeout: 10_000,
        encoding: 'utf8',
      });
      assert.deepEqual([status, signal], [how === 'close' ? 0 : 3, null], `${how}: ${stderr}`);
    }
  });
});
