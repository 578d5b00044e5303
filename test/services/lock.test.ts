// Owns the test of the claim on a data folder.
// Invariant: the other owner is a real process.
// Must not: leave processes or folders.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { claim } from '../../services/lock.js';

test('one live owner per folder; a dead one is succeeded; a release frees it', async (t) => {
  const folder = join(mkdtempSync(join(tmpdir(), 'weft-lock-')), 'made', 'on', 'demand');
  t.after(() => rmSync(join(folder, '..', '..', '..'), { recursive: true, force: true }));
  const file = join(folder, 'node.pid');

  const first = claim(folder);
  assert.ok(first.ok);
  assert.ok(existsSync(file));
  first.release('stopped');
  assert.ok(!existsSync(file));

  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  writeFileSync(file, `${other.pid}\n`);
  assert.deepEqual(claim(folder), { ok: false, code: 'data_in_use', pid: other.pid });
  other.kill('SIGKILL');
  await once(other, 'exit');
  const second = claim(folder);
  assert.ok(second.ok, 'its owner was killed');
  second.release('stopped');

  for (const garbage of ['', 'x', '-1', '99999999999']) {
    writeFileSync(file, garbage);
    const claimed = claim(folder);
    assert.ok(claimed.ok, JSON.stringify(garbage));
    claimed.release('stopped');
  }
});

test('a claim tells how many processes in a row ended without a word, until one is stopped', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-lock-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const counts: number[] = [];
  // A claim of this process is nobody else's, so one that is not released is as good as left behind.
  for (const end of [
    null,
    null,
    'failed',
    'stopped',
    'failed',
    null,
    null,
    'stopped',
    'crashed',
    'crashed',
    'stopped',
  ] as const) {
    const claimed = claim(folder);
    assert.ok(claimed.ok);
    counts.push(claimed.crashes);
    if (end !== null) claimed.release(end);
  }
  assert.deepEqual(
    counts,
    [0, 1, 2, 3, 0, 0, 1, 2, 0, 1, 2],
    'a start that fails is no crash of its own, but forgets none',
  );
});
