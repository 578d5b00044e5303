// Owns how a node or a host ends that cannot start or go on: the exit code of each reason, and what is told of it.
// Invariant: exit 4 exactly where starting again ends the same way (docs/operations.md).
// Must not: wait for an ordered stop: nothing can be written any more.

import type { Logger } from 'pino';
import { LIMITS } from '../actors/limits.js';
import { ListenError } from '../transport/socket.js';
import type { NodeConfig } from './config.js';
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
export function failureOf(error: unknown, config: NodeConfig): CliFailure {
  if (error instanceof CliFailure) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'start_failed';
  const way = error instanceof ListenError ? `; ${listenWay(error, config)}` : '';
  return new CliFailure(code, `${text}${way}`, exitOf(code));
}

/** What to do where a port cannot be had: that of clients, or that of other nodes. */
function listenWay({ host, port, reason }: ListenError, { listen, cluster }: NodeConfig): string {
  const peers = cluster !== undefined && !(listen.host === host && listen.port === port);
  const flag = peers ? '--peer-listen' : '--listen';
  switch (reason) {
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `name an address of this machine with ${flag}${peers ? ', and the one that others dial with --peer-advertise' : ''}`;
    case 'EACCES':
      return `this user may not have that port: choose one from 1024 up with ${flag}`;
    default:
      return `is a node running already? (${peers ? 'each needs a port of its own' : 'weft status'}), or choose another with ${flag}`;
  }
}

function exitOf(code: string): number {
  return NEEDS_A_PERSON.includes(code) ? EXIT.store : EXIT.failed;
}
