// Owns the check that the checkout keeps its own style, and the proof that every rule can fail.
// Invariant: a rule runs on the tree and on its snippets alike.
// Must not: hold a rule.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rules as core } from './core.js';
import { rules as dead } from './dead.js';
import { rules as docs } from './docs.js';
import { rules as layers } from './layers.js';
import { rules as lock } from './lock.js';
import { rules as shape } from './shape.js';
import { loadTree, treeOf } from './tree.js';

const tree = loadTree();

for (const rule of [...layers, ...core, ...shape, ...dead, ...docs, ...lock]) {
  test(rule.name, () => {
    assert.deepEqual(rule.check(tree), []);
  });
  test(`${rule.name}: catches what it should, and only that`, () => {
    assert.ok(rule.caught.length > 0);
    for (const files of rule.caught) assert.notDeepEqual(rule.check(treeOf(files)), [], JSON.stringify(files));
    assert.deepEqual(rule.check(treeOf(rule.passed)), []);
  });
}

test('the tree is the whole checkout', () => {
  for (const path of [
    'actors/limits.ts',
    'test/tidy/tidy.test.ts',
    'scripts/run.mjs',
    'bin/weft.js',
    'docs/wire.md',
    '.ci/run',
  ]) {
    assert.ok(tree.sources.has(path), path);
  }
});

test('comments and literals are blanked, code stays where it is', () => {
  // § stands for $, which Biome wants in templates only.
  const blanked = (text: string): string | undefined =>
    treeOf({ 'a.ts': text.replaceAll('§', '$') })
      .sources.get('a.ts')
      ?.code.replaceAll('$', '§');
  assert.equal(blanked("a('b\\'c'); // d"), "a('    ');     ");
  assert.equal(blanked('a /* b\nc */ d'), 'a     \n     d');
  assert.equal(blanked('`a§{b(`c§{d}`)}e` + f'), '` §{b(` §{d}`)} ` + f');
  assert.equal(blanked('a.replace(/[/"]/g, b) / c'), 'a.replace(/    /g, b) / c');
  assert.equal(blanked('const { a } = { b: `§{{ c: 1 }.c}` };'), 'const { a } = { b: `§{{ c: 1 }.c}` };');
});
