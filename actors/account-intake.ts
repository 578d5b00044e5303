// Owns the requests of a client about what its user owns: devices, profile, privacy, blocks, marks.
// Invariant: what is malformed is refused here; what changes something goes to the user's actor, what only reads is
// answered from the store.
// Must not: wait for anything.

import { isName } from '../storage/keys.js';
import { type ClientFrame, DEVICE_OP, T } from '../transport/frames.js';
import type { Connection, ConnectionContext } from './connection.js';
import { type Refusal, refuse } from './errors.js';
import type { Intake } from './intake.js';
import { LIMITS } from './limits.js';

/** Stands for the user's actor among those that a connection waits for. No chat's key is like it. */
export const ACCOUNT = 'account';

/** Frames about what a user owns. */
type Request = Extract<ClientFrame, { r: number }>;
type Of<T extends number> = Extract<ClientFrame, { type: T }>;

export function accountRequest(
  frame: Request,
  connection: Connection,
  intake: Intake,
  context: ConnectionContext,
): void {
  const refused = (refusal: Refusal): void => connection.peer.error(frame.r, refusal.code, refusal.detail);
  switch (frame.type) {
    case T.DEVICES:
      return intake.askUser(frame, context);
    case T.DEVICE: {
      const bad = badDevice(frame);
      return bad === null ? intake.askUser(frame, context) : refused(bad);
    }
    default:
      return refused(refuse('bad_request', 'this server does not know the request'));
  }
}

function badDevice({ op, name }: Of<21>): Refusal | null {
  if (op === DEVICE_OP.remove) return null;
  if (op !== DEVICE_OP.rename) return refuse('bad_request', 'no such change of a device');
  return name === '' || isName(name, LIMITS.deviceName)
    ? null
    : refuse('bad_request', `a name has up to ${LIMITS.deviceName} bytes, no controls`);
}
