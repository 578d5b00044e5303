// Owns what a test run prints: Node's `spec` report, and just above its summary the slowest files and what was skipped.
// Invariant: a test that was skipped for want of an installable tool is named loudly with the fix, and under CI fails
// the run.
// Must not: hide or reorder anything of the spec report.

import { relative } from 'node:path';
import { Readable } from 'node:stream';
import { spec as Spec } from 'node:test/reporters';

const SLOWEST = 5;

export default async function* report(events) {
  yield* Readable.from(annotated(events)).compose(new Spec());
}

async function* annotated(events) {
  const files = new Map();
  const skips = new Map();
  let summarised = false;
  for await (const event of events) {
    const { type, data } = event;
    if (type === 'test:pass' || type === 'test:fail') {
      if (data.nesting === 0 && data.file) add(files, data.file, data.details.duration_ms);
      if (typeof data.skip === 'string') add(skips, data.skip, 1);
    }
    if (!summarised && type === 'test:diagnostic' && data.nesting === 0 && /^tests \d+$/.test(data.message)) {
      summarised = true;
      yield { type: 'test:stdout', data: { message: addendum(files, skips) } };
    }
    yield event;
  }
}

function add(map, key, n) {
  map.set(key, (map.get(key) ?? 0) + n);
}

function addendum(files, skips) {
  const lines = ['', 'slowest files'];
  const slowest = [...files].sort(([, a], [, b]) => b - a).slice(0, SLOWEST);
  for (const [file, ms] of slowest) lines.push(`  ${(ms / 1_000).toFixed(1).padStart(6)} s  ${source(file)}`);
  for (const [reason, count] of skips) {
    lines.push(`SKIPPED ${count} ${count === 1 ? 'test' : 'tests'}: ${reason}`);
    if (process.env.CI === 'true' && /\b(needs|install)\b/.test(reason)) {
      lines.push('FAILED: with CI=true everything that can be installed must be');
      process.exitCode = 1;
    }
  }
  return `${lines.join('\n')}\n\n`;
}

/** The source's path in the checkout; where the runner knows no source map, the compiled file's. */
function source(file) {
  return relative(process.cwd(), file).replace(/^dist[\\/](.*)\.js$/, '$1.ts');
}
