// Owns the rules about what nobody uses: files that no program reaches, exports that no other file names.
// Invariant: the product is what its entries reach; a file that only tests use belongs below test/ or sim/.
// Must not: understand types: an export counts as used where its name occurs.

import { closure } from './layers.js';
import { at, importsOf, type Rule, type Tree, typescript } from './tree.js';

/** What is run, imported by others or built for the browser; bench peers are processes of their own. */
const ENTRIES = /^(cli\/main|client\/(index|browser)|bench\/(main|torture)|bench\/peers\/\w+|sim\/main)\.ts$/;

function entries(tree: Tree): string[] {
  return [...tree.sources.keys()].filter((path) => ENTRIES.test(path));
}

/** Parts of the product that it does not run itself. */
const FOR_TESTS: Readonly<Record<string, string>> = {
  'storage/memory.ts': 'the store of simulation',
  'supervisors/direct-host.ts': 'the host of simulation',
};

const files: Rule = {
  name: 'every file is reached from an entry, every test helper from a test',
  check: (tree) => {
    const product = closure(tree, entries(tree));
    const tests = closure(
      tree,
      [...tree.sources.keys()].filter((path) => path.startsWith('test/') && path.endsWith('.test.ts')),
    );
    return typescript(tree)
      .filter((source) => !product.has(source))
      .filter(
        (source) => !((/^(test|sim)\//.test(source.path) || FOR_TESTS[source.path] !== undefined) && tests.has(source)),
      )
      .map(({ path }) => `${path}:1: nothing reaches this file`);
  },
  caught: [
    { 'cli/main.ts': '', 'actors/a.ts': '' },
    { 'cli/main.ts': '', 'actors/a.ts': '', 'test/a.test.ts': "import { a } from '../actors/a.js';" },
    { 'test/helper.ts': '', 'test/a.test.ts': '' },
  ],
  passed: {
    'cli/main.ts': "import { a } from '../actors/a.js';",
    'actors/a.ts': "const b = await import('./b.js');",
    'actors/b.ts': "const program = new URL('./c.js', import.meta.url);",
    'actors/c.ts': '',
    'test/helper.ts': '',
    'test/a.test.ts': "import './helper.js';\nconst writer = join(import.meta.dirname, 'writer.js');",
    'test/writer.ts': '',
  },
};

const DECLARATION =
  /^export (?:declare )?(?:abstract )?(?:async )?(const|let|function\*?|class|enum|interface|type) (\w+)/gm;

const exported: Rule = {
  name: 'every export is used',
  check: (tree) => {
    const words = new Map<string, Set<string>>();
    for (const { path, code } of typescript(tree)) {
      for (const [word] of code.matchAll(/\w+/g)) {
        const paths = words.get(word);
        if (paths === undefined) words.set(word, new Set([path]));
        else paths.add(path);
      }
    }
    return typescript(tree)
      .filter(({ path }) => !ENTRIES.test(path))
      .flatMap((source) =>
        [...source.code.matchAll(DECLARATION)]
          .filter(([, kind, name = '']) => {
            if ((words.get(name)?.size ?? 0) > 1) return false;
            // A type that an exported signature names is part of that signature, even if nobody spells it.
            const isType = kind === 'interface' || kind === 'type';
            return !(isType && [...source.code.matchAll(new RegExp(`\\b${name}\\b`, 'g'))].length > 1);
          })
          .map((match) => `${at(source, match.index)}: no other file uses ${match[2]}`),
      );
  },
  caught: [
    { 'actors/a.ts': 'export function lonely(): void {}' },
    { 'actors/a.ts': 'export const lonely = 1;\nuse(lonely);', 'actors/b.ts': '// lonely' },
    { 'actors/a.ts': 'export interface Lonely {}' },
  ],
  passed: {
    'actors/a.ts': 'export const used = 1;\nexport interface Options {}\nexport function f(o: Options): void {}',
    'test/a.test.ts': "import { f, used } from '../actors/a.js';",
  },
};

const missing: Rule = {
  name: 'what is imported or named as a program exists',
  check: (tree) =>
    typescript(tree).flatMap((source) =>
      importsOf(source)
        .filter(
          ({ target }) => target.endsWith('.ts') && !tree.has(target) && !tree.has(target.replace(/\.ts$/, '.js')),
        )
        .map(({ index, target }) => `${at(source, index)}: there is no ${target}`),
    ),
  caught: [{ 'test/a.ts': "const main = new URL('../cli/gone.js', import.meta.url);" }],
  passed: { 'test/a.ts': "const main = new URL('../bin/weft.js', import.meta.url);", 'bin/weft.js': '' },
};

export const rules = [files, exported, missing];
