// Owns the proof that the scripts build what changed, only that, and pass results on.
// Invariant: runs the real scripts on small checkouts, with the real compiler.
// Must not: reach a registry.

import assert from 'node:assert/strict';
import { chmodSync, existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Checkout } from './checkout.js';

function checkout(t: TestContext): Checkout {
  const made = new Checkout();
  t.after(() => made.remove());
  made.write('cli/main.ts', 'console.log(process.argv.slice(2).join(" "));\nprocess.exitCode = 7;\n');
  return made;
}

test('start builds first, then runs in the same process and keeps its exit code; a second start builds nothing', async (t) => {
  const weft = checkout(t);
  assert.deepEqual(await weft.run('start', '--listen', 'x'), {
    code: 7,
    out: 'start --listen x\n',
    err: 'weft: building …\n',
  });
  assert.deepEqual(await weft.run('start'), { code: 7, out: 'start\n', err: '' });
  assert.deepEqual(await weft.node(['bin/weft.js', 'status']), { code: 7, out: 'status\n', err: '' });
});

test('an edit is built, and what was made of a source that is gone goes too', async (t) => {
  const weft = checkout(t);
  weft.write('cli/old.ts', 'export const old = 1;\n');
  await weft.run('build');
  assert.ok(existsSync(join(weft.path, 'dist/cli/old.js')));
  await weft.node(['-e', "fs.rmSync('cli/old.ts'); fs.writeFileSync('cli/main.ts', 'export const x: number = 1;\\n')"]);
  assert.equal((await weft.run('start')).code, 0);
  assert.deepEqual(
    ['js', 'js.map', 'd.ts'].filter((end) => existsSync(join(weft.path, `dist/cli/old.${end}`))),
    [],
  );
});

test('a build that fails shows the compiler’s words, exits 1, and is not taken for done', async (t) => {
  const weft = checkout(t);
  weft.write('cli/main.ts', "const a: number = 'text';\n");
  for (let i = 0; i < 2; i += 1) {
    const { code, out, err } = await weft.run('start');
    assert.deepEqual({ code, out }, { code: 1, out: '' });
    assert.match(err, /the build failed:\ncli\/main\.ts\(1,7\): error TS2322/);
  }
});

test('starts at the same time build once; a lock whose owner died is no obstacle', async (t) => {
  const weft = checkout(t);
  const gone = await weft.node(['-p', 'process.pid']);
  symlinkSync(gone.out.trim(), join(weft.path, '.prepare.lock'));
  const outcomes = await Promise.all([weft.run('start'), weft.run('start'), weft.run('start')]);
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    [7, 7, 7],
  );
  assert.equal(outcomes.filter(({ err }) => err.includes('building')).length, 1);
});

test('dependencies are installed when one is missing or has another version; a failure shows npm’s words', async (t) => {
  const weft = checkout(t);
  weft.write('npm', '#!/bin/sh\necho "npm $*"; echo "no such thing" >&2; exit 5\n');
  chmodSync(join(weft.path, 'npm'), 0o755);
  const path = { PATH: `${weft.path}:${process.env.PATH}` };
  const start = async (): Promise<string> => (await weft.node(['scripts/run.mjs', 'start'], path)).err;
  weft.write('package-lock.json', JSON.stringify({ packages: { 'node_modules/typescript': { version: '2.0.0' } } }));
  assert.match(await start(), /npm ci failed with exit code 5:\nnpm ci --include=dev.*\nno such thing/);
  weft.write(
    'package-lock.json',
    JSON.stringify({
      packages: { 'node_modules/typescript': { version: '1.0.0' }, 'node_modules/b': { version: '1.0.0' } },
    }),
  );
  assert.match(await start(), /npm ci failed/);
  weft.write(
    'package-lock.json',
    JSON.stringify({ packages: { 'node_modules/b': { version: '1.0.0', optional: true } } }),
  );
  assert.doesNotMatch(await start(), /npm ci/);
});

test('npm that is not there is named', async (t) => {
  const weft = checkout(t);
  weft.write('package-lock.json', JSON.stringify({ packages: { 'node_modules/b': { version: '1.0.0' } } }));
  const { code, err } = await weft.node(['scripts/run.mjs', 'start'], { PATH: weft.path });
  assert.equal(code, 1);
  assert.match(err, /cannot run npm \(ENOENT\)\. Install it/);
});

test('an old Node gets a sentence', async (t) => {
  const weft = checkout(t);
  const old = "data:text/javascript,Object.defineProperty(process, 'versions', { value: { node: '18.19.0' } })";
  const { code, out, err } = await weft.node(['--import', old, 'scripts/run.mjs', 'start']);
  assert.deepEqual({ code, out }, { code: 1, out: '' });
  assert.match(err, /^weft: needs Node 20\.11 or newer, and this is 18\.19\.0\.\nInstall it/);
});

test('the test command runs the files that match, ends with the summary, and tells failures and skips', async (t) => {
  const weft = checkout(t);
  const head = "import { test } from 'node:test';\n";
  weft.write(
    'test/good.test.ts',
    `${head}test('good', () => {});\ntest('without', { skip: 'needs erl (apt-get install erl)' }, () => {});\n`,
  );
  weft.write('test/bad.test.ts', `${head}test('bad', () => { throw new Error('as it should'); });\n`);
  const good = await weft.run('test', 'good');
  assert.equal(good.code, 0, good.err);
  assert.match(
    good.out,
    /slowest files\n +\d+\.\d s {2}test\/good\.test\.ts\nSKIPPED 1 test: needs erl \(apt-get install erl\)\n/,
  );
  assert.match(good.out, /ℹ tests 2\n[\s\S]*ℹ pass 1\n[\s\S]*ℹ skipped 1\n.*\nℹ duration_ms [\d.]+\n$/);
  const strict = await weft.node(['scripts/run.mjs', 'test', 'good'], { CI: 'true' });
  assert.equal(strict.code, 1);
  assert.match(strict.out, /FAILED: with CI=true/);
  const both = await weft.run('test', 'bad', 'good');
  assert.equal(both.code, 1);
  assert.match(both.out, /as it should/);
  const none = await weft.run('test', 'nothing');
  assert.deepEqual({ code: none.code, err: none.err }, { code: 1, err: 'weft: no test file matches nothing\n' });
});
