// Owns the state of a checkout: dependencies as package-lock.json says, dist/ as the sources say.
// Invariant: does nothing, and quickly, when both are current; two at once take turns; what is half done is seen as
// not done. A checkout that ships dist/ without development packages runs as it is.
// Must not: import packages, or print to stdout (programs read it).

import { createHash } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { rootPath, run } from './process.mjs';

/** An expected end: the message is all that its reader needs. */
export class Failure extends Error {}

const STAMP = join(rootPath, 'dist/.stamp');
const LOCK = join(rootPath, '.prepare.lock');

/** Installs and builds what is missing or stale. `tools`: development packages are needed even if dist/ is current. */
export async function prepare({ tools = false } = {}) {
  const current = () => isBuilt() && isInstalled(tools);
  if (current()) return;
  await alone(async () => {
    const build = !isBuilt();
    if (!isInstalled(tools || build)) await install();
    if (build) await compile();
  });
}

/** Whether every package of the lock file that must be here is here, in its version. */
function isInstalled(tools) {
  const wanted = readJson('package-lock.json')?.packages ?? {};
  // npm's own record of what it put there; it is written last, so a broken install has none.
  const present = readJson('node_modules/.package-lock.json')?.packages;
  if (present === undefined) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || entry.link) continue;
    const found = present[path];
    if (
      found === undefined
        ? !(entry.optional || entry.devOptional || entry.peer || (entry.dev && !tools))
        : found.version !== entry.version
    ) {
      return false;
    }
  }
  return true;
}

async function install() {
  const npm = process.env.npm_execpath?.endsWith('.js')
    ? [process.execPath, process.env.npm_execpath]
    : [process.platform === 'win32' ? 'npm.cmd' : 'npm'];
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const done = progress('installing dependencies (npm ci, once)');
  let result;
  try {
    result = await run(npm[0], [...npm.slice(1), ...args], { quiet: true });
  } catch (error) {
    throw new Failure(`cannot run npm (${error.code}). Install it (Debian: apt-get install npm), then try again.`);
  }
  done(result.code === 0);
  if (result.code !== 0) {
    throw new Failure(`npm ci failed with exit code ${result.code}:\n${result.output}`);
  }
}

/** Names, sizes and times of all that the build reads: equal means that nothing changed. */
function fingerprint() {
  const hash = createHash('sha1');
  const add = (path) => {
    const stat = statSync(join(rootPath, path));
    hash.update(`${path}\0${stat.size}\0${stat.mtimeMs}\n`);
  };
  add('tsconfig.json');
  for (const path of sources()) add(path);
  return hash.digest('hex');
}

/** Every TypeScript file that the build compiles, relative to the checkout. */
export function sources() {
  const found = [];
  const walk = (folder) => {
    if (!existsSync(join(rootPath, folder))) return;
    for (const entry of readdirSync(join(rootPath, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (path.endsWith('.ts')) found.push(path);
    }
  };
  for (const folder of readJson('tsconfig.json').include) walk(folder);
  return found.sort();
}

function isBuilt() {
  try {
    return readFileSync(STAMP, 'utf8') === fingerprint();
  } catch {
    return false;
  }
}

async function compile() {
  // Taken before: an edit while the compiler runs must not count as built.
  const stamp = fingerprint();
  const done = progress('building');
  rmSync(STAMP, { force: true });
  const tsc = join(rootPath, 'node_modules/typescript/bin/tsc');
  const result = await run(process.execPath, [tsc, '-p', '.', '--pretty', String(process.stderr.isTTY === true)], {
    quiet: true,
  });
  done(result.code === 0);
  if (result.code !== 0) throw new Failure(`the build failed:\n${result.output}`);
  prune('dist');
  writeFileSync(STAMP, stamp);
}

/** Removes what the compiler made of sources that are gone: it never does, and a stale module could still be imported. */
function prune(folder) {
  for (const entry of readdirSync(join(rootPath, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) prune(path);
    else if (path.endsWith('.d.ts')) {
      const stem = path.slice('dist/'.length, -'.d.ts'.length);
      if (existsSync(join(rootPath, `${stem}.ts`))) continue;
      for (const ending of ['.js', '.js.map', '.d.ts'])
        rmSync(join(rootPath, `dist/${stem}${ending}`), { force: true });
    }
  }
}

/** Runs `task` while no other process prepares this checkout. The lock is a link whose target is its owner's id. */
async function alone(task) {
  for (let told = false; ; ) {
    try {
      symlinkSync(String(process.pid), LOCK);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw new Failure(`cannot write to ${rootPath} (${error.code})`);
    }
    if (!isHeld()) {
      await takeOver();
      if (owner() === process.pid) break;
      continue;
    }
    if (!told) process.stderr.write('weft: another process prepares this checkout, waiting\n');
    told = true;
    await sleep(100);
  }
  const release = () => {
    if (owner() === process.pid) rmSync(LOCK, { force: true });
  };
  process.once('exit', release);
  try {
    await task();
  } finally {
    process.off('exit', release);
    release();
  }
}

/** Puts this process in the place of a dead owner. Others may do so at the same moment: the last one has it. */
async function takeOver() {
  const mine = `${LOCK}.${process.pid}`;
  rmSync(mine, { force: true });
  symlinkSync(String(process.pid), mine);
  renameSync(mine, LOCK);
  await sleep(100);
}

/** Process id of the lock's owner; NaN when there is none. */
function owner() {
  try {
    return Number(readlinkSync(LOCK));
  } catch {
    return Number.NaN;
  }
}

function isHeld() {
  try {
    process.kill(Number(readlinkSync(LOCK)), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** One line on stderr; on a terminal it counts the seconds. */
function progress(what) {
  const start = performance.now();
  const seconds = () => `${((performance.now() - start) / 1_000).toFixed(0)} s`;
  const terminal = process.stderr.isTTY === true;
  process.stderr.write(`weft: ${what} …${terminal ? '' : '\n'}`);
  const timer = terminal ? setInterval(() => process.stderr.write(`\rweft: ${what} … ${seconds()}`), 1_000) : undefined;
  return (ok) => {
    clearInterval(timer);
    if (terminal) process.stderr.write(`\rweft: ${what} … ${ok ? `done in ${seconds()}` : 'failed'}\n`);
  };
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(join(rootPath, path), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
