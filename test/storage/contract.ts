// Owns the contract suite: what every engine of storage/store.ts must do.
// Invariant: an engine that passes can be exchanged for any other that passes.
// Must not: know an engine, or depend on timing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compareBytes } from '../../storage/bytes.js';
import { type Commit, STORE_LIMITS, type Store, type Write } from '../../storage/store.js';
import { rangeContract } from './contract-range.js';
import { put, show, shown, stage, text } from './scene.js';

export interface Opened {
  readonly store: Store;
  /** Opens the same data again after `store.close()`. */
  readonly reopen?: () => Promise<Store>;
  /** Frees what the store left behind. */
  readonly dispose?: () => void | Promise<void>;
}

/** Registers the tests; `open` makes an empty store. */
export function storeContract(name: string, open: () => Promise<Opened>): void {
  let opened: Opened;
  let store: Store;
  const shared = stage(() => store);
  const { scene, commit, all } = shared;
  /** An engine's timers do not keep the process alive; the test does. */
  let alive: NodeJS.Timeout;
  before(async () => {
    alive = setInterval(() => {}, 1_000);
    opened = await open();
    store = opened.store;
  });
  after(async () => {
    await store.close();
    await opened.dispose?.();
    clearInterval(alive);
  });

  test(`${name}: a commit's rows can be read as soon as it is answered`, async () => {
    const p = scene();
    assert.deepEqual(await commit([put(`${p}a`, '1'), put(`${p}b`, '2')]), { outcome: 'committed' });
    assert.equal(show(await store.get(text(`${p}a`))), '1');
    assert.deepEqual(shown((await all(p)).rows), [`${p}a=1`, `${p}b=2`]);
    assert.equal(await store.get(text(`${p}c`)), undefined);
  });

  test(`${name}: reads after each of many answers see that answer's rows`, async () => {
    const p = scene();
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        await store.get(text(`${p}${i % 7}`));
        await commit([put(`${p}${i}`, `${i}`)]);
        assert.equal(show(await store.get(text(`${p}${i}`))), `${i}`);
      }),
    );
  });

  test(`${name}: deletes, and an empty value is not an absent one`, async () => {
    const p = scene();
    await commit([put(`${p}a`, ''), put(`${p}b`, 'x')]);
    assert.equal((await store.get(text(`${p}a`)))?.length, 0);
    await commit([
      { key: text(`${p}a`), value: null },
      { key: text(`${p}never`), value: null },
    ]);
    assert.equal(await store.get(text(`${p}a`)), undefined);
    assert.deepEqual(shown((await all(p)).rows), [`${p}b=x`]);
  });

  test(`${name}: the last write to a key wins within a commit`, async () => {
    const p = scene();
    await commit([put(`${p}a`, '1'), put(`${p}a`, '2'), { key: text(`${p}b`), value: null }, put(`${p}b`, '3')]);
    await commit([put(`${p}c`, '4'), { key: text(`${p}c`), value: null }]);
    assert.deepEqual(shown((await all(p)).rows), [`${p}a=2`, `${p}b=3`]);
  });

  test(`${name}: a check that fails names itself and nothing is written`, async () => {
    const p = scene();
    await commit([put(`${p}a`, '1')]);
    const result = await commit(
      [put(`${p}x`, 'no'), put(`${p}a`, 'no')],
      [
        { key: text(`${p}a`), value: text('1') },
        { key: text(`${p}absent`), value: null },
        { key: text(`${p}a`), value: text('2') },
      ],
    );
    assert.deepEqual(result, { outcome: 'conflict', check: 2 });
    assert.deepEqual(shown((await all(p)).rows), [`${p}a=1`]);
  });

  test(`${name}: checks compare the whole value, and absence`, async () => {
    const p = scene();
    const long = Buffer.alloc(60_000, 7);
    await commit([put(`${p}a`, 'abc'), put(`${p}empty`, ''), { key: text(`${p}long`), value: long }]);
    const cases: [string, Uint8Array | null, boolean][] = [
      ['a', text('abc'), true],
      ['a', text('ab'), false],
      ['a', text('abcd'), false],
      ['a', text('Abc'), false],
      ['a', null, false],
      ['empty', text(''), true],
      ['empty', null, false],
      ['none', null, true],
      ['none', text(''), false],
      ['long', long, true],
      ['long', Buffer.alloc(60_000, 7).fill(8, 59_999), false],
      ['long', Buffer.alloc(60_000, 7).fill(8, 0, 1), false],
    ];
    for (const [key, value, holds] of cases) {
      const result = await commit([], [{ key: text(p + key), value }]);
      assert.equal(result.outcome, holds ? 'committed' : 'conflict', `${key} against ${value?.length ?? 'absent'}`);
    }
  });

  test(`${name}: checks of one group see the writes before them`, async () => {
    const p = scene();
    const big = Buffer.alloc(90_000, 1);
    const results = await Promise.all([
      commit([put(`${p}a`, '1')], [{ key: text(`${p}a`), value: null }]),
      commit([put(`${p}a`, '2')], [{ key: text(`${p}a`), value: text('1') }]),
      commit([{ key: text(`${p}a`), value: null }], [{ key: text(`${p}a`), value: text('2') }]),
      commit([{ key: text(`${p}a`), value: big }], [{ key: text(`${p}a`), value: null }]),
      commit([put(`${p}b`, 'yes')], [{ key: text(`${p}a`), value: big }]),
    ]);
    assert.deepEqual(new Set(results.map((result) => result.outcome)), new Set(['committed']));
    assert.equal(show(await store.get(text(`${p}b`))), 'yes');
  });

  test(`${name}: a refused commit harms no other of its group`, async () => {
    const p = scene();
    const results = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        i % 3 === 0
          ? commit([put(`${p}${i}`, 'no')], [{ key: text(`${p}absent`), value: text('there') }])
          : i % 3 === 1
            ? commit([{ key: text(`${p}${i}`), value: new Uint8Array(STORE_LIMITS.value + 1) }])
            : commit([put(`${p}${i}`, 'yes')]),
      ),
    );
    results.forEach((result, i) => {
      if (i % 3 === 0) assert.deepEqual(result, { outcome: 'conflict', check: 0 });
      else if (i % 3 === 1) assert.equal(result.outcome === 'failed' && result.code, 'too_large');
      else assert.deepEqual(result, { outcome: 'committed' });
    });
    const { rows } = await all(p);
    assert.equal(rows.length, 20);
    assert.ok(rows.every((row) => show(row.value) === 'yes'));
  });

  test(`${name}: of many that contend for one key exactly one wins each round`, async () => {
    const p = scene();
    const epoch = text(`${p}epoch`);
    for (let round = 0; round < 5; round++) {
      const value = round === 0 ? null : text(`${round}`);
      const results = await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          commit([put(`${p}epoch`, `${round + 1}`), put(`${p}winner/${round}`, `${i}`)], [{ key: epoch, value }]),
        ),
      );
      const winners = results.flatMap((result, i) => (result.outcome === 'committed' ? [i] : []));
      assert.equal(winners.length, 1);
      assert.equal(show(await store.get(text(`${p}winner/${round}`))), `${winners[0]}`);
      assert.equal(results.filter((result) => result.outcome === 'conflict').length, 99);
    }
  });

  test(`${name}: any mix of commits leaves what a plain map would hold`, async () => {
    const p = scene();
    const model = new Map<string, string>();
    const pending: Promise<void>[] = [];
    let seed = 42;
    const next = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return (seed >>> 8) % below;
    };
    for (let i = 0; i < 400; i++) {
      const key = `${p}${next(40)}`;
      const expected = next(3) === 0 ? `wrong${i}` : model.get(key);
      const holds = expected === model.get(key);
      const writes = Array.from({ length: next(4) }, (): Write => {
        const target = text(`${p}${next(40)}`);
        return { key: target, value: next(3) === 0 ? null : text('v'.repeat(next(300)) + i) };
      });
      if (holds)
        for (const { key: at, value } of writes)
          value === null ? model.delete(show(at)!) : model.set(show(at)!, show(value)!);
      const check = { key: text(key), value: expected === undefined ? null : text(expected) };
      pending.push(
        commit(writes, [check]).then((result) => assert.equal(result.outcome, holds ? 'committed' : 'conflict')),
      );
    }
    await Promise.all(pending);
    const rows = shown((await all(p)).rows);
    const expected = [...model].sort(([a], [b]) => compareBytes(text(a), text(b))).map(([k, v]) => `${k}=${v}`);
    assert.deepEqual(rows, expected);
  });

  test(`${name}: what a read returns is the caller's`, async () => {
    const p = scene();
    for (const size of [3, 5_000, 60_000]) {
      await commit([{ key: text(`${p}a`), value: Buffer.alloc(size, 1) }, put(`${p}b`, 'other')]);
      const first = (await store.get(text(`${p}a`)))!;
      const [row] = (await all(p)).rows;
      await store.get(text(`${p}b`));
      await commit([{ key: text(`${p}a`), value: Buffer.alloc(size, 2) }]);
      await commit(Array.from({ length: 50 }, (_, i) => put(`${p}c${i}`, 'z'.repeat(4_000))));
      assert.ok(first.every((byte) => byte === 1) && first.length === size);
      assert.ok(row!.value.every((byte) => byte === 1) && show(row!.key) === `${p}a`);
      first.fill(9);
      row!.value.fill(9);
      row!.key.fill(9);
      assert.ok((await store.get(text(`${p}a`)))!.every((byte) => byte === 2));
    }
  });

  test(`${name}: holds the limits to the byte`, async () => {
    const p = scene();
    const key = (length: number): Uint8Array => text(p.padEnd(length, 'k'));
    const value = (length: number): Uint8Array => new Uint8Array(length).fill(5);
    const outcome = async (writes: Write[], checks: Commit['checks'] = []): Promise<string> => {
      const result = await commit(writes, checks);
      return result.outcome === 'failed' ? result.code : result.outcome;
    };
    assert.equal(await outcome([{ key: key(STORE_LIMITS.key), value: value(1) }]), 'committed');
    assert.equal((await store.get(key(STORE_LIMITS.key)))?.length, 1);
    assert.equal(await outcome([{ key: key(STORE_LIMITS.key + 1), value: value(1) }]), 'too_large');
    assert.equal(await outcome([], [{ key: key(STORE_LIMITS.key + 1), value: null }]), 'too_large');
    assert.equal(await outcome([{ key: key(20), value: value(STORE_LIMITS.value) }]), 'committed');
    assert.equal((await store.get(key(20)))?.length, STORE_LIMITS.value);
    assert.equal(await outcome([{ key: key(20), value: value(STORE_LIMITS.value + 1) }]), 'too_large');
    const rows = STORE_LIMITS.transaction / 50_000;
    const full = Array.from({ length: rows }, (_, i) => ({ key: key(20 + i), value: value(50_000 - 20 - i) }));
    assert.equal(await outcome(full), 'committed');
    assert.equal(await outcome([...full.slice(1), { key: key(20), value: value(49_981) }]), 'too_large');
    assert.equal(await outcome(full, [{ key: key(10), value: null }]), 'too_large');
    assert.throws(() => void store.commit({ checks: [], writes: [{ key: new Uint8Array(0), value: null }] }));
  });

  test(`${name}: watch tells of later changes until it is ended`, async () => {
    const p = scene();
    let told = 0;
    let others = 0;
    const key = text(`${p}a`);
    let wake = (): void => {};
    const end = store.watch(key, () => {
      told += 1;
      wake();
    });
    const endOther = store.watch(text(`${p}b`), () => {
      others += 1;
    });
    const changed = (): Promise<void> => new Promise((resolve) => (wake = resolve));
    for (const write of [put(`${p}a`, '1'), put(`${p}a`, '2'), { key, value: null }]) {
      const heard = changed();
      const before = told;
      await commit([write]);
      await heard;
      assert.ok(told > before);
    }
    await commit([put(`${p}c`, 'unrelated')]);
    await commit([put(`${p}a`, 'no')], [{ key, value: text('never') }]);
    end();
    const total = told;
    await commit([put(`${p}a`, '3')]);
    await new Promise((resolve) => setTimeout(resolve, 120));
    assert.equal(told, total);
    assert.equal(others, 0);
    endOther();
  });

  test(`${name}: close settles every accepted commit and refuses later ones`, async () => {
    const own = await open();
    const pending = Array.from({ length: 700 }, (_, i) =>
      own.store.commit({ checks: [], writes: [put(`close/${i}`, `${i}`)] }),
    );
    const closed = own.store.close();
    const late = await own.store.commit({ checks: [], writes: [put('late', '1')] });
    assert.equal(late.outcome === 'failed' && late.code, 'store_unavailable');
    await closed;
    const results = await Promise.all(pending);
    assert.ok(results.every((result) => result.outcome === 'committed'));
    await own.store.close();
    const again = await own.reopen?.();
    if (again !== undefined) {
      const page = await again.range({ start: text('close/'), end: text('close0'), limit: 1_000 });
      assert.equal(page.rows.length, 700);
      assert.equal(await again.get(text('late')), undefined);
      await again.close();
    }
    await own.dispose?.();
  });

  rangeContract(name, shared);
}
