// Owns a process that runs histories for another one: a seed comes, its verdict goes.
// Invariant: what is run and judged is what that one would run and judge itself; it ends when that one is gone.
// Must not: print, or choose seeds.
//
//   history-child.js [cluster]

import { draw } from './draw.js';
import { drawCluster } from './draw-cluster.js';
import type { Errand } from './jobs.js';
import { judgeHere } from './trial.js';

const judge = judgeHere(process.argv[2] === 'cluster' ? drawCluster : draw);
process.on('message', async ({ seed, twice }: Errand) => {
  process.send?.(await judge(seed, twice));
});
// Also where a history left something behind.
process.on('disconnect', () => process.exit(0));
// The one who asks says when it is enough.
process.on('SIGINT', () => undefined);
