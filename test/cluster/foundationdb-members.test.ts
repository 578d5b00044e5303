// Owns the tests of processes on one FoundationDB cluster, and of what they do while it is away: killed or frozen, and back.
// Invariant: as in members-suite.ts. Each test has a directory of the cluster to itself.
// Must not: have clients (test/e2e/foundationdb-cluster.test.ts).

import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { LIMITS } from '../../actors/limits.js';
import { openFoundationDb } from '../../storage/foundationdb.js';
import { onFoundationDb } from '../foundationdb.js';
import { type Ground, Members, membersSuite } from './members-suite.js';

/** ms for which the cluster is away: for less than a lease, and for longer than a transaction may take. */
const AWAY = [600, 1_500, 4_000];

await onFoundationDb(import.meta.url, (server) => {
  const { clusterFile } = server;
  let stores = 0;
  const open = async (t: TestContext): Promise<Ground> => {
    stores += 1;
    const directory = `members${stores}`;
    const store = await openFoundationDb({ clusterFile, directory: [directory] });
    t.after(() => store.close());
    return { args: ['fdb', clusterFile, directory], store };
  };

  membersSuite('one FoundationDB cluster', open);

  const ways = {
    killed: { go: () => server.kill(), come: () => server.launch() },
    frozen: { go: () => server.freeze(), come: () => server.thaw() },
  };
  for (const [how, { go, come }] of Object.entries(ways)) {
    test(`three processes whose FoundationDB cluster is ${how} go on by themselves; all that was answered is there`, {
      timeout: 120_000,
    }, async (t) => {
      const members = await Members.start(t, await open(t));
      for (const ms of AWAY) {
        await go();
        await pause(ms);
        come();
        const back = performance.now();
        await Promise.all(members.all.map((member) => member.writes(2 * LIMITS.shards)));
        const evicted = members.all.reduce((sum, member) => sum + member.said('nodes_evicted'), 0);
        const again = Math.round(performance.now() - back);
        t.diagnostic(`${how} for ${ms} ms: all write again ${again} ms after it was back; ${evicted} evictions so far`);
      }
      await members.check();
    });
  }
});
