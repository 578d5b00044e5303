// Owns what a node does before it stops, where others go on: its shards are handed over one by one, and its clients sent to them.
// Invariant: takes LIMITS.evacuateMs at most, and no time where nobody would take over; what is left then goes as it goes for a node
// that is alone.
// Must not: stop anything.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import type { Cluster } from '../cluster/cluster.js';
import { type DrainPlan, UNPACED } from '../cluster/drain.js';

/** Nobody is spared for long: the process is told to end. */
const AT_ONCE: DrainPlan = { ...UNPACED, clients: LIMITS.evacuateClients, hurry: true };

/** Resolves when nothing is left here, or nothing more goes. */
export async function evacuate(world: World, cluster: Cluster): Promise<void> {
  // A drain of the operator's may be slower than a process manager waits.
  cluster.stay();
  if (cluster.lapsed || cluster.drain(AT_ONCE) !== 'begun') return;
  const end = world.now() + LIMITS.evacuateMs;
  while (world.now() < end && !cluster.lapsed) {
    const { state, waits } = cluster.drainage ?? { state: 'drained', waits: null };
    if (state === 'drained' || waits === 'nobody') return;
    await new Promise<void>((resolve) => world.timer(LIMITS.drainTickMs, resolve));
  }
}
