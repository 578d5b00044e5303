// Owns the tests of the in-memory engine beyond the contract.
// Invariant: none waits for real time where the engine's own world can be driven.
// Must not: repeat the contract suite.

import { openMemory } from '../../storage/memory.js';
import { storeContract } from './contract.js';
import { machine } from './world.js';

storeContract('memory', async () => ({ store: openMemory({ world: machine }) }));
storeContract('memory, slow disk', async () => ({
  store: openMemory({ world: machine, flushMs: () => Math.random() * 3 }),
}));
