// Owns the proof that the command explains itself and ends with the documented codes.
// Invariant: the command runs as a process.
// Must not: repeat what the tests of single commands show.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
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
