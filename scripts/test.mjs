// Owns `npm test`: build, Biome, then every test file under Node's own runner; `npm test -- PATTERN…` runs those whose
// path contains one of the patterns.
// Invariant: exit code 0 only if the build, the check and every test passed; the runner's summary comes last.
// Must not: retry tests, or know what they test.

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Failure, prepare, sources } from './prepare.mjs';
import { rootPath, run, spawnNode } from './process.mjs';

/** ms for one test: torture, the longest, takes a third of it on two slow cores. */
const TIMEOUT = 180_000;

/** @param {string[]} patterns @returns {Promise<number>} the exit code */
export async function test(patterns) {
  await prepare({ tools: true });
  const files = sources()
    .filter((path) => path.startsWith('test/') && path.endsWith('.test.ts'))
    .filter((path) => patterns.length === 0 || patterns.some((pattern) => path.includes(pattern)));
  if (files.length === 0) throw new Failure(`no test file matches ${patterns.join(' ')}`);

  // Both run to their end even if the first fails: one run tells everything.
  const style = patterns.length > 0 || (await biome());
  const code = await runner(files.map((path) => `dist/${path.slice(0, -'.ts'.length)}.js`));
  if (!style) process.stderr.write('weft: Biome found faults, see above; `npm run format` repairs most of them\n');
  return style ? code : code || 1;
}

async function biome() {
  const program = join(rootPath, 'node_modules/@biomejs/biome/bin/biome');
  const { code, output } = await run(process.execPath, [program, 'check', '--error-on-warnings', '.'], { quiet: true });
  process.stderr.write(code === 0 ? 'weft: Biome finds no fault\n' : output);
  return code === 0;
}

function runner(files) {
  // Set when these scripts are themselves under test: the inner runner would then report to the outer one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const flags = [
    '--enable-source-maps',
    '--test',
    // A third of a test's time is waiting, for processes and leases: with one file more than there are cores, those are busy.
    // Node's default on two cores is one file at a time.
    `--test-concurrency=${availableParallelism() + 1}`,
    `--test-timeout=${TIMEOUT}`,
    '--test-reporter=./scripts/reporter.mjs',
    '--test-reporter-destination=stdout',
  ];
  return spawnNode([...flags, ...files], env);
}
