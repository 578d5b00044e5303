// Owns the tests of the embedded engine beyond the contract.
// Invariant: each uses a folder of its own.
// Must not: repeat the contract suite.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { open } from 'lmdb';
import { LIMITS } from '../../actors/limits.js';
import { type StoreFailure, StoreOpenError } from '../../storage/failure.js';
import { openLmdb } from '../../storage/lmdb.js';
import { inspect } from '../../storage/lmdb-file.js';
import { storeContract } from './contract.js';
import { folder } from './folder.js';
import { increment } from './groups.js';
import { put, show, text } from './scene.js';

storeContract('lmdb', async () => {
  const path = folder();
  return { store: await openLmdb({ path }), reopen: () => openLmdb({ path }) };
});

async function fails(path: string, code: StoreFailure): Promise<void> {
  await assert.rejects(openLmdb({ path }), (error) => {
    assert.ok(error instanceof StoreOpenError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(path), error.message);
    return true;
  });
}

test('lmdb: commits that wait together share a flush, told by the hook before the first answer', async () => {
  const flushed: number[] = [];
  const store = await openLmdb({ path: folder(), onFlushed: (batch) => flushed.push(batch) });
  const answers: number[] = [];
  await Promise.all(
    Array.from({ length: 300 }, async (_, i) => {
      const { outcome } = await store.commit({ checks: [], writes: [put(`k${i}`, 'v')] });
      assert.equal(outcome, 'committed');
      answers.push(i);
      assert.ok(flushed.reduce((sum, batch) => sum + batch, 0) >= answers.length, 'no answer before its flush');
    }),
  );
  assert.equal(
    flushed.reduce((sum, batch) => sum + batch, 0),
    300,
  );
  assert.ok(flushed.length < 10, `${flushed.length} transactions`);
  assert.deepEqual(
    answers,
    [...answers].sort((a, b) => a - b),
    'answers keep the order of arrival',
  );
  await store.close();
});

test('lmdb: a writer of several processes that is busy lets their commits come together; one that is not waits for nothing', async () => {
  for (const gathers of [true, false]) {
    const flushed: number[] = [];
    const store = await openLmdb({ path: folder(), gathers, onFlushed: (batch) => flushed.push(batch) });
    const commit = (key: string) => store.commit({ checks: [], writes: [put(key, 'v')] });
    const two = async (burst: number): Promise<number> => {
      await Promise.all(Array.from({ length: burst }, (_, i) => commit(`k${i}`)));
      flushed.length = 0;
      const first = commit('first');
      // Before the wait is over, whatever holds this process up: its timer is due earlier.
      await new Promise((resolve) => setTimeout(resolve, 1));
      await Promise.all([first, commit('second')]);
      return flushed.length;
    };
    let together = 0;
    for (let i = 0; i < 20; i++) together += (await two(LIMITS.storeGatherCommits)) === 1 ? 1 : 0;
    if (gathers) assert.equal(together, 20);
    else assert.ok(together < 20, 'they come apart without it');
    let apart = 0;
    for (let i = 0; i < 20; i++) apart += (await two(1)) === 2 ? 1 : 0;
    assert.ok(apart > 0, 'after a small group nobody waits');
    await store.close();
  }
});

test('lmdb: an unreadable place, a later format, and rows of someone else are refused by code', async () => {
  const base = folder();
  writeFileSync(join(base, 'file'), 'x');
  await fails(join(base, 'file'), 'store_unavailable');

  const newer = join(base, 'newer');
  const store = await openLmdb({ path: newer });
  await store.commit({ checks: [], writes: [put('\xffweft-format', '2')] });
  await store.close();
  await fails(newer, 'store_newer');

  const foreign = join(base, 'foreign');
  const database = open({ path: foreign, noSubdir: false, keyEncoding: 'binary', encoding: 'binary' });
  await database.put(Buffer.from('theirs'), Buffer.from('1'));
  await database.close();
  await fails(foreign, 'store_corrupt');
});

