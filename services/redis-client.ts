// Owns how ioredis is told to connect: one server, by sentinels, to a cluster; and what its errors are called.
// Invariant: a client connects once, when it is told to, and never again; it keeps nothing for later while it is not connected.
// Must not: send commands.

import type { Cluster, Redis } from 'ioredis';
import { BOARD_LIMITS } from '../actors/limits.js';
import type { RedisTarget } from './redis-target.js';

interface Classes {
  readonly Redis: typeof Redis;
  readonly Cluster: typeof Cluster;
}

/** One for commands, one for what is published; a cluster's client does both, over connections of their own. */
export function clientOf(
  target: RedisTarget,
  { Redis, Cluster }: Classes,
): readonly [Redis | Cluster, Redis | Cluster] {
  if (target.kind === 'cluster') {
    const places = target.places.map(({ host, port }) => ({ host, port }));
    const client = new Cluster(places, clusterOptions(target));
    return [client, client];
  }
  return [new Redis(serverOptions(target)), new Redis(serverOptions(target))];
}

const once = (): null => null;

function common({ username, password, tls }: RedisTarget) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
    connectionName: 'weft',
    disableClientInfo: true,
    // What servers of all versions speak.
    protocol: 2 as const,
    connectTimeout: BOARD_LIMITS.openMs,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
  };
}

function serverOptions(target: RedisTarget) {
  const { kind, places, name, db, tls, sentinelPassword } = target;
  const options = {
    ...common(target),
    db,
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: once,
  };
  if (kind !== 'sentinel') return { ...options, ...places[0]! };
  return {
    ...options,
    sentinels: places.map(({ host, port }) => ({ host, port })),
    name,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
    sentinelRetryStrategy: once,
    // Each session asks the sentinels anew: there is nobody to be told of a failover but by the end of a session.
    failoverDetector: false,
  };
}

function clusterOptions(target: RedisTarget) {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: once,
    slotsRefreshTimeout: BOARD_LIMITS.openMs,
    redisOptions: common(target),
  };
}

const WORDS =
  /\b(READONLY|OOM|NOAUTH|WRONGPASS|NOPERM|LOADING|MISCONF|CLUSTERDOWN|MASTERDOWN|NOREPLICAS|BUSY|CROSSSLOT|WRONGTYPE)\b/;

/** A code of the system or of Redis; else `failed`. Texts may name what was sent. */
export function wordOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  const word = WORDS.exec(error.message)?.[1];
  if (word !== undefined) return word;
  if (/invalid (username-)?password/i.test(error.message)) return 'WRONGPASS';
  if ('code' in error && typeof error.code === 'string') return error.code;
  if ('lastNodeError' in error && error.lastNodeError instanceof Error) return wordOf(error.lastNodeError);
  if (/sentinels? (are|is) unreachable/i.test(error.message)) return 'ECONNREFUSED';
  return 'failed';
}
