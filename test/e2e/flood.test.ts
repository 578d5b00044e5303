// Owns the short version of the flood suite: hostile clients of every kind beside honest ones, for some seconds.
// Invariant: what must hold on any machine: every honest message is answered and delivered, once and in order, in a time
// that a person would bear; the node outlives it. The ratio of latencies is the bench's (npm run bench -- flood).
// Must not: compare latencies: other tests run beside it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flood } from '../../bench/flood/course.js';

/** ms that the slowest of a hundred messages may take beside a flood, on a machine that runs other tests too. */
const BEARABLE = 5_000;

test('honest clients beside hostile ones: everything comes, once, in order and in time', async (t) => {
  const result = await flood({ seconds: 3, hostile: 20, pairs: 3, rate: 5, progress: () => undefined });
  assert.deepEqual(result.failures, []);
  assert.ok(result.flood.messages >= 60, `${result.flood.messages} messages`);
  assert.ok(result.flood.sentP99 < BEARABLE && result.flood.deliverP99 < BEARABLE, JSON.stringify(result.flood));
  for (const [attack, tried] of Object.entries(result.tried)) assert.ok(tried > 0, `${attack} did nothing`);
  assert.ok((result.refused.rate_limited ?? 0) > 0, 'limits were met');
  t.diagnostic(`p99 ${result.flood.sentP99} ms beside ${result.quiet.sentP99} ms; ${JSON.stringify(result.tried)}`);
});
