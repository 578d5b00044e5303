// Owns the proof that a process hears once that it is to stop.
// Invariant: sends real signals to a real process.
// Must not: rely on signals arriving within a given time.

import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { test } from 'node:test';

const MODULE = new URL('../../cli/stop.js', import.meta.url).href;

/** Prints each call, ends with 0 at a line on stdin; `wait` makes the clock jump that many ms after the first signal. */
function start(wait: number): ChildProcessByStdio<Writable, Readable, null> {
  const script = `
    import { onStop } from ${JSON.stringify(MODULE)};
    const clock = performance.now.bind(performance);
    let ahead = 0;
    performance.now = () => clock() + ahead;
    for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => console.log('signal'));
    onStop((signal) => { console.log('stop ' + signal); ahead = ${wait}; });
    process.stdin.on('data', () => process.exit(0));
    console.log('ready');`;
  return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
}

/** Its lines, one at a time; undefined at the end. Kept while nobody asks. */
function reader(child: { readonly stdout: Readable }): () => Promise<string | undefined> {
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => (await lines.next()).value;
}

for (const [first, second] of [
  ['SIGINT', 'SIGINT'],
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGTERM'],
] as const) {
  test(`${first} then ${second} at once: one stop`, async () => {
    const child = start(0);
    const next = reader(child);
    const exit = once(child, 'exit');
    assert.equal(await next(), 'ready');
    child.kill(first);
    assert.equal(await next(), 'signal');
    assert.equal(await next(), `stop ${first}`);
    child.kill(second);
    assert.equal(await next(), 'signal');
    child.stdin.write('end\n');
    assert.equal(await next(), undefined);
    assert.deepEqual(await exit, [0, null]);
  });
}

test('a second Ctrl-C later on ends the process with 130', async () => {
  const child = start(5_000);
  const next = reader(child);
  const exit = once(child, 'exit');
  assert.equal(await next(), 'ready');
  child.kill('SIGINT');
  assert.equal(await next(), 'signal');
  assert.equal(await next(), 'stop SIGINT');
  child.kill('SIGINT');
  assert.deepEqual(await exit, [130, null]);
});
