// Owns what the crash tests write and how they check it.
// Invariant: a group is complete or absent; anything between is a torn commit.
// Must not: open stores.

import assert from 'node:assert/strict';
import type { Store, Write } from '../../storage/store.js';
import { show, text } from './scene.js';

/** Rows of one commit, far apart in key order so that they lie on different pages. */
export const GROUP = 4;

export function groupRows(id: string): Write[] {
  return Array.from({ length: GROUP }, (_, i) => ({
    key: text(`g${i}/${id}`),
    value: text(`${id}:${'x'.repeat((id.length * 97) % 400)}`),
  }));
}

/** Ids of the groups in the store. Fails on a torn one. */
export async function readGroups(store: Store): Promise<Set<string>> {
  const tables: Map<string, string>[] = [];
  for (let i = 0; i < GROUP; i++) {
    const { rows, more } = await store.range({ start: text(`g${i}/`), end: text(`g${i}0`), limit: 1_000_000 });
    assert.equal(more, false);
    tables.push(new Map(rows.map((row) => [show(row.key)!.slice(3), show(row.value)!])));
  }
  const [first, ...others] = tables;
  for (const table of others) assert.deepEqual(table, first, 'a commit is whole or absent');
  for (const [id, value] of first!) assert.equal(value, show(groupRows(id)[0]!.value!));
  return new Set(first!.keys());
}

/** Adds 1 to a row `count` times, each time by a check of what it read. */
export async function increment(store: Store, key: string, count: number): Promise<void> {
  for (let done = 0; done < count; ) {
    const before = await store.get(text(key));
    const value = text(`${Number(show(before) ?? 0) + 1}`);
    const check = { key: text(key), value: before ?? null };
    const { outcome } = await store.commit({ checks: [check], writes: [{ key: text(key), value }] });
    if (outcome === 'committed') done += 1;
    else assert.equal(outcome, 'conflict');
  }
}
