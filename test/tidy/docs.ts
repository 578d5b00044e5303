// Owns the rules about the documents: links lead somewhere, promises lead to tests, two commands are enough to begin.
// Invariant: looks at links as a reader on the web page would follow them.
// Must not: judge the prose.

import { posix } from 'node:path';
import { at, type Rule, type Source, type Tree } from './tree.js';

interface Link {
  readonly index: number;
  /** In the tree. */
  readonly path: string;
  readonly anchor: string;
}

function documents(tree: Tree): Source[] {
  return [...tree.sources.values()].filter(({ path }) => path.endsWith('.md'));
}

/** Links that stay in the tree: inline, by reference, and the sources of pictures. Code is no link. */
function linksOf({ path, text }: Source): Link[] {
  const prose = text.replace(/^```[\s\S]*?^```|`[^`\n]*`/gm, (code) => code.replace(/[^\n]/g, ' '));
  const pattern = /\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\s*\[[^\]]+\]:\s*(\S+)|(?:src|href)="([^"]+)"/gm;
  return [...prose.matchAll(pattern)]
    .map((match) => ({ index: match.index, target: match[1] ?? match[2] ?? match[3] ?? '' }))
    .filter(({ target }) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
    .map(({ index, target }) => {
      const [file = '', anchor = ''] = target.split('#');
      return { index, path: file === '' ? path : posix.join(posix.dirname(path), decodeURI(file)), anchor };
    });
}

/** The anchors that headings get on GitHub. */
function anchorsOf({ text }: Source): Set<string> {
  const prose = text.replace(/^```[\s\S]*?^```/gm, '');
  return new Set(
    [...prose.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    ),
  );
}

const links: Rule = {
  name: 'links in documents lead somewhere',
  check: (tree) =>
    documents(tree).flatMap((source) =>
      linksOf(source).flatMap(({ index, path, anchor }) => {
        if (!tree.has(path)) return [`${at(source, index)}: there is no ${path}`];
        const target = tree.sources.get(path);
        if (anchor === '' || target === undefined || !path.endsWith('.md') || anchorsOf(target).has(anchor)) return [];
        return [`${at(source, index)}: ${path} has no heading #${anchor}`];
      }),
    ),
  caught: [
    { 'docs/a.md': 'see [b](b.md)' },
    { 'docs/a.md': '![p](../p.svg)' },
    { 'a.md': '[up](#nowhere)' },
    { 'a.md': '[b][]\n\n[b]: b.md' },
    { 'a.md': '<img src="p.png">' },
  ],
  passed: {
    'docs/a.md':
      '# The head, once\n[a](../b.md) [c](#the-head-once) [d](https://a.example/x) `[e](f.md)`\n```\n[g](h.md)\n```',
    'b.md': '',
  },
};

/** Promises of the product; docs/semantics.md numbers them. */
const PROMISES = 9;

const promises: Rule = {
  name: 'docs/semantics.md leads from every promise to a test',
  check: (tree) => {
    const source = tree.sources.get('docs/semantics.md');
    if (source === undefined) return ['docs/semantics.md: it is missing'];
    // A promise is a heading or a row that begins with its number, up to the next one.
    const starts = [...source.text.matchAll(/^(?:#+\s+|\|\s*)(\d+)[.\s|]/gm)];
    const tested = new Set(
      starts
        .filter((start, i) => {
          const end = starts[i + 1]?.index ?? source.text.length;
          return linksOf(source).some(
            ({ index, path }) => index >= start.index && index < end && /^test\/.*\.test\.ts$/.test(path),
          );
        })
        .map((start) => Number(start[1])),
    );
    return Array.from({ length: PROMISES }, (_, i) => i + 1)
      .filter((n) => !tested.has(n))
      .map((n) => `docs/semantics.md:1: promise ${n} leads to no test`);
  },
  caught: [
    {},
    {
      'docs/semantics.md': Array.from(
        { length: PROMISES - 1 },
        (_, i) => `## ${i + 1}. A\n[t](../test/a.test.ts)\n`,
      ).join(''),
    },
    {
      'docs/semantics.md': Array.from({ length: PROMISES }, (_, i) => `| ${i + 1} | A | [t](../actors/a.ts) |\n`).join(
        '',
      ),
    },
  ],
  passed: {
    'docs/semantics.md': Array.from({ length: PROMISES }, (_, i) => `| ${i + 1} | A | [t](../test/a.test.ts) |\n`).join(
      '',
    ),
  },
};

const begin: Rule = {
  name: 'README says in two commands how to run it',
  check: (tree) => {
    const source = tree.sources.get('README.md');
    if (source === undefined) return ['README.md: it is missing'];
    const section = /^## Run it\n([\s\S]*?)(?=^## |(?![\s\S]))/m.exec(source.text)?.[1];
    if (section === undefined) return ['README.md:1: there is no section "## Run it"'];
    const commands = [...section.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) =>
      block.split('\n').filter((line) => /^[^#\s]/.test(line)),
    );
    return commands.length === 2 ? [] : [`README.md: "Run it" has ${commands.length} commands, not two`];
  },
  caught: [
    {},
    { 'README.md': '# Weft\n' },
    { 'README.md': '## Run it\n```sh\nnpm start\n```\n' },
    { 'README.md': '## Run it\n```sh\na\nb\n```\n```\nc\n```\n## More\n' },
  ],
  passed: {
    'README.md':
      '# Weft\n\n## Run it\n\n```sh\n# first\nnpm start\nnpm run weft -- chat\n```\n\n## More\n```\nx\n```\n',
  },
};

export const rules = [links, promises, begin];
