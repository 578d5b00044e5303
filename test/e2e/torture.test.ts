// Owns the torture within the suite: five rounds of kill -9 under 200 clients, and of three nodes one of each kind.
// Invariant: runs the command as a person would, and takes its exit code and figures.
// Must not: soften what the checker finds.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { loadUws } from '../../transport/uws-native.js';

const TORTURE = join(import.meta.dirname, '../../bench/torture.js');
const ROUNDS = 5;
const KINDS = 5;
const skip = loadUws() === undefined && 'uWebSockets.js does not load here';

/** Runs the command, which must succeed; its figures by name. */
async function torture(t: TestContext, args: readonly string[]): Promise<(name: string) => number> {
  const folder = mkdtempSync(join(tmpdir(), 'weft-torture-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const json = join(folder, 'torture.json');
  const command = ['--enable-source-maps', TORTURE, ...args, '--json', json];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk;
    });
  }
  const [code] = await once(child, 'close');
  assert.equal(code, 0, said);
  t.diagnostic(said.trim().split('\n').at(-1) ?? '');
  const report: { readonly rows: readonly { readonly name: string; readonly value: number }[] } = JSON.parse(
    readFileSync(json, 'utf8'),
  );
  return (name) => report.rows.find((row) => row.name === name)?.value ?? 0;
}

test('kill -9 under 200 clients, five times: nothing lost, nothing doubled, one order', async (t) => {
  const value = await torture(t, ['--rounds', String(ROUNDS), '--clients', '200']);
  assert.equal(value('rounds'), ROUNDS);
  assert.ok(value('kills') > ROUNDS, 'one more than rounds: what is checked was read after the last');
  assert.ok(value('acknowledged') > 1_000);
  assert.ok(value('delivered') > value('acknowledged'));
  assert.ok(value('reconnects') >= 200);
});

test('three nodes under clients of all: one is killed, frozen past its lease, stopped, drained, and all are killed', {
  skip,
}, async (t) => {
  const value = await torture(t, ['--nodes', '3', '--rounds', String(KINDS), '--clients', '48', '--freeze', '2500']);
  assert.equal(value('rounds'), KINDS);
  for (const kind of ['kills', 'freezes', 'stops', 'drains', 'kills of the host']) assert.equal(value(kind), 1, kind);
  assert.ok(value('acknowledged') > 500);
  assert.ok(value('told without reconnecting') > 0, 'some stay connected while another node dies');
  assert.ok(
    value('changes of owners') > 2 * LIMITS.shards,
    'each of three hosts took all shards, and those of dead nodes went to others',
  );
});
