// Owns the part of the contract suite about order, ranges and pages.
// Invariant: as contract.ts.
// Must not: know an engine, or depend on timing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { put, type Stage, show, shown, text } from './scene.js';

const HIGH = Uint8Array.of(0xff, 0xff, 0xff, 0xff);

export function rangeContract(name: string, { store, scene, commit }: Stage): void {
  test(`${name}: keys are ordered by unsigned bytes, a prefix first`, async () => {
    const p = scene();
    const keys = [
      '\x00',
      '\x00\x00',
      '\x00\xff',
      '\x01',
      'a',
      'a\x00',
      'a\x00b',
      'aa',
      'b',
      '\x7f',
      '\x80',
      '\xfe\xff',
      '\xff',
    ];
    keys.push('\xff\x00', '\xff\xff');
    for (const key of [...keys].reverse()) await commit([put(p + key, 'v')]);
    const sorted = [...keys].sort((a, b) => Buffer.compare(text(a), text(b)));
    const query = { start: text(p), end: text(`${p}\xff\xff\xff`), limit: 100 };
    assert.deepEqual(
      (await store().range(query)).rows.map((row) => show(row.key)),
      sorted.map((key) => p + key),
    );
    const reversed = (await store().range({ ...query, reverse: true })).rows.map((row) => show(row.key));
    assert.deepEqual(
      reversed,
      sorted.reverse().map((key) => p + key),
    );
  });

  test(`${name}: a range includes its start and excludes its end, both ways`, async () => {
    const p = scene();
    await commit(['a', 'b', 'c', 'd', 'e'].map((key) => put(p + key, key)));
    const cases: [string, string, string][] = [
      ['b', 'd', 'bc'],
      ['b', 'd\x00', 'bcd'],
      ['b\x00', 'd', 'c'],
      ['a', 'a', ''],
      ['d', 'b', ''],
      ['0', 'b', 'a'],
      ['e', 'z', 'e'],
      ['f', 'z', ''],
      ['', 'z', 'abcde'],
    ];
    for (const [start, end, expected] of cases) {
      const query = { start: text(p + start), end: text(p + end), limit: 100 };
      const forward = await store().range(query);
      assert.equal(forward.rows.map((row) => show(row.value)).join(''), expected, `${start} to ${end}`);
      assert.equal(forward.more, false);
      const backward = await store().range({ ...query, reverse: true });
      assert.equal(backward.rows.map((row) => show(row.value)).join(''), [...expected].reverse().join(''));
      assert.equal(backward.more, false);
    }
  });

  test(`${name}: the whole store is a range from nothing to 0xff…, and an empty end is an empty range`, async () => {
    const p = scene();
    await commit([put('\x00first', '1'), put(`${p}x`, '2')]);
    const whole = { start: new Uint8Array(0), end: HIGH, limit: 1 };
    assert.equal(show((await store().range(whole)).rows[0]?.key), '\x00first');
    const last = await store().range({ ...whole, limit: 100_000 });
    const back = await store().range({ ...whole, limit: 100_000, reverse: true });
    assert.deepEqual(shown([...back.rows].reverse()), shown(last.rows));
    assert.deepEqual(await store().range({ start: new Uint8Array(0), end: new Uint8Array(0), limit: 5 }), {
      rows: [],
      more: false,
    });
  });

  test(`${name}: paging forward and in reverse meets every row once and says when it is done`, async () => {
    const p = scene();
    const count = 137;
    for (let i = 0; i < count; i++) await commit([put(`${p}${`${i}`.padStart(4, '0')}`, `${i}`)]);
    for (const limit of [1, 10, 136, 137, 138]) {
      const forward: number[] = [];
      let start: Uint8Array = text(p);
      for (let more = true; more; ) {
        const page = await store().range({ start, end: text(`${p}\xff`), limit });
        forward.push(...page.rows.map((row) => Number(show(row.value))));
        assert.ok(page.rows.length <= limit);
        more = page.more;
        if (more) start = Buffer.concat([page.rows.at(-1)!.key, Uint8Array.of(0)]);
      }
      assert.deepEqual(
        forward,
        Array.from({ length: count }, (_, i) => i),
      );
      const backward: number[] = [];
      let end: Uint8Array = text(`${p}\xff`);
      for (let more = true; more; ) {
        const page = await store().range({ start: text(p), end, limit, reverse: true });
        backward.push(...page.rows.map((row) => Number(show(row.value))));
        more = page.more;
        if (more) end = page.rows.at(-1)!.key;
      }
      assert.deepEqual(backward, forward.reverse());
    }
  });

  test(`${name}: maxBytes ends a page but never before its first row`, async () => {
    const p = scene();
    const value = Buffer.alloc(1_000, 3);
    await commit([1, 2, 3, 4, 5].map((i) => ({ key: text(`${p}${i}`), value })));
    const query = { start: text(p), end: text(`${p}\xff`), limit: 100 };
    for (const reverse of [false, true]) {
      const sizes: [number, number, boolean][] = [
        [1, 1, true],
        [1_999, 1, true],
        [2_000, 2, true],
        [4_999, 4, true],
        [5_000, 5, false],
        [50_000, 5, false],
      ];
      for (const [maxBytes, rows, more] of sizes) {
        const page = await store().range({ ...query, maxBytes, reverse });
        assert.deepEqual([page.rows.length, page.more], [rows, more], `${maxBytes} bytes`);
      }
    }
  });
}
