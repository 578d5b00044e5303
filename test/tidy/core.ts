// Owns the rules about the core: no clock, chance, timer or I/O of its own, and no limits outside their file.
// Invariant: every exception stands here with its reason.
// Must not: apply to the parts that touch the machine on purpose.

import { at, importsOf, matches, type Rule, type Source, type Tree, typescript } from './tree.js';

/** Files in core folders that are the machine's side of a seam. */
const MACHINE: Readonly<Record<string, string>> = {
  'supervisors/nact-host.ts': 'nact has timers and a scheduler of its own',
  'client/index.ts': 'the entry for Node: opens sockets, keeps the process alive',
  'client/browser.ts': 'the entry for browsers: opens sockets',
  'client/platform.ts': 'the World of real clients',
  'client/ws-link.ts': 'a link over a real WebSocket',
  'client/store-file.ts': 'a store in a file',
  'client/journal.ts': 'the form of that file',
  'client/store-idb.ts': 'a store in IndexedDB',
};

function core(tree: Tree): Source[] {
  return typescript(tree, 'actors', 'supervisors', 'cluster', 'client').filter(
    ({ path }) => MACHINE[path] === undefined,
  );
}

const FORBIDDEN = [
  /\bDate\.now\b/g,
  /\bnew Date\b/g,
  /(?<![.\w])performance\s*\./g,
  /(?<![.\w])(setTimeout|setInterval|setImmediate|queueMicrotask)\b/g,
  /\bMath\.random\b/g,
  /(?<![.\w])(crypto|process|globalThis)\s*\./g,
  /(?<![.\w])fetch\s*\((?!\)\s*[:{])/g,
  /\bnew (WebSocket|Worker|BroadcastChannel)\b/g,
  // A handler that waits could overlap with the next one; the compiler takes it for one that returns nothing.
  /\basync (init|receive|signal|overflow|coalesce|dropped|terminated)\b|\b(init|receive|signal): async\b/g,
];

const world: Rule = {
  name: 'the core reaches time, chance and I/O through a World only',
  check: (tree) =>
    core(tree).flatMap((source) => [
      ...FORBIDDEN.flatMap((pattern) => matches(source, pattern, 'take it from a World')),
      ...importsOf(source)
        .filter(({ target }) => !target.endsWith('.ts'))
        .map(
          ({ index, target }) => `${at(source, index)}: the core imports no module of Node and no package: ${target}`,
        ),
    ]),
  caught: [
    { 'actors/a.ts': 'const now = Date.now();' },
    { 'actors/a.ts': 'const time = new Date();' },
    { 'supervisors/a.ts': 'const start = performance.now();' },
    { 'cluster/a.ts': 'setTimeout(task, 5);' },
    { 'client/a.ts': 'const roll = Math.random();' },
    { 'client/a.ts': 'crypto.getRandomValues(bytes);' },
    { 'actors/a.ts': 'setImmediate(drain);' },
    { 'actors/a.ts': "import { createHash } from 'node:crypto';" },
    { 'actors/a.ts': 'const exit = () => process.exit(1);' },
    { 'actors/a.ts': 'const answer = fetch(url);' },
    { 'actors/a.ts': 'const actor = { async receive(state, message) {} };' },
  ],
  passed: {
    'actors/a.ts':
      "// Date.now() would not do.\nconst now = world.now();\nconst text = 'setTimeout';\nthis.timer.setTimeout(1);",
    'client/platform.ts': 'const now = Date.now();',
    'client/a.ts': 'class A {\n  fetch(): void {\n    this.fetch();\n  }\n}',
    'storage/a.ts': "import { open } from 'node:fs';\nconst now = Date.now();",
  },
};

/** Large numbers that bound nothing, as `path name`. */
const NO_LIMIT: Readonly<Record<string, string>> = {
  'actors/allowances.ts SECOND': 'a unit',
  'actors/allowances.ts HOUR': 'a unit',
  'actors/intake.ts NUMBERS': 'a modulus that the protocol fixes',
  'actors/outbox.ts START': 'the size that a buffer starts with; what it may hold is bounded by the slice',
};

/** The smallest number that looks like a limit. */
const LARGE = 1_000;

const limits: Rule = {
  name: 'limits stand in actors/limits.ts',
  check: (tree) =>
    core(tree)
      .filter(({ path }) => path !== 'actors/limits.ts')
      .flatMap((source) =>
        [
          ...source.code.matchAll(
            /\b(?:const|readonly)\s+(\w+)(?:\s*:\s*number)?\s*=\s*(\d[\d_]*(?:\.\d+)?)(?![\w.])(?:\s*\*\s*(\d[\d_]*))?/g,
          ),
        ]
          .filter(([, , first, second]) => number(first) * number(second ?? '1') >= LARGE)
          .filter((match) => NO_LIMIT[`${source.path} ${match[1]}`] === undefined)
          .map((match) => `${at(source, match.index)}: a limit belongs into actors/limits.ts: ${match[1]}`),
      ),
  caught: [
    { 'actors/a.ts': 'const MAX = 1_024;' },
    { 'client/a.ts': 'export const patience: number = 5000;' },
    { 'supervisors/a.ts': 'class A {\n  readonly #x = 1;\n  private readonly most = 64 * 1024;\n}' },
  ],
  passed: {
    'actors/a.ts': 'const FEW = 64;\nconst BIT = 0x8000;\nconst most = LIMITS.body;',
    'actors/limits.ts': 'const most = 5_000;',
    'storage/a.ts': 'const most = 5_000;',
  },
};

function number(text = ''): number {
  return Number(text.replaceAll('_', ''));
}

export const rules = [world, limits];
