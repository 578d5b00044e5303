// Owns the torture within the suite: five rounds of kill -9 under 200 clients.
// Invariant: runs the command as a person would, and takes its exit code and figures.
// Must not: soften what the checker finds.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const TORTURE = join(import.meta.dirname, '../../bench/torture.js');
const ROUNDS = 5;

test('kill -9 under 200 clients, five times: nothing lost, nothing doubled, one order', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-torture-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const json = join(folder, 'torture.json');
  const args = [TORTURE, '--rounds', String(ROUNDS), '--clients', '200', '--json', json];
  const child = spawn(process.execPath, ['--enable-source-maps', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk;
    });
  }
  const [code] = await once(child, 'close');
  assert.equal(code, 0, said);
  const report: { readonly rows: readonly { readonly name: string; readonly value: number }[] } = JSON.parse(
    readFileSync(json, 'utf8'),
  );
  const value = (name: string): number => report.rows.find((row) => row.name === name)?.value ?? 0;
  assert.equal(value('rounds'), ROUNDS);
  assert.ok(value('kills') > ROUNDS, 'one more than rounds: what is checked was read after the last');
  assert.ok(value('acknowledged') > 1_000);
  assert.ok(value('delivered') > value('acknowledged'));
  assert.ok(value('reconnects') >= 200);
  t.diagnostic(said.trim().split('\n').at(-1) ?? '');
});
