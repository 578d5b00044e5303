// Owns the product's version, as package.json has it, and what a host and its nodes know each other by.
// Invariant: the same from dist/ and from the sources.
// Must not: know anything else of the package.

import { readFileSync } from 'node:fs';

export function version(): string {
  const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}

/** Rises with what a host and its nodes say to each other: storage/commit-frames.ts and services/host-process.ts. */
const HOST_SPEECH = 1;

/** Of two builds with the same name, a host of one understands the nodes of the other. */
export function hostBuild(): string {
  return `${version()}/${HOST_SPEECH}`;
}

/** The variable in which a host tells its nodes its build. */
export const HOST_BUILD = 'WEFT_HOST_BUILD';
