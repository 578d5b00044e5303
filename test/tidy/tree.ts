// Owns the view of the checkout that the rules of style look at.
// Invariant: `code` has every character of comments and literals blanked and nothing moved, so that a rule about code is
// not fooled by prose, and offsets and line numbers agree with `text`.
// Must not: know any rule.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Source {
  /** Relative to the checkout, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly code: string;
}

/** The files by path; `has` also knows those that are not text. */
export interface Tree {
  readonly sources: ReadonlyMap<string, Source>;
  has(path: string): boolean;
}

/** A rule of style: what it finds, and a snippet that it must find (tidy.test.ts holds it to that). */
export interface Rule {
  readonly name: string;
  /** Faults as `path:line: what`. */
  check(tree: Tree): string[];
  /** Small trees, each with at least one fault. */
  readonly caught: readonly Readonly<Record<string, string>>[];
  /** A small tree without a fault, close to the faulty ones. */
  readonly passed: Readonly<Record<string, string>>;
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const IGNORED = new Set(['node_modules', 'dist', 'data', '.git']);
const TEXT = /\.(ts|mjs|js|md|json|html|css)$|^\.ci\/run$/;

/** The checkout. */
export function loadTree(): Tree {
  const files: Record<string, string> = {};
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory() && !IGNORED.has(entry.name)) walk(path);
      else if (entry.isFile() && TEXT.test(path)) files[path] = readFileSync(join(ROOT, path), 'utf8');
    }
  };
  walk('.');
  return { ...treeOf(files), has: (path) => existsSync(join(ROOT, path)) };
}

/** A tree of these files. */
export function treeOf(files: Readonly<Record<string, string>>): Tree {
  const sources = new Map(
    Object.entries(files).map(([path, text]) => [path, { path, text, code: isCode(path) ? blank(text) : text }]),
  );
  return { sources, has: (path) => sources.has(path) || [...sources.keys()].some((key) => key.startsWith(`${path}/`)) };
}

export function isCode(path: string): boolean {
  return /\.(ts|mjs|js)$/.test(path);
}

/** Every TypeScript file, and of those in one of `folders` if named. */
export function typescript(tree: Tree, ...folders: string[]): Source[] {
  return [...tree.sources.values()].filter(
    ({ path }) =>
      path.endsWith('.ts') && (folders.length === 0 || folders.some((folder) => path.startsWith(`${folder}/`))),
  );
}

/** `path:line: what` for each match of `pattern` (global) in the code, or in the whole text. */
export function matches(source: Source, pattern: RegExp, what: string, within: 'code' | 'text' = 'code'): string[] {
  return [...source[within].matchAll(pattern)].map(
    (match) => `${at(source, match.index)}: ${what}: ${match[0].trim()}`,
  );
}

export function at(source: Source, index: number): string {
  return `${source.path}:${source.text.slice(0, index).split('\n').length}`;
}

export interface Import {
  readonly index: number;
  /** `node:fs`, `nact`, or a path in the tree that ends in .ts. */
  readonly target: string;
}

/** What a file imports, statically or not, and the programs of the tree that it names by their place. */
export function importsOf({ path, text, code }: Source): Import[] {
  const pattern =
    /\bfrom\s*(['"])(.+?)\1|\bimport\s*\(?\s*(['"])(.+?)\3|\bnew URL\(\s*(['"])(\.[^'"]*\.js)\5\s*,\s*import\.meta\.url|\bjoin\(import\.meta\.dirname, '([^']*\.js)'/g;
  return [...text.matchAll(pattern)]
    .filter((match) => code.startsWith(match[0].slice(0, 4), match.index))
    .map((match) => {
      const name = match[2] ?? match[4] ?? match[6] ?? `./${match[7]}`;
      const target = name.startsWith('.') ? posix.join(posix.dirname(path), name).replace(/\.js$/, '.ts') : name;
      return { index: match.index, target };
    });
}

/** Blanks comments, strings, template text and regular expressions; the quotes stay. */
function blank(text: string): string {
  const out = text.split('');
  // Depth of braces at which each open template's `${` began.
  const templates: number[] = [];
  let depth = 0;
  let i = 0;
  const hide = (end: number): void => {
    for (; i < end && i < text.length; i += 1) if (out[i] !== '\n') out[i] = ' ';
  };
  const template = (): void => {
    while (i < text.length && text[i] !== '`') {
      if (text.startsWith('${', i)) {
        templates.push(depth);
        i += 2;
        return;
      }
      hide(i + (text[i] === '\\' ? 2 : 1));
    }
    i += 1;
  };
  const ending = (close: string): number => {
    let end = i + 1;
    for (let inClass = false; end < text.length && text[end] !== '\n'; end += 1) {
      if (text[end] === '\\') end += 1;
      else if (close === '/' && text[end] === '[') inClass = true;
      else if (close === '/' && text[end] === ']') inClass = false;
      else if (text[end] === close && !inClass) break;
    }
    return end;
  };
  while (i < text.length) {
    const c = text[i] ?? '';
    if (text.startsWith('//', i)) hide(lineEnd(text, i));
    else if (text.startsWith('/*', i)) hide(blockEnd(text, i));
    else if (c === "'" || c === '"' || (c === '/' && startsPattern(out, i))) {
      const end = ending(c);
      i += 1;
      hide(end);
      i += 1;
    } else if (c === '`') {
      i += 1;
      template();
    } else {
      if (c === '{') depth += 1;
      i += 1;
      if (c !== '}') continue;
      if (templates.at(-1) === depth) {
        templates.pop();
        template();
      } else depth -= 1;
    }
  }
  return out.join('');
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

function blockEnd(text: string, from: number): number {
  const end = text.indexOf('*/', from + 2);
  return end < 0 ? text.length : end + 2;
}

/** Whether a slash begins a pattern rather than divides: it does where no value has just ended. */
function startsPattern(out: readonly string[], index: number): boolean {
  const before = out
    .slice(Math.max(0, index - 40), index)
    .join('')
    .trimEnd();
  return before === '' || /[([{,;=:?!&|+\-*%<>~^}]$|\b(return|typeof|case|of|in|yield|await)$/.test(before);
}
