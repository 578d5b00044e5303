// Owns the tests of the order of commits on their way to a cluster.
// Invariant: needs no cluster.
// Must not: look at hashes; two keys of these tests never share one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { Lineup, type Waiting } from '../../storage/foundationdb-lineup.js';
import { put, text } from './scene.js';

/** Commits by name: keys that they check, keys that they write. */
function lineup(...commits: [string, string, string][]): {
  line: Lineup;
  names: (group: readonly Waiting[]) => string;
} {
  const line = new Lineup();
  const byCommit = new Map<unknown, string>();
  for (const [name, reads, writes] of commits) {
    const commit = {
      checks: [...reads].map((key) => ({ key: text(key), value: null })),
      writes: [...writes].map((key) => put(key, name)),
    };
    byCommit.set(commit, name);
    line.add(commit, () => undefined);
  }
  return { line, names: (group) => group.map(({ commit }) => byCommit.get(commit)).join(' ') };
}

test('all that waits goes out together, in order, whatever its keys', () => {
  const { line, names } = lineup(['1', 'a', 'b'], ['2', 'b', 'c'], ['3', '', 'a'], ['4', '', 'b']);
  assert.equal(names(line.take()), '1 2 3 4');
  assert.equal(line.size, 0);
});

test('while a group is on its way, others wait only where one writes what the other touches', () => {
  const { line, names } = lineup(['0', 'ab', 'cd']);
  const first = line.take();
  const later: [string, string, string, boolean][] = [
    ['reads what it reads', 'a', 'x', true],
    ['reads what it writes', 'c', 'y', false],
    ['writes what it reads', '', 'b', false],
    ['writes what it writes', '', 'd', false],
    ['touches none of it', 'e', 'f', true],
    ['reads what one that waits writes', 'y', '', false],
    ['writes what one that waits reads', '', 'b', false],
  ];
  for (const [, reads, writes] of later) {
    line.add(
      {
        checks: [...reads].map((key) => ({ key: text(key), value: null })),
        writes: [...writes].map((key) => put(key, '')),
      },
      () => undefined,
    );
  }
  const second = line.take();
  assert.equal(second.length, later.filter(([, , , goes]) => goes).length);
  assert.equal(names(line.take()), '', 'the rest waits for the first');
  line.leave(second);
  assert.equal(line.take().length, 0);
  line.leave(first);
  assert.equal(line.take().length, later.filter(([, , , goes]) => !goes).length);
});

test('a key that several groups read is free when the last of them is back', () => {
  const { line } = lineup(['1', 'a', '']);
  const one = line.take();
  line.add({ checks: [{ key: text('a'), value: null }], writes: [] }, () => undefined);
  const two = line.take();
  line.add({ checks: [], writes: [put('a', '')] }, () => undefined);
  line.leave(one);
  assert.equal(line.take().length, 0);
  line.leave(two);
  assert.equal(line.take().length, 1);
});

test('a group has as many commits and bytes as fit a transaction; the rest keeps its order', () => {
  const many = lineup(
    ...Array.from({ length: LIMITS.groupCommits + 3 }, (_, i): [string, string, string] => [`${i}`, '', 'k']),
  );
  const first = many.line.take();
  assert.equal(first.length, LIMITS.groupCommits);
  many.line.leave(first);
  assert.equal(many.names(many.line.take()), [0, 1, 2].map((i) => `${LIMITS.groupCommits + i}`).join(' '));

  const large = new Lineup();
  for (const key of ['a', 'b', 'c']) {
    large.add(
      { checks: [], writes: [5, 6, 7, 8].map((i) => ({ key: text(key + i), value: Buffer.alloc(99_000) })) },
      () => {},
    );
  }
  assert.deepEqual([large.take().length, large.take().length], [2, 1]);
});

test('those who have waited too long leave the line, and only they', async () => {
  const { line } = lineup(['0', '', 'a']);
  line.take();
  line.add({ checks: [], writes: [put('a', '1')] }, () => undefined);
  const between = performance.now() + 1;
  while (performance.now() < between);
  const time = performance.now();
  line.add({ checks: [], writes: [put('a', '2')] }, () => undefined);
  assert.equal(line.expire(time).length, 1);
  assert.equal(line.size, 1);
});
