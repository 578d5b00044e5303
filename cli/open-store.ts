// Owns how a process comes to its store, and that it ends where the store breaks under it.
// Invariant: of a host and its nodes the host alone opens LMDB to write; FoundationDB is opened by each node.
// Must not: make the line between them (services/host.ts starts nodes with it).

import { Socket } from 'node:net';
import type { Logger } from 'pino';
import { LIMITS } from '../actors/limits.js';
import { CommitLine } from '../storage/commit-line.js';
import { openFoundationDb } from '../storage/foundationdb.js';
import { openLmdb } from '../storage/lmdb.js';
import { openLmdbReader } from '../storage/lmdb-reader.js';
import type { Store } from '../storage/store.js';
import type { NodeConfig } from './config.js';
import { giveUp } from './give-up.js';

/** Where a node of a host has its line to it: behind stdin, stdout, stderr and the channel. */
const LINE = 4;

export type OpenStore = () => Promise<Store>;

/**
 * `crashes`: runs in a row that crashed. A damaged page can end the process by a signal, without a word; who ended so twice in a row looks
 * at all of them first. `gathers`: as of lmdb.ts, for a host.
 */
export async function openStore({ store }: NodeConfig, log: Logger, crashes: number, gathers = false): Promise<Store> {
  const { engine, path } = store;
  if (engine === 'fdb') return openFoundationDb({ clusterFile: path });
  const thorough = crashes >= 2;
  if (thorough) log.warn({ path, crashes }, 'the last runs crashed: every page of the store is checked');
  return openLmdb({ path, thorough, gathers, onBroken: (code, reason) => giveUp(code, reason, log) });
}

/** How a node of a host opens its store, as often as its supervisor says: there is one line, for as long as it lives. */
export function hostedStore(config: NodeConfig, log: Logger): OpenStore {
  const { engine, path } = config.store;
  if (engine === 'fdb') return () => openStore(config, log, 0);
  const lost = (reason: string): void => {
    // Mostly the host is gone, as its channel tells: then this process does not live so long.
    setTimeout(() => giveUp('store_unavailable', reason, log), LIMITS.exitMs);
  };
  const socket = new Socket({ fd: LINE });
  const line = new CommitLine(socket, { lost });
  // It is no reason to live on when all has ended.
  socket.unref();
  return async () =>
    openLmdbReader({ path, line, onBroken: (code: string, reason: string) => giveUp(code, reason, log) });
}
