// Owns the proof that of two processes with one node id the older ends and says why, and that the log tells who wrote a line and whom
// it is about.
// Invariant: real processes on one store.
// Must not: depend on which of the two wins in the end.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from './crowd.js';
import { Home } from './process.js';

test('a second process of one id takes its place; the first one ends, and the third node says who was refused', async (t) => {
  const [home, other] = [new Home(t), new Home(t)];
  const shared = [
    ...['--store', `lmdb:${join(home.folder, 'store')}`, '--cluster-secret-file', join(home.folder, 'secret')],
    ...['--peer-listen', '127.0.0.1:0'],
  ];
  const third = await new Home(t).start({ flags: [...shared, '--node-id', 'n-3'] });
  const older = await home.start({ flags: [...shared, '--node-id', 'n-1'] });
  let last = await other.start({ flags: [...shared, '--node-id', 'n-1'] });
  assert.equal((await older.ended).code, 1);
  assert.match(
    older.lines.join('\n'),
    /"reason":"another process runs under the id n-1; [^"]*--node-id","msg":"node_replaced"/,
  );
  // Whether the third meets one that was replaced before that one has ended is luck: until it does, the next takes its place.
  const met = (): boolean => third.lines.some((line) => line.includes('link_refused'));
  for (let takeovers = 1; takeovers < 8 && !met(); takeovers += 1) {
    const before = last;
    last = await new Home(t).start({ flags: [...shared, '--node-id', 'n-1'] });
    await before.ended;
  }
  await until('the third has met one of the older ones', met);
  for (const line of third.lines.filter((line) => line.startsWith('{'))) {
    assert.equal(line.match(/"node":/g)?.length, 1, line);
    assert.equal((JSON.parse(line) as { node: string }).node, 'n-3', line);
  }
  const refused = third.lines.filter((line) => line.includes('link_refused')).join('\n');
  assert.match(refused, /"peer":"n-1"/);
});
