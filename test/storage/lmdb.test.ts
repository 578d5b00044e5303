// Owns the tests of the embedded engine beyond the contract.
// Invariant: each uses a folder of its own.
// Must not: repeat the contract suite.

import { openLmdb } from '../../storage/lmdb.js';
import { storeContract } from './contract.js';
import { folder } from './folder.js';

storeContract('lmdb', async () => {
  const path = folder();
  return { store: await openLmdb({ path }), reopen: () => openLmdb({ path }) };
});
