// Owns what nodes of a cluster prove with that they have its secret.
// Invariant: the secret itself never leaves; who has not got it cannot make a proof.
// Must not: know what is proved (cluster/link-greeting.ts).

import { createHmac } from 'node:crypto';
import type { Mac } from '../cluster/link-greeting.js';

/** HMAC-SHA256 (RFC 2104) under this secret. */
export function hmac(secret: Uint8Array): Mac {
  return (bytes) => createHmac('sha256', secret).update(bytes).digest();
}
