// Owns the rules about who may import whom.
// Invariant: a folder that is not in the table fails, so that a new one gets its place on purpose.
// Must not: look at what is done with an import (core.ts).

import { at, importsOf, matches, type Rule, type Source, type Tree, typescript } from './tree.js';

const WIRE = ['frames', 'codec', 'frame-writer', 'row', 'sync-list'].map((name) => `transport/${name}.ts`);
const WORLD = ['buggify', 'errors', 'limits', 'world'].map((name) => `actors/${name}.ts`);

/** What each folder may import besides itself: folders (ending in a slash) and single files. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  // Actors hold frames and rows and hand commits to the log; they know the contracts of sockets and stores only, and what addresses count as.
  actors: [
    ...WIRE,
    'transport/socket.ts',
    'transport/address.ts',
    ...['store', 'keys', 'rows', 'account-rows', 'row-reader', 'id-page', 'sweep-row', 'log', 'append', 'untold'].map(
      (name) => `storage/${name}.ts`,
    ),
  ],
  supervisors: ['actors/'],
  // The cluster's own rows and grants go through the store and the log; which engine it is, and how bytes travel, it is not told.
  cluster: [
    'actors/',
    'supervisors/',
    ...[
      'store',
      'keys',
      'rows',
      'account-rows',
      'bytes',
      'failure',
      'format',
      'stored-format',
      'log',
      'untold',
      'cluster-keys',
      'cluster-rows',
    ].map((name) => `storage/${name}.ts`),
    'transport/address.ts',
    ...['reader', 'writer', 'slab', 'utf8'].map((name) => `transport/${name}.ts`),
    ...WIRE,
  ],
  // Links between nodes have their seam on the core's side.
  transport: [...WORLD, 'cluster/net.ts'],
  storage: [...WORLD, 'actors/message-id.ts', 'transport/frames.ts', 'transport/row.ts', 'transport/reader.ts'],
  client: [...WORLD, ...WIRE],
  services: ['actors/', 'supervisors/', 'cluster/', 'storage/', 'transport/'],
  cli: ['actors/', 'supervisors/', 'cluster/', 'storage/', 'transport/', 'services/', 'client/'],
  sim: ['actors/', 'supervisors/', 'cluster/', 'storage/', 'transport/', 'services/', 'client/', 'cli/'],
  bench: ['actors/', 'supervisors/', 'cluster/', 'storage/', 'transport/', 'services/', 'client/', 'cli/', 'sim/'],
  test: [
    'actors/',
    'supervisors/',
    'cluster/',
    'storage/',
    'transport/',
    'services/',
    'client/',
    'cli/',
    'sim/',
    'bench/',
  ],
};

const layers: Rule = {
  name: 'folders import downwards only',
  check: (tree) =>
    typescript(tree).flatMap((source) => {
      const [folder = ''] = source.path.split('/');
      const allowed = LAYERS[folder];
      if (allowed === undefined) return [`${source.path}: its folder has no place among the layers`];
      return importsOf(source)
        .filter(({ target }) => target.endsWith('.ts') && !target.startsWith(`${folder}/`))
        .filter(
          ({ target }) => !allowed.some((place) => (place.endsWith('/') ? target.startsWith(place) : target === place)),
        )
        .map(({ index, target }) => `${at(source, index)}: ${folder}/ must not import ${target}`);
    }),
  caught: [
    { 'actors/a.ts': "import { x } from '../services/x.js';" },
    { 'actors/a.ts': "import type {\n  X,\n} from '../storage/lmdb.js';" },
    { 'storage/a.ts': "const x = await import('../supervisors/x.js');" },
    { 'client/a.ts': "export { x } from '../actors/runtime.js';" },
    { 'misc/a.ts': '' },
  ],
  passed: {
    'actors/a.ts':
      "import type { Store } from '../storage/store.js';\nimport { b } from './b.js';\n// from '../services/x.js'",
    'services/a.ts': "import { x } from '../supervisors/x.js';",
  },
};

const nact: Rule = {
  name: 'nact is imported in one file',
  // The bench runs nact bare beside ours, which is the point of it.
  check: (tree) =>
    typescript(tree)
      .filter(({ path }) => path !== 'supervisors/nact-host.ts' && !path.startsWith('bench/peers/'))
      .flatMap((source) =>
        importsOf(source)
          .filter(({ target }) => target === 'nact' || target.startsWith('nact/'))
          .map(({ index }) => `${at(source, index)}: only supervisors/nact-host.ts imports nact`),
      ),
  caught: [
    { 'supervisors/pool.ts': "import { start } from 'nact';" },
    { 'actors/a.ts': "import type { Ref } from 'nact/lib/ref';" },
  ],
  passed: {
    'supervisors/nact-host.ts': "import { start } from 'nact';",
    'bench/peers/nact.ts': "import { start } from 'nact';",
  },
};

/** Parts that run in a browser though nothing in the browser's entry may need all of them. */
const PORTABLE = [...WIRE, ...['reader', 'heads', 'writer'].map((name) => `transport/${name}.ts`)];

const portable: Rule = {
  name: 'the browser entry and the codec need nothing of Node',
  check: (tree) => {
    const reached = [...closure(tree, ['client/browser.ts', ...PORTABLE])];
    return reached.flatMap((source) => [
      ...importsOf(source)
        .filter(({ target }) => !target.endsWith('.ts'))
        .map(({ index, target }) => `${at(source, index)}: runs in a browser, so it must not import ${target}`),
      ...matches(source, /(?<![.\w])(Buffer|process|require|setImmediate|__dirname)(?=\s*[.(])/g, 'not in a browser'),
    ]);
  },
  caught: [
    { 'client/browser.ts': "import { a } from './a.js';", 'client/a.ts': "import { join } from 'node:path';" },
    { 'client/browser.ts': 'const bytes = Buffer.from(text);' },
    { 'transport/codec.ts': "import { pack } from 'msgpackr';" },
    { 'transport/reader.ts': 'process.exit(1);' },
  ],
  passed: {
    'client/browser.ts': 'this.process(x); // Buffer.from',
    'client/file.ts': "import { open } from 'node:fs';",
  },
};

/** The files that these entries reach, with them. */
export function closure(tree: Tree, entries: Iterable<string>): Set<Source> {
  const reached = new Set<Source>();
  const visit = (path: string): void => {
    const source = tree.sources.get(path);
    if (source === undefined || reached.has(source)) return;
    reached.add(source);
    for (const { target } of importsOf(source)) visit(target);
  };
  for (const entry of entries) visit(entry);
  return reached;
}

const apart: Rule = {
  name: 'the checker of the simulation shares no code with the product',
  check: (tree) =>
    [...closure(tree, ['sim/checker.ts'])]
      .filter(({ path }) => !path.startsWith('sim/'))
      .map(({ path }) => `sim/checker.ts:1: reaches ${path}`),
  caught: [
    {
      'sim/checker.ts': "import { a } from './wiretap.js';",
      'sim/wiretap.ts': "import { decode } from '../transport/codec.js';",
      'transport/codec.ts': '',
    },
  ],
  passed: { 'sim/checker.ts': "import { a } from './a.js';\nimport { unpack } from 'msgpackr';", 'sim/a.ts': '' },
};

export const rules = [layers, nact, portable, apart];
