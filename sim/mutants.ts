// Owns the table of all deliberate defects. The checker is worth what it catches of them.
// Invariant: names are unique; each applies to the product as it stands (test/sim/mutants.test.ts).
// Must not: hold defects itself.

import type { Mutant } from './mutant.js';
import { chatMutants } from './mutants-chat.js';
import { clientMutants } from './mutants-client.js';
import { clusterMutants } from './mutants-cluster.js';
import { keepMutants } from './mutants-keep.js';
import { lineMutants } from './mutants-line.js';

export const MUTANTS: readonly Mutant[] = [
  ...chatMutants,
  ...lineMutants,
  ...keepMutants,
  ...clientMutants,
  ...clusterMutants,
];