test('lmdb: a damaged or shortened data file is refused by code and named, whatever is missing', async () => {
  const path = folder();
  const store = await openLmdb({ path });
  for (let i = 0; i < 40; i++) {
    const writes = Array.from({ length: 20 }, (_, j) =>
      put(`${(i * 7919) % 997}/${j}`, 'x'.repeat(j === 7 ? 9_000 : 200)),
    );
    await store.commit({ checks: [], writes });
  }
  await store.close();
  const file = join(path, 'data.mdb');
  const whole = readFileSync(file);
  const broken = (bytes: Uint8Array): Promise<void> => {
    writeFileSync(file, bytes);
    return fails(path, 'store_corrupt');
  };
  for (const length of [1, 100, 4_096, 8_191, 8_192, 40_960, whole.length >> 1, whole.length - 4_096]) {
    await broken(whole.subarray(0, length));
  }
  await broken(Buffer.from('not a database at all, but long enough to hold a header'.repeat(300)));
  await broken(Buffer.concat([Buffer.alloc(8_192), whole.subarray(8_192)]));
  await broken(Buffer.concat([whole.subarray(0, 28), Buffer.from([9]), whole.subarray(29)]));
  writeFileSync(file, whole);
  const again = await openLmdb({ path });
  assert.equal((await again.range({ start: text('0'), end: text(':'), limit: 10_000 })).rows.length, 800);
  await again.close();
});

test('lmdb: damage within the pages is found before they are mapped, all of it or in those looked at', async () => {
  const path = folder();
  const store = await openLmdb({ path });
  for (let i = 0; i < 20; i++) {
    const rows = Array.from({ length: 60 }, (_, j) =>
      put(`k${(i * 7919 + j * 31) % 3000}`, 'v'.repeat(j === 7 ? 9_000 : 180)),
    );
    await store.commit({ checks: [], writes: rows });
  }
  await store.close();
  const file = join(path, 'data.mdb');
  const whole = readFileSync(file);
  const page = 4_096;
  const spoil = (at: number, how: (bytes: Buffer) => void): void => {
    const bytes = Buffer.from(whole);
    how(bytes.subarray(at * page, (at + 1) * page));
    writeFileSync(file, bytes);
  };
  // Pages that nothing refers to any more may hold anything: each damage is done to all that are in use.
  const damages: readonly ((bytes: Buffer) => void)[] = [
    (bytes) => bytes.fill(0),
    (bytes) => bytes.writeUInt32LE(bytes.readUInt32LE(0) + 1, 0),
    (bytes) => bytes.writeUInt16LE(0x20, 18),
    (bytes) => bytes.writeUInt16LE(0xfffe, 20),
  ];
  const every = Number.MAX_SAFE_INTEGER;
  let used = 0;
  for (let at = 2; at < whole.length / page; at++) {
    const found = damages.map((damage) => {
      spoil(at, damage);
      try {
        inspect(path, every);
        return 0;
      } catch (error) {
        assert.ok(error instanceof StoreOpenError && error.code === 'store_corrupt', String(error));
        return 1;
      }
    });
    assert.equal(new Set(found).size, 1, `page ${at}: ${found}`);
    used += found[0]!;
  }
  // Values over several pages have a header on the first alone.
  assert.ok(used > 60, `${used} pages in use`);
  writeFileSync(file, whole);
  for (const budget of [1, 2, 10, every]) inspect(path, budget);
});

test('lmdb: a damaged page that is met at work breaks the store and says so; nothing is written on', async () => {
  const path = folder();
  const broken: string[] = [];
  const store = await openLmdb({ path, onBroken: (code, reason) => broken.push(`${code}: ${reason}`) });
  await store.commit({ checks: [], writes: Array.from({ length: 100 }, (_, i) => put(`k${i}`, 'v'.repeat(200))) });
  const file = openSync(join(path, 'data.mdb'), 'r+');
  for (let page = 2; page < fstatSync(file).size / 4_096; page++)
    writeSync(file, new Uint8Array(2), 0, 2, page * 4_096 + 18);
  closeSync(file);
  await assert.rejects(store.get(text('k50')));
  assert.equal(broken.length, 1);
  assert.match(broken[0]!, /^store_corrupt: .*data\.mdb is damaged: .*restore/);
  const { outcome } = await store.commit({ checks: [], writes: [put('later', '1')] });
  assert.equal(outcome, 'failed');
  await store.close();
});

