// Owns the requests of a client about what its user owns: devices, profile, privacy, blocks, marks.
// Invariant: what is malformed is refused here; what changes something goes to the user's actor, what only reads is
// answered from the store.
// Must not: wait for anything.

import { isName } from '../storage/keys.js';
import { AUDIENCE, type ClientFrame, DEVICE_OP, MARK_OP, T } from '../transport/frames.js';
import { readBlocks } from './blocks.js';
import type { Connection, ConnectionContext } from './connection.js';
import { type Refusal, refuse } from './errors.js';
import type { Intake } from './intake.js';
import { LIMITS } from './limits.js';
import { readMarksPage } from './marks.js';
import { badProfile, readProfile } from './profile.js';

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
    case T.PROFILE: {
      const { r, user, version } = frame;
      const { fabric, login } = connection;
      if (!isName(user, LIMITS.userId)) return refused(noUser());
      return intake.read(r, () => readProfile(fabric.reader, login.user, user, version));
    }
    case T.DESCRIBE: {
      const bad = badProfile(frame);
      return bad === null ? intake.askUser(frame, context) : refused(bad);
    }
    case T.PRIVACY: {
      const { audience } = frame;
      if (audience === null || audience <= AUDIENCE.nobody) return intake.askUser(frame, context);
      return refused(refuse('bad_request', 'no such audience'));
    }
    case T.BLOCK: {
      const bad = badBlock(frame, connection.login.user);
      return bad === null ? intake.askUser(frame, context) : refused(bad);
    }
    case T.MARK: {
      const target = connection.views.resolve(frame.chat);
      if (target === undefined) return refused(refuse('unknown_chat', 'no such alias on this connection'));
      const bad = badMark(frame);
      return bad === null ? intake.askUser({ ...frame, chat: target.chat }, context) : refused(bad);
    }
    case T.MARKS: {
      const { r, since, limit } = frame;
      const { fabric, login } = connection;
      if (limit < 1 || limit > LIMITS.marksRows) {
        return refused(refuse('bad_request', `limit is 1 to ${LIMITS.marksRows}`));
      }
      return intake.read(r, () => readMarksPage(fabric.reader, login.user, since, limit), limit);
    }
    case T.BLOCKS:
      return intake.read(frame.r, () => readBlocks(connection.fabric.reader, connection.login.user));
    default:
      return refused(refuse('bad_request', 'this server does not know the request'));
  }
}

const { muted, hidden } = MARK_OP;

function badMark({ op, value, seqs }: Of<27>): Refusal | null {
  if (op < muted || op > hidden) return refuse('bad_request', 'no such mark');
  const flag = op === MARK_OP.archived || op === MARK_OP.unread;
  if (value < 0 || (flag && value > 1) || value > LIMITS.markValue) return refuse('bad_request', 'no such value');
  if (op !== hidden) return null;
  return seqs.length >= 1 && seqs.length <= LIMITS.markSeqs
    ? null
    : refuse('bad_request', `1 to ${LIMITS.markSeqs} entries at a time`);
}

function badBlock({ user }: Of<25>, self: string): Refusal | null {
  if (user === self) return refuse('bad_request', 'nobody blocks himself');
  return isName(user, LIMITS.userId) ? null : noUser();
}

function noUser(): Refusal {
  return refuse('unknown_user', `a user id has 1 to ${LIMITS.userId} bytes, no controls`);
}

function badDevice({ op, name }: Of<21>): Refusal | null {
  if (op === DEVICE_OP.remove) return null;
  if (op !== DEVICE_OP.rename) return refuse('bad_request', 'no such change of a device');
  return name === '' || isName(name, LIMITS.deviceName)
    ? null
    : refuse('bad_request', `a name has up to ${LIMITS.deviceName} bytes, no controls`);
}
