// Owns how a node or a host ends that cannot start or go on: the exit code of each reason, and what is told of it.
// Invariant: exit 4 exactly where starting again ends the same way (docs/operations.md).
// Must not: wait for an ordered stop: nothing can be written any more.

import type { Logger } from 'pino';
import { LIMITS } from '../actors/limits.js';
import { endNow } from './end.js';
import { CliFailure, EXIT } from './failure.js';

/** Of the store. */
const NEEDS_A_PERSON: readonly string[] = [
  'store_corrupt',
  'store_missing',
  'store_newer',
  'store_older',
  'store_client_missing',
  'store_bad_cluster_file',
  'cluster_secret',
  'cluster_version',
];

export function giveUp(code: string, reason: string, log: Logger): void {
  log.fatal({ reason }, code);
  const end = (): void => endNow(exitOf(code));
  log.flush(end);
  // Whoever should read the log may have stopped to.
  setTimeout(end, LIMITS.exitMs);
}

/** Why a start failed. */
export function failureOf(error: unknown): CliFailure {
  if (error instanceof CliFailure) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'start_failed';
  const hint =
    code === 'listen_failed' ? '; is a node running already? (weft status), or choose another with --listen' : '';
  return new CliFailure(code, `${text}${hint}`, exitOf(code));
}

function exitOf(code: string): number {
  return NEEDS_A_PERSON.includes(code) ? EXIT.store : EXIT.failed;
}
