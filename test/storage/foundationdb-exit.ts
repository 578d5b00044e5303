// Owns a process that ends while its store has something to do: by closing it, or by exit in the middle.
// Invariant: the way is told by the second argument.
// Must not: hold the process alive by itself.

import { openFoundationDb } from '../../storage/foundationdb.js';
import { put, text } from './scene.js';

const [clusterFile = '', how] = process.argv.slice(2);
const store = await openFoundationDb({ clusterFile, directory: ['test', 'exit'] });
store.watch(text('watched'), () => undefined);
const commits = Array.from({ length: 300 }, (_, i) =>
  store.commit({ checks: [{ key: text(`other${i}`), value: null }], writes: [put(`k${i}`, 'v')] }),
);
if (how === 'close') {
  const results = await Promise.all(commits);
  await store.close();
  process.exitCode = results.every(({ outcome }) => outcome === 'committed') ? 0 : 1;
} else {
  if (how === 'busy') {
    const reads = Array.from({ length: 300 }, (_, i) => store.get(text(`k${i}`)));
    for (const read of reads) read.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    // Long enough that the results of all that is on its way wait for this thread.
    for (const until = performance.now() + 300; performance.now() < until; );
  }
  process.exit(3);
}
