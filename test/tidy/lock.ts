// Owns the rule about package-lock.json: it is whole, for every platform.
// Invariant: resolves names as Node does, from the innermost node_modules outwards.
// Must not: ask a registry.

import { z } from 'zod';
import type { Rule } from './tree.js';

const names = z.record(z.string(), z.string()).optional();
const schema = z.object({
  packages: z.record(
    z.string(),
    z.object({ dependencies: names, optionalDependencies: names, devDependencies: names }),
  ),
});

const whole: Rule = {
  // npm leaves out what it could not fetch on the machine that wrote the file, and "npm ci" then refuses it everywhere.
  name: 'package-lock.json has every package that another one names',
  check: (tree) => {
    const text = tree.sources.get('package-lock.json')?.text;
    if (text === undefined) return ['package-lock.json: it is missing'];
    const { packages } = schema.parse(JSON.parse(text));
    return Object.entries(packages).flatMap(([path, entry]) =>
      Object.keys({ ...entry.dependencies, ...entry.optionalDependencies, ...entry.devDependencies })
        .filter((name) => !homes(path).some((home) => packages[`${home}node_modules/${name}`] !== undefined))
        .map((name) => `package-lock.json: ${path || 'the root'} needs ${name}, which has no entry`),
    );
  },
  caught: [
    {},
    { 'package-lock.json': '{"packages":{"":{"dependencies":{"a":"1"}}}}' },
    { 'package-lock.json': '{"packages":{"node_modules/a":{"optionalDependencies":{"@a/darwin-arm64":"1"}}}}' },
    {
      'package-lock.json':
        '{"packages":{"node_modules/a":{"dependencies":{"b":"1"}},"node_modules/c/node_modules/b":{}}}',
    },
  ],
  passed: {
    'package-lock.json':
      '{"packages":{"":{"devDependencies":{"a":"1"}},"node_modules/a":{"dependencies":{"b":"1"}},"node_modules/a/node_modules/b":{"dependencies":{"a":"1"}}}}',
  },
};

/** Where Node looks for the packages that one at `path` needs: `node_modules/a/`, then the root. */
function homes(path: string): string[] {
  const parts = path.split(/(?<=^|\/)node_modules\//).slice(1);
  return Array.from({ length: parts.length + 1 }, (_, n) =>
    parts
      .slice(0, n)
      .map((part) => `node_modules/${part.replace(/\/$/, '')}/`)
      .join(''),
  );
}

export const rules = [whole];
