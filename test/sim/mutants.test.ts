// Owns the check of the table of deliberate defects: each applies to the product as it stands, and breaks a promise that is made.
// Invariant: compares with the compiled modules and with docs/semantics.md themselves.
// Must not: run histories (npm run simulate -- --mutants does; a few of them in mutation.test.ts).

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { applied, places } from '../../sim/mutant.js';
import { initialize, load } from '../../sim/mutant-loader.js';
import { MUTANTS } from '../../sim/mutants.js';

const dist = new URL('../../', import.meta.url);
const compiled = (file: string): string => readFileSync(new URL(file, dist), 'utf8');

test('each edit applies to its module exactly once, and changes it', () => {
  for (const { name, edits } of MUTANTS) {
    for (const edit of edits) {
      assert.equal(places(compiled(edit.file), edit), 1, `${name}: ${edit.file}: ${edit.from}`);
      assert.notEqual(edit.from, edit.to, name);
    }
  }
});

test('each breaks a promise that docs/semantics.md makes, and has a name of its own', () => {
  const text = readFileSync(new URL('../docs/semantics.md', dist), 'utf8');
  const promises = new Set([...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading));
  for (const { name, promise } of MUTANTS) assert.ok(promises.has(promise), `${name}: ${promise}`);
  assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  assert.ok(MUTANTS.length >= 24);
});

test('an edit that applies twice, or not at all, loads nothing', () => {
  const edit = { file: 'a.js', from: 'x', to: 'y' };
  assert.equal(applied('(x)', [edit]), '(y)');
  assert.throws(() => applied('(xx)', [edit]), /occurs 2 times/);
  assert.throws(() => applied('()', [edit]), /occurs 0 times/);
});

test('the hook edits its module and leaves the others alone', async () => {
  initialize({ root: 'file:///d/', edits: [{ file: 'a.js', from: 'x', to: 'y' }] });
  const next = async (url: string): Promise<{ source: Uint8Array }> => ({ source: Buffer.from(`x of ${url}`) });
  assert.equal((await load('file:///d/a.js', {}, next)).source, 'y of file:///d/a.js');
  assert.deepEqual(await load('file:///e/a.js', {}, next), await next('file:///e/a.js'));
});

test('the loader edits what a process loads, and that process alone', () => {
  const { edits } = MUTANTS.find(({ name }) => name === 'ids forgotten on pages')!;
  const find = `import(${JSON.stringify(new URL('actors/recent-ids.js', dist).href)}).then(({ RecentIds }) => console.log(new RecentIds('b').find('a')))`;
  const data = { root: dist.href, edits };
  const register = `import { register } from 'node:module'; register(${JSON.stringify(new URL('sim/mutant-loader.js', dist).href)}, { data: ${JSON.stringify(data)} });`;
  const run = (program: string): string =>
    execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim();
  assert.equal(run(find), 'stored');
  assert.equal(run(`${register} await ${find}`), 'fresh');
});