test('lmdb: a store that has been emptied and shortened by deletes opens again', async () => {
  const path = folder();
  const store = await openLmdb({ path });
  const keys = Array.from({ length: 2_000 }, (_, i) => `k${i}`);
  const changes = keys.map((key) => store.commit({ checks: [], writes: [put(key, 'v'.repeat(3_000))] }));
  const removals = keys.map((key) => store.commit({ checks: [], writes: [{ key: text(key), value: null }] }));
  for (const { outcome } of await Promise.all([...changes, ...removals])) assert.equal(outcome, 'committed');
  await store.close();
  const again = await openLmdb({ path });
  assert.deepEqual((await again.range({ start: text('k'), end: text('l'), limit: 10 })).rows, []);
  await again.close();
});

test('lmdb: a file at its bound answers store_full and keeps what it has', async () => {
  const store = await openLmdb({ path: folder(), mapSize: 200_000 });
  const outcomes: string[] = [];
  for (let i = 0; i < 60; i++) {
    const result = await store.commit({ checks: [], writes: [put(`k${i}`, 'x'.repeat(10_000))] });
    outcomes.push(result.outcome === 'failed' ? result.code : result.outcome);
  }
  const kept = outcomes.indexOf('store_full');
  assert.ok(kept > 3);
  assert.deepEqual(outcomes, [...Array(kept).fill('committed'), ...Array(60 - kept).fill('store_full')]);
  assert.equal((await store.range({ start: text('k'), end: text('l'), limit: 100 })).rows.length, kept);
  await store.close();
});

test('lmdb: two processes take turns, see each other at once, and wake each other’s watches', async (t) => {
  const path = folder();
  const store = await openLmdb({ path });
  const alive = setInterval(() => {}, 1_000);
  let wake = (): void => {};
  const end = store.watch(text('total'), () => wake());
  const writer = join(import.meta.dirname, 'writer.js');
  const children = [1, 2].map(() =>
    spawn(process.execPath, [writer, path, 'total', 'increment', '150'], { stdio: 'inherit' }),
  );
  t.after(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  const exits = children.map((child) => once(child, 'exit'));
  await increment(store, 'total', 150);
  for (const exit of exits) assert.deepEqual(await exit, [0, null]);
  assert.equal(show(await store.get(text('total'))), '450');

  const other = spawn(process.execPath, [writer, path, 'total', 'increment', '1'], { stdio: 'inherit' });
  t.after(() => other.kill('SIGKILL'));
  for (;;) {
    const heard = new Promise<void>((resolve) => {
      wake = resolve;
    });
    if (show(await store.get(text('total'))) === '451') break;
    await heard;
  }
  end();
  clearInterval(alive);
  await store.close();
});

test('lmdb: what another process told of in this turn is seen in this turn', async () => {
  const path = folder();
  const store = await openLmdb({ path });
  const before = store.get(text('total'));
  const writer = join(import.meta.dirname, 'writer.js');
  const { status } = spawnSync(process.execPath, [writer, path, 'total', 'increment', '1'], { stdio: 'inherit' });
  const after = store.get(text('total'));
  const page = store.range({ start: text('t'), end: text('u'), limit: 1 });
  assert.equal(status, 0);
  assert.deepEqual([show(await before), show(await after), (await page).rows.length], [undefined, '1', 1]);
  await store.close();
});

test('lmdb: a process that was killed while it read does not hold back freed pages', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const path = folder();
  const store = await openLmdb({ path });
  const file = join(path, 'data.mdb');
  /** Bytes by which the file grows while the same rows are written again and again. */
  const churn = async (): Promise<number> => {
    const before = statSync(file).size;
    for (let i = 0; i < 60; i++) {
      await store.commit({
        checks: [],
        writes: Array.from({ length: 20 }, (_, j) => put(`k${j}`, `${i}`.repeat(700))),
      });
    }
    return statSync(file).size - before;
  };
  await churn();
  const reader = spawn(process.execPath, [join(import.meta.dirname, 'writer.js'), path, 'k1', 'hold'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => reader.kill('SIGKILL'));
  await once(reader.stdout, 'data');
  const held = await churn();
  reader.kill('SIGKILL');
  await once(reader, 'close');
  t.mock.timers.tick(LIMITS.storeReadersMs);
  await churn();
  const after = await churn();
  assert.ok(held > 1_000_000 && after < held / 10, `${held} bytes while it was held, ${after} after`);
  await store.close();
});

test('lmdb: reads of a closed store fail as promises', async () => {
  const store = await openLmdb({ path: folder() });
  await store.close();
  await assert.rejects(store.get(text('a')));
  await assert.rejects(store.range({ start: text('a'), end: text('b'), limit: 1 }));
});
