// Owns the proof that figures reach Prometheus with their kind, as they are now, and not at all where they are not known.
// Invariant: looks at the very text of a scrape.
// Must not: need a node.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { addFigure, type Say } from '../../services/figures.js';

test('what counts is a counter, all else a gauge; what is not known is left out', async () => {
  const registry = new Registry();
  let sent: number | null = 3;
  let peers: readonly [string, number][] = [['n-2', 0.25]];
  addFigure(registry, 'sent_total', 'Sent', (say) => {
    if (sent !== null) say(sent);
  });
  const trips = (say: Say): void => {
    for (const [peer, value] of peers) say(value, { peer });
  };
  addFigure(registry, 'trip_seconds', 'Trip', trips, ['peer']);
  const lines = async (): Promise<string[]> =>
    (await registry.metrics()).split('\n').filter((line) => !/^$|HELP/.test(line));
  const types = ['# TYPE sent_total counter', '# TYPE trip_seconds gauge'] as const;
  for (let scrape = 0; scrape < 2; scrape++) {
    assert.deepEqual(await lines(), [types[0], 'sent_total 3', types[1], 'trip_seconds{peer="n-2"} 0.25']);
  }
  [sent, peers] = [null, [['n-3', 0]]];
  assert.deepEqual(await lines(), [types[0], types[1], 'trip_seconds{peer="n-3"} 0']);
});
