// Owns the temporary folders of storage tests.
// Invariant: a folder is gone when its test file ends.
// Must not: outlive the process.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Not by the runner's `after`: within a `before` that ends with the hook, and the tests would run on a deleted file. */
const made: string[] = [];
process.once('exit', () => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'weft-store-'));
  made.push(path);
  return path;
}
