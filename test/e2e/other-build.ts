// Owns the next build of Weft, as far as tests need one: this one's code with higher versions, a field more in a message between
// nodes and in a row, and a row that this build cannot read.
// Invariant: each change is in exactly one place of the code as it is, or the test that wants the build fails; the folder is gone when it ends.
// Must not: be reachable from a real build: nothing there is switched.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

const ROOT = join(import.meta.dirname, '../../..');
const FOLDERS = ['actors', 'cli', 'client', 'cluster', 'services', 'storage', 'supervisors', 'transport'];

type Change = readonly [file: string, from: string, to: string];

const CHANGES: readonly Change[] = [
  ['cluster/versions.js', 'links: { low: 1, high: 2 }', 'links: { low: 1, high: 3 }'],
  ['storage/format.js', 'FORMATS = { low: 1, high: 1 }', 'FORMATS = { low: 1, high: 2 }'],
  ['actors/limits.js', 'formatRestMs: 600_000', 'formatRestMs: 2_000'],
  // A message between nodes has one field more, which an earlier build neither sends nor minds.
  ['cluster/chat-codec.js', 'fields: 7,', 'fields: 8, least: 7,'],
  ['cluster/chat-codec.js', 'writePair(pair, w.bin(body));', "writePair(pair, w.bin(body)); w.str('added');"],
  ['cluster/chat-codec.js', 'read(r, refs) {\n        const user', 'read(r, refs, count) {\n        const user'],
  [
    'cluster/chat-codec.js',
    'after, body, pair: readPair(r) };',
    "after, body, pair: readPair(r), added: count > 7 ? r.str() : 'absent' };",
  ],
  // So has a row: whoever does not know it passes over it.
  [
    'storage/rows.js',
    "'inbox row size');\n    return row;",
    "'inbox row size');\n    return Buffer.concat([row, row]);",
  ],
  // This one an earlier build cannot read: it is written when all know it.
  [
    'storage/log.js',
    'value: encodeDirty(dirty) }',
    'value: this.format > 1 ? encodeDirty(dirty).fill(0, 0, 1) : encodeDirty(dirty) }',
  ],
  [
    'storage/rows.js',
    'export function decodeDirty(row) {',
    'export function decodeDirty(row) {\n    if (row[0] === 0) row = Uint8Array.of(FLAGGED, ...row.subarray(1));',
  ],
];

/** Makes it in a folder of its own; answers its program. */
export function otherBuild(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'weft-build-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'dist'));
  for (const name of FOLDERS) {
    const filter = (path: string): boolean => !/\.(map|d\.ts)$/.test(path);
    cpSync(join(ROOT, 'dist', name), join(folder, 'dist', name), { recursive: true, filter });
  }
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const [name, from, to] of CHANGES) {
    const path = join(folder, 'dist', name);
    const parts = readFileSync(path, 'utf8').split(from);
    assert.equal(parts.length, 2, `${name} has one place with ${from}`);
    writeFileSync(path, parts.join(to));
  }
  return join(folder, 'dist/cli/main.js');
}
