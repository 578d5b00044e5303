// Owns the properties of id pages: every id is found under its number, and forgetting takes the oldest whole pages only.
// Invariant: the model is the list of ids with their numbers.
// Must not: decide what is a retry (recent-ids.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../actors/limits.js';
import { decodeIdPage, encodeIdPage, findOnPages, lastOn, trimPages, viewPages } from '../../storage/id-page.js';
import { idKey, idPageKey, idPageRange } from '../../storage/keys.js';
import { openMemory } from '../../storage/memory.js';
import type { Write } from '../../storage/store.js';
import { ManualWorld } from '../actors/manual-world.js';

const CHAT = new Uint8Array(16).fill(2);
const BASE = 1_700_000_000_000;

interface Entry {
  readonly id: string;
  /** When it was made, and when it was accepted. */
  readonly time: number;
  readonly at: number;
  readonly seq: number;
}

/** A log whose pages have these lengths; an id's clock is off by so many ms. */
function log(lengths: readonly number[], skews: readonly number[], gap: number): Entry[][] {
  let seq = 0;
  let at = BASE;
  return lengths.map((length) =>
    Array.from({ length }, () => {
      seq += 1;
      at += gap;
      const time = at + skews[seq % skews.length]!;
      const id = Buffer.alloc(16, seq & 255);
      id.writeUIntBE(time, 0, 6);
      id.writeUInt32BE(seq, 12);
      return { id: id.toString('latin1'), time, at, seq };
    }),
  );
}

async function stored(pages: readonly Entry[][]) {
  const world = new ManualWorld();
  const store = openMemory({ world });
  let highest = '';
  const writes: Write[] = [];
  for (const page of pages) {
    for (const { id } of page) if (id > highest) highest = id;
    const last = page.at(-1)!;
    const value = encodeIdPage({ highest, first: page[0]!.seq, ids: page.map(({ id }) => id).join('') });
    writes.push({ key: idPageKey(CHAT, last.at, last.seq), value });
    for (const { id, time } of page) {
      if (Math.abs(time - last.at) > LIMITS.idSkewMs) {
        writes.push({ key: idKey(CHAT, Buffer.from(id, 'latin1')), value: new Uint8Array(6) });
      }
    }
  }
  const commit = async (list: readonly Write[]): Promise<void> => {
    const done = store.commit({ checks: [], writes: list });
    world.advance(1_000);
    assert.equal((await done).outcome, 'committed');
  };
  await commit(writes);
  /** Reads are answered in turns of the world. */
  const read = async <T>(promise: Promise<T>): Promise<T> => {
    let over = false;
    void promise.finally(() => {
      over = true;
    });
    while (!over) {
      await new Promise((resolve) => setImmediate(resolve));
      world.settle();
    }
    return promise;
  };
  return { store, commit, read };
}

const lengths = fc.array(fc.constantFrom(1, 2, 3, 63, 64, 65, 80), { minLength: 1, maxLength: 6 });
const skews = fc.array(fc.integer({ min: -LIMITS.idSkewMs + 1, max: LIMITS.idSkewMs - 1 }), {
  minLength: 1,
  maxLength: 5,
});

test('an id whose clock was about right is found on its page, and no other is', async () => {
  await fc.assert(
    fc.asyncProperty(lengths, skews, fc.constantFrom(0, 1, 400, 70_000), fc.nat(), async (some, off, gap, pick) => {
      const pages = log(some, off, gap);
      const { store, read } = await stored(pages);
      const all = pages.flat();
      for (const { id, time, seq } of [all[pick % all.length]!, all[0]!, all.at(-1)!]) {
        const page = pages.find((entries) => entries.some((entry) => entry.seq === seq))!;
        // By design a page of a long span keeps what is far from its end in rows of their own.
        if (Math.abs(time - page.at(-1)!.at) > LIMITS.idSkewMs) continue;
        assert.equal(await read(findOnPages(store, CHAT, id, time)), seq);
        const shifted = id.slice(1) + id[0];
        if (!all.some((entry) => entry.id === shifted)) {
          assert.equal(await read(findOnPages(store, CHAT, shifted, time)), undefined);
        }
      }
    }),
    { numRuns: 150 },
  );
});

test('trimming forgets the oldest whole pages that have ended, keeps the newest 64 ids, and merges without loss', async () => {
  await fc.assert(
    fc.asyncProperty(lengths, skews, fc.constantFrom(1, 70_000), fc.nat(400), async (some, off, gap, until) => {
      const pages = log(some, off, gap);
      const { store, commit, read } = await stored(pages);
      const { writes, forgot } = trimPages(CHAT, await read(viewPages(store, CHAT)), (page) => lastOn(page) <= until);
      await commit(writes);
      const left = (await read(store.range({ ...idPageRange(CHAT, 0), limit: 100 }))).rows.map(({ value }) =>
        decodeIdPage(value),
      );
      const all = pages.flat();
      const kept = left.flatMap(({ first, ids }) =>
        Array.from({ length: ids.length / 16 }, (_, i) => ({ seq: first + i, id: ids.slice(16 * i, 16 * i + 16) })),
      );
      assert.deepEqual(
        kept,
        all.filter(({ seq }) => seq > forgot).map(({ seq, id }) => ({ seq, id })),
      );
      assert.ok(forgot <= until);
      if (forgot > 0) assert.ok(kept.length >= LIMITS.idPage, `${kept.length} ids are left`);
      assert.ok(forgot === 0 || pages.some((page) => page.at(-1)!.seq === forgot), 'a whole page');
      // Nothing more can go: the next page has not ended, is among the newest two, or what is left would be too little.
      const next = pages.find((page) => page[0]!.seq === forgot + 1);
      const ended = next !== undefined && next.at(-1)!.seq <= until && pages.indexOf(next) < pages.length - 2;
      if (ended && pages.length <= LIMITS.sweepPages) assert.ok(kept.length - next.length < LIMITS.idPage);
    }),
    { numRuns: 150 },
  );
});
