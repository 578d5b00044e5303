// Owns the rules about a file's shape: its header, its length, and words that must not be in it.
// Invariant: rules about words skip this folder, which has to spell them.
// Must not: repeat what Biome or the compiler checks.

import { isCode, matches, type Rule, type Source, type Tree, typescript } from './tree.js';

const HEADER =
  /^(?:#!.*\n)?\/\/ Owns .+\n(?:\/\/.*\n)*?\/\/ Invariant: .+\n(?:\/\/.*\n)*?\/\/ Must not: .+\n(?:\/\/.*\n)*(?:\n|$)/;

function files(tree: Tree): Source[] {
  return [...tree.sources.values()].filter(({ path }) => isCode(path));
}

function written(tree: Tree): Source[] {
  return [...tree.sources.values()].filter(({ path }) => !path.startsWith('test/tidy/') && !path.endsWith('.json'));
}

const header: Rule = {
  name: 'a file opens with what it owns, its invariant and what it must not do',
  check: (tree) =>
    files(tree)
      .filter(({ text }) => !HEADER.test(text))
      .map(({ path }) => `${path}:1: open with "// Owns …", "// Invariant: …", "// Must not: …"`),
  caught: [
    { 'actors/a.ts': 'export const a = 1;\n' },
    { 'actors/a.ts': '// Owns a.\n// Must not: b.\n' },
    { 'actors/a.ts': "import './b.js';\n// Owns a.\n// Invariant: b.\n// Must not: c.\n" },
    { 'scripts/a.mjs': '// Owns a.\n// Invariant: b.\n\n// Must not: c.\n' },
  ],
  passed: {
    'bin/a.js':
      '#!/usr/bin/env node\n// Owns a,\n//\n//   and b.\n// Invariant: c.\n// Must not: d,\n// or e.\n\nrun();\n',
  },
};

const LINES = 320;
/** A suite may list its cases at length. */
const LIST_LINES = 500;
const LIST = /^test\//;
/** All limits stand in one list: one line each, and its reason. */
const LIMIT_LINES = 700;
const LIMITS = 'actors/limits.ts';

const length: Rule = {
  name: 'a file is short',
  check: (tree) =>
    files(tree)
      .map(({ path, text }) => ({
        path,
        lines: text.split('\n').length - 1,
        most: path === LIMITS ? LIMIT_LINES : LIST.test(path) ? LIST_LINES : LINES,
      }))
      .filter(({ lines, most }) => lines > most)
      .map(
        ({ path, lines, most }) => `${path}:${most}: ${lines} lines, at most ${most}: it owns more than one concept`,
      ),
  caught: [
    { 'actors/a.ts': 'x();\n'.repeat(LINES + 1) },
    { 'test/a.test.ts': 'x();\n'.repeat(LIST_LINES + 1) },
    { [LIMITS]: 'x();\n'.repeat(LIMIT_LINES + 1) },
  ],
  passed: { 'actors/a.ts': 'x();\n'.repeat(LINES), 'test/a.test.ts': 'x();\n'.repeat(LIST_LINES) },
};

const unfinished: Rule = {
  name: 'nothing is left to do, switched off or silenced',
  check: (tree) =>
    written(tree).flatMap((source) => [
      ...matches(source, /\b(TODO|FIXME|XXX|HACK)\b/g, 'do it, or write down why not', 'text'),
      ...(isCode(source.path)
        ? [
            ...matches(
              source,
              /biome-ignore|@ts-(ignore|nocheck|expect-error)|eslint-disable/g,
              'mend the cause',
              'text',
            ),
            ...matches(source, /\b(test|it|describe|suite)\.(skip|only|todo)\b/g, 'a test runs, or is not there'),
            ...matches(source, /\b(only|todo|skip):\s*true\b/g, 'a test runs, or is not there'),
            ...matches(source, /\bas any\b|\bas unknown as\b|:\s*any\b/g, 'say the type'),
          ]
        : []),
    ]),
  caught: [
    { 'actors/a.ts': '// TODO: later' },
    { 'README.md': 'FIXME' },
    { 'actors/a.ts': '// biome-ignore lint: no\nx();' },
    { 'actors/a.ts': '// @ts-expect-error\nx();' },
    { 'test/a.test.ts': "test.skip('a', () => {});" },
    { 'test/a.test.ts': "test('a', { only: true }, () => {});" },
    { 'actors/a.ts': 'const a = b as any;' },
    { 'actors/a.ts': 'const a = b as unknown as string;' },
  ],
  passed: {
    'actors/a.ts': "const todo = 'skip: true';\nconst many = a as anything;",
    'test/a.test.ts': "test('a', needs('git'), () => {});",
  },
};

const console_: Rule = {
  name: 'only programs for people print with console',
  check: (tree) =>
    typescript(tree, 'actors', 'supervisors', 'cluster', 'transport', 'storage', 'services', 'client').flatMap(
      (source) => matches(source, /(?<![.\w])console\s*\./g, 'log through pino, or let the caller decide'),
    ),
  caught: [{ 'services/a.ts': "console.log('x');" }, { 'client/a.ts': "console.error('x');" }],
  passed: { 'cli/a.ts': "console.log('x');", 'services/a.ts': '// console.log is not for us.\nthis.console.log(1);' },
};

/** A path of a machine, put together so that this file has none. */
function folder(name: string): string {
  return `/${name}/`;
}

const places: Rule = {
  name: 'no path of somebody’s machine',
  check: (tree) =>
    written(tree).flatMap((source) =>
      matches(source, /(?<![\w.])\/(work|root|home|Users)\/[\w.-]*/g, 'a path of one machine', 'text'),
    ),
  caught: [
    { 'docs/a.md': `See ${folder('work')}main.` },
    { 'scripts/a.mjs': `const path = '${folder('root')}x';` },
    { 'bench/a.ts': "'/home/ada/x'" },
  ],
  passed: { 'docs/a.md': 'the [work](docs/work/a.md), http://a.example/home, ./root/' },
};

export const rules = [header, length, unfinished, console_, places];
