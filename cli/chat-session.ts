// Owns how the chat command connects: one session on the account's journal, and its errors in the command's words.
// Invariant: every way in which the session can end for good becomes a coded failure that names the way out.
// Must not: show anything.

import { connect, FileStore, type Session, type StateChange, WeftError } from '../client/index.js';
import type { Account } from './chat-account.js';
import { CliFailure, EXIT } from './failure.js';

export interface Connection {
  readonly url: URL;
  readonly account: Account;
}

/** A person waits: tries again soon. A few clients on one machine are no herd. */
const BACKOFF = { base: 250, cap: 5_000, immediate: true };

/** Opens the outbox and begins to dial; does not wait for the node. */
export async function openChat({ url, account }: Connection, backfill: number): Promise<Session> {
  const { token, journal, device, user } = account;
  const store = new FileStore(journal);
  try {
    return await connect({
      url: url.href,
      token,
      store,
      agent: 'weft-chat',
      offline: true,
      backoff: BACKOFF,
      backfill,
    });
  } catch (error) {
    if (!(error instanceof WeftError) || error.code !== 'store_locked') throw asFailure(error);
    const message = `${user}'s device ${device} is open already (${detailOf(error)}); give this one a name of its own, as in --device laptop`;
    throw new CliFailure(error.code, message);
  }
}

/** Why the chat cannot go on after this change of state; undefined where it can. */
export function endOf({ state, error }: StateChange, connection: Connection): CliFailure | undefined {
  if (state === 'failed' || state === 'replaced') return reasonOf(error, connection);
  // The SDK goes on, since a new token might be better. One that the same secret signs, or the same file holds, is not.
  return state === 'waiting' && error?.code === 'bad_token' ? reasonOf(error, connection) : undefined;
}

function reasonOf(error: WeftError | undefined, { url, account }: Connection): CliFailure {
  const code = error?.code ?? 'closed';
  const detail = error === undefined ? 'the session ended' : detailOf(error);
  switch (code) {
    case 'bad_token':
    case 'token_expired':
    case 'token_failed':
      return new CliFailure(code, `the node at ${url.href} does not take the token: ${detail}; ${account.remedy}`);
    case 'replaced':
      return new CliFailure(code, `${detail}; give each terminal a --device of its own`);
    case 'device_removed':
      return new CliFailure(
        code,
        `${detail || 'this device was removed'}; weft chat with a new token registers it anew`,
      );
    case 'store_mismatch':
      return new CliFailure(code, `${detail}; choose another --store or --device`);
    default:
      return new CliFailure(code, detail);
  }
}

export function unreachable({ url }: Connection, more = ''): CliFailure {
  const message = `no node answers at ${url.href}${more}; start one with "weft start" or name another with --url`;
  return new CliFailure('unreachable', message, EXIT.unreachable);
}

export function asFailure(error: unknown): CliFailure {
  if (error instanceof CliFailure) return error;
  if (error instanceof WeftError) return new CliFailure(error.code, detailOf(error));
  throw error;
}

/** The text of an error without its code, which is shown apart. */
export function detailOf(error: WeftError): string {
  return error.message.slice(error.code.length + 2);
}

/** `1 message waits`, `3 messages wait`. */
export function waiting(count: number): string {
  return count === 1 ? '1 message waits' : `${count} messages wait`;
}
