#!/usr/bin/env node
// Owns the way in: `npm start`, `npm test` and every other npm script. Checks Node, prepares the checkout, runs.
// Invariant: parses on any Node that knows modules, so that an old one gets a sentence and not a stack trace; all that
// needs more is imported after the check.
// Must not: import packages (they may not be installed yet), or put a process between npm and the node: signals reach
// it once and its exit code is npm's.

import { existsSync } from 'node:fs';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 11)) {
  process.stderr.write(
    `weft: needs Node 20.11 or newer, and this is ${process.versions.node}.\n` +
      'Install it from https://nodejs.org/ or with your package manager (Debian: apt-get install nodejs npm; nvm: nvm install 20).\n',
  );
  process.exit(1);
}

const { prepare, Failure } = await import('./prepare.mjs');
const { root, spawnNode } = await import('./process.mjs');

/** Commands that are a compiled program of their own: path below dist/, and Node's flags for it. */
const PROGRAMS = {
  bench: { entry: 'bench/main.js', flags: ['--expose-gc'] },
  torture: { entry: 'bench/torture.js', flags: [] },
  simulate: { entry: 'sim/main.js', flags: [] },
};

const [command = 'help', ...rest] = process.argv.slice(2);
try {
  if (command === 'build') {
    await prepare();
  } else if (command === 'test') {
    const { test } = await import('./test.mjs');
    process.exitCode = await test(rest);
  } else if (command === 'weft') {
    await weft(rest);
  } else if (command === 'start') {
    await weft(['start', ...rest]);
  } else if (Object.hasOwn(PROGRAMS, command)) {
    await prepare();
    const { entry, flags } = PROGRAMS[command];
    if (!existsSync(new URL(`dist/${entry}`, root))) throw new Failure(`this checkout has no ${command}`);
    process.exitCode = await spawnNode(['--enable-source-maps', ...flags, `dist/${entry}`, ...rest]);
  } else {
    process.stderr.write(
      `usage: node scripts/run.mjs start|test|build|weft|${Object.keys(PROGRAMS).join('|')} [args]\n`,
    );
    process.exitCode = 2;
  }
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`weft: ${error.message}\n`);
  process.exitCode = 1;
}

/** Runs the weft command in this very process: no second start-up, and no signals to pass on. */
async function weft(args) {
  await prepare();
  process.argv = [process.argv[0], new URL('bin/weft.js', root).pathname, ...args];
  process.setSourceMapsEnabled(true);
  await import(new URL('dist/cli/main.js', root).href);
}
