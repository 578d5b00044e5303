// Owns the temporary folders of storage tests.
// Invariant: a folder is gone when its test file ends.
// Must not: outlive the process.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'weft-store-'));
  after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
