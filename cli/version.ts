// Owns the product's version, as package.json has it.
// Invariant: the same from dist/ and from the sources.
// Must not: know anything else of the package.

import { readFileSync } from 'node:fs';

export function version(): string {
  const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}
