// Owns the proof that the command explains itself and ends with the documented codes.
// Invariant: the command runs as a process.
// Must not: repeat what the tests of single commands show.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { weft } from './command.js';

test('--help lists the commands, examples and exit codes', async () => {
  const { code, out, err } = await weft(['--help']);
  assert.deepEqual({ code, err }, { code: 0, err: '' });
  for (const word of [
    'chat',
    'token',
    'status',
    'Examples:',
    'Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 no node reachable',
  ]) {
    assert.ok(out.includes(word), word);
  }
});

test('--version is that of package.json', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  assert.equal((await weft(['--version'])).out, `${version}\n`);
});

test('wrong usage ends with 2, on stderr, and points to the help', async () => {
  for (const args of [['nonsense'], ['status', '--nonsense'], ['token', 'extra', '--user', 'a', '--device', 'b']]) {
    const { code, out, err } = await weft(args);
    assert.deepEqual({ code, out }, { code: 2, out: '' }, args.join(' '));
    assert.match(err, /--help tells more/);
  }
  assert.equal((await weft([])).code, 2);
});

test('start: a place that takes no folder, and a key that is not there, are told in a sentence', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-start-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'file');
  writeFileSync(file, '');
  // Below /proc, where there is one, no folder can be made though the parent is there.
  const places = [file, join(file, 'below'), ...(process.platform === 'linux' ? ['/proc/weft'] : [])];
  for (const data of places) {
    const { code, out, err } = await weft(['start', '--listen', '127.0.0.1:0', '--data', data]);
    assert.deepEqual({ code, out }, { code: 1, out: '' }, data);
    assert.match(err, /^weft: data_unusable: .*\n$/, data);
  }
  const key = ['--jwt-public-key', join(folder, 'none.pem')];
  const { code, err } = await weft(['start', '--listen', '127.0.0.1:0', '--data', join(folder, 'data'), ...key]);
  assert.equal(code, 1);
  assert.match(err, /^weft: bad_key: cannot read .*none\.pem \(ENOENT\)\n$/);
});
