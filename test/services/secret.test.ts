// Owns the proof that a node's secret is made once, whole and private.
// Invariant: works on real files and real processes in a folder of its own.
// Must not: compare secrets in a way that prints them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ensureSecret, readSecret, SECRET_FILE } from '../../services/secret.js';

const folder = mkdtempSync(join(tmpdir(), 'weft-secret-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('the first start makes 32 random bytes with mode 0600, later ones read the same', () => {
  const data = join(folder, 'new/data');
  const first = ensureSecret(data);
  const second = ensureSecret(data);
  assert.ok(first.ok && second.ok);
  assert.ok(Buffer.from(first.secret).equals(second.secret));
  assert.equal(Buffer.from(Buffer.from(first.secret).toString(), 'base64url').length, 32);
  assert.equal(statSync(join(data, SECRET_FILE)).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(data), [SECRET_FILE], 'no draft is left');
  const other = ensureSecret(join(folder, 'other'));
  assert.ok(other.ok && !Buffer.from(other.secret).equals(first.secret));
});

test('processes that start at once end with one secret', async () => {
  const data = join(folder, 'race');
  const module = new URL('../../services/secret.js', import.meta.url).href;
  // The hash of what each got, so that the secret itself is never printed.
  const script = `
    import { createHash } from 'node:crypto';
    import { ensureSecret } from ${JSON.stringify(module)};
    process.stdin.once('data', () => {
      console.log(createHash('sha256').update(ensureSecret(${JSON.stringify(data)}).secret).digest('hex'));
      process.exit();
    });
    console.log('ready');`;
  const racers = Array.from({ length: 4 }, () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    let ready = (): void => {};
    const started = new Promise<void>((resolve) => {
      ready = resolve;
    });
    child.stdout.on('data', (chunk) => {
      output += chunk;
      ready();
    });
    const ended = new Promise<string>((resolve) => child.on('close', () => resolve(output.split('\n')[1] ?? '')));
    return { child, started, ended };
  });
  await Promise.all(racers.map((racer) => racer.started));
  for (const { child } of racers) child.stdin.write('go\n');
  const hashes = await Promise.all(racers.map((racer) => racer.ended));
  assert.match(hashes[0] ?? '', /^[0-9a-f]{64}$/);
  assert.equal(new Set(hashes).size, 1);
  assert.deepEqual(readdirSync(data), [SECRET_FILE]);
});

test('a missing, short or unreadable secret is told by code, one that others may read by a warning', () => {
  assert.equal(existsSync(join(folder, 'none')), false);
  const missing = readSecret(join(folder, 'none'));
  assert.ok(!missing.ok && missing.code === 'no_secret');
  const path = join(folder, 'given');
  writeFileSync(path, 'too short\n', { mode: 0o600 });
  const short = readSecret(path);
  assert.ok(!short.ok && short.code === 'bad_secret' && !short.detail.includes('too short'));
  writeFileSync(path, `${'k'.repeat(32)}\r\n`);
  const given = readSecret(path);
  assert.ok(given.ok && given.secret.length === 32 && given.warning === undefined, 'the line end is no part of it');
  chmodSync(path, 0o640);
  const open = readSecret(path);
  assert.ok(open.ok && open.warning?.includes('chmod 600'));
  const directory = readSecret(folder);
  assert.ok(!directory.ok && directory.code === 'bad_secret');
});
