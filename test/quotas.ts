// Owns the quotas of nodes under test.
// Invariant: a test meets a limit only where it asks for one.
// Must not: hold the product's own (actors/allowances.ts).

import type { Quotas } from '../actors/allowances.js';

export const NO_QUOTAS: Quotas = {
  deviceSends: 0,
  userSends: 0,
  newDirects: 0,
  newGroups: 0,
  userGroups: 0,
  frameRate: 0,
  logins: 0,
  badLogins: 0,
  requests: 0,
  addressConnections: 0,
  loopback: true,
};
