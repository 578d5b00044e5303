// Owns the proof that the snippets of docs/client.md and README.md work: they compile, and run against a real node.
// Invariant: a snippet with an import begins a program, those after it continue it; every `ts` snippet is in one.
// Must not: change a snippet, but for the node's address.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { connect } from '../../client/index.js';
import { testNode, token } from '../e2e/harness.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const ADDRESS = 'ws://127.0.0.1:7400/v1';

/** What a page takes as given, and the end of a program: until listeners have told what a snippet says they tell. */
const GIVEN = `
declare global {
  var token: string;
  function newToken(user: string, device: string): Promise<string>;
  function until(...lines: string[]): Promise<void>;
}
`;
const PRELUDE = `
import { setTimeout as sleep } from 'node:timers/promises';
const lines = [];
const log = console.log;
console.log = (...words) => { lines.push(words.join(' ')); log(...words); };
globalThis.token = process.env.TOKEN;
globalThis.newToken = async () => token;
globalThis.fetch = async () => new Response(token);
globalThis.until = async (...starts) => {
  while (!starts.every((start) => lines.some((line) => line.startsWith(start)))) await sleep(10);
};
`;
/** A browser, as far as the SDK needs one. */
const BROWSER = `
import 'fake-indexeddb/auto';
import { WebSocket } from 'ws';
globalThis.WebSocket = WebSocket;
`;

/** The snippets of a page, each program as its snippets. */
function programs(page: string): string[][] {
  const found: string[][] = [];
  for (const [, snippet = ''] of readFileSync(join(root, page), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)) {
    if (/^import /m.test(snippet)) found.push([]);
    found.at(-1)!.push(snippet);
  }
  return found;
}

interface Run {
  readonly snippets: readonly string[];
  /** Beginnings of lines to wait for before the last snippet. */
  readonly waitFor?: readonly string[];
  readonly browser?: boolean;
}

/** Compiles, type-checks and runs a program as an application inside the package would be; resolves to what it printed. */
async function run(t: TestContext, url: string, { snippets, waitFor = [], browser = false }: Run): Promise<string[]> {
  // Under the package, so that 'weft/client' is found by its exports, as from outside by its name.
  mkdirSync(join(root, 'dist'), { recursive: true });
  const folder = mkdtempSync(join(root, 'dist/docs-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const waits =
    waitFor.length === 0 ? [] : [`await until(${waitFor.map((line) => JSON.stringify(line)).join(', ')});\n`];
  const body = [...snippets.slice(0, -1), ...waits, ...snippets.slice(-1)].join('').replaceAll(ADDRESS, url);
  const file = join(folder, 'program.ts');
  writeFileSync(file, `${body}${GIVEN}`);
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--skipLibCheck'];
  const target = ['--module', 'nodenext', '--target', 'es2022', '--lib', 'ES2023,DOM', '--types', 'node'];
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  await command([tsc, '--noEmit', '--ignoreConfig', ...strict, ...target, file], folder);
  const prelude = join(folder, 'prelude.mjs');
  writeFileSync(prelude, browser ? `${BROWSER}${PRELUDE}` : PRELUDE);
  const out = join(folder, 'program.mjs');
  const external = browser ? {} : { packages: 'external' as const };
  await build({
    entryPoints: [file],
    outfile: out,
    bundle: true,
    format: 'esm',
    platform: browser ? 'browser' : 'node',
    ...external,
  });
  return (await command(['--import', prelude, out], folder)).split('\n');
}

/** Runs Node; rejects with what it printed unless it ends with 0. */
async function command(args: readonly string[], cwd: string): Promise<string> {
  const env = { ...process.env, TOKEN: await token('ada', 'laptop') };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd, env, timeout: 30_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${error.message}\n${stdout}\n${stderr}`));
    });
  });
}

/** Bob answers what he gets from ada in their chat, and reads everything. */
async function answering(t: TestContext, url: string): Promise<string[]> {
  const bob = await connect({ url, token: await token('bob', 'phone') });
  t.after(() => bob.close());
  const heard: string[] = [];
  bob.on('message', (message) => {
    heard.push(`${message.chat.name}: ${message.text}`);
    message.read();
    if (message.chat.kind === 'direct') return message.chat.send('hi ada');
    return undefined;
  });
  return heard;
}

test('docs/client.md: its snippets compile, run in order, and print what they say', async (t) => {
  const { url } = await testNode(t);
  const heard = await answering(t, url);
  const [node, browser, ...more] = programs('docs/client.md');
  assert.equal(more.length, 0);
  const lines = await run(t, url, {
    snippets: node!,
    waitFor: ['bob 2 bob: hi ada', 'bob has 2 and has read 1 of bob'],
  });
  for (const start of [
    'ada on laptop is online',
    'hello is number 1',
    'too_large false',
    'ada owner, bob member, dan member',
    '3 welcome false',
    'true false []',
    'gone from Weavers of Ulm: 11 for all',
    'gone from Weavers of Ulm: 3 for me',
    'direct bob 2 0 pinned muted',
    'group Weavers of Ulm 12 0',
    'bob tells no name',
    'laptop true',
    "[ 'mallory' ]",
    'closed',
  ]) {
    assert.ok(
      lines.some((line) => line.startsWith(start)),
      `${start}\n${lines.join('\n')}`,
    );
  }
  await run(t, url, { snippets: browser!, browser: true });
  assert.deepEqual(heard, ['ada: hello', 'Weavers: welcome', 'Weavers of Ulm: oops', 'ada: from a page']);
});

test('README.md: the snippet of a client', async (t) => {
  const { url } = await testNode(t);
  const heard = await answering(t, url);
  const [program, ...more] = programs('README.md');
  assert.equal(more.length, 0);
  const end = ['await session.close();\n'];
  await run(t, url, { snippets: [...program!, ...end], waitFor: ['bob hi ada'] });
  assert.deepEqual(heard, ['ada: hello']);
});
