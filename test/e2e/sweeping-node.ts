// Owns a node in a process of its own that keeps messages until they are delivered and sweeps within milliseconds.
// Invariant: says `ready <url>` once; whoever started it kills it.
// Must not: be more than that pace around services/node.ts.

import { LIMITS } from '../../actors/limits.js';
import { createVerifier } from '../../services/auth.js';
import { startNode } from '../../services/node.js';
import { openLmdb } from '../../storage/lmdb.js';
import { text as plain } from '../../transport/http.js';
import { NO_QUOTAS } from '../quotas.js';
import { secret, world } from './harness.js';

const [path = ''] = process.argv.slice(2);
const verifier = createVerifier({ keys: { type: 'secret', secret } });
if (!verifier.ok) throw new Error(verifier.detail);
const node = await startNode({
  node: 'mortal',
  world,
  host: '127.0.0.1',
  port: 0,
  transport: 'auto',
  settings: {
    fanOutThreshold: LIMITS.fanOutThreshold,
    passivateMs: 200,
    quotas: NO_QUOTAS,
    retention: { type: 'until-delivered' },
    sweep: { restMs: 10, tickMs: 2, scanMs: 20, roundMs: 50 },
  },
  verifier: verifier.verifier,
  openStore: () => openLmdb({ path }),
  http: () => plain(404, ''),
  event: () => undefined,
  fenced: () => process.exit(1),
  report: () => undefined,
});
process.stdout.write(`ready ${node.url}\n`);
process.on('SIGTERM', () => void node.stop().then(() => process.exit(0)));
