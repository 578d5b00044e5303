// Owns what a node tells operators of its cluster: who is there, who owns which shard, how its links are.
// Invariant: what only another node knows is null here; a node alone tells of itself as the only member.
// Must not: ask another node.

import { LIMITS } from '../actors/limits.js';
import type { DrainStatus } from '../cluster/drain.js';
import { shardOfChat, shardOfUser } from '../cluster/shard-actors.js';
import { grantKey } from '../storage/cluster-keys.js';
import { decodeGrant, NODE_STATE } from '../storage/cluster-rows.js';
import { FORMATS } from '../storage/format.js';
import type { Member } from './member.js';
import type { Node } from './node.js';

export interface MemberReport {
  readonly node: string;
  readonly state: 'up' | 'draining' | 'drained';
  readonly incarnation: number;
  /** ms since its last beat that this node saw. */
  readonly silenceMs: number;
  /** Where nodes reach it; '' a node alone. */
  readonly address: string;
  readonly shards: number;
  /** Highest version of stored rows that it knows. */
  readonly format: number;
  /** ms that 99 of 100 sends of its clients stayed within of late; null: there were too few, or it does not say. */
  readonly p99Ms: number | null;
}

export interface ShardReport {
  readonly shard: number;
  /** Null: nobody, or on its way. */
  readonly owner: string | null;
  readonly epoch: number;
  /** Actors here. Null: not this node's. */
  readonly chats: number | null;
  readonly users: number | null;
  /** Chats whose newest entries may not have reached all devices. */
  readonly dirty: number | null;
}

export interface LinkReport {
  readonly node: string;
  readonly state: 'up' | 'down';
  /** Why it is down; null while up, or where it was never tried. */
  readonly end: string | null;
  /** Of the link protocol, which both speak; null while down. */
  readonly version: number | null;
  readonly roundTripMs: number | null;
  readonly queuedBytes: number;
  readonly unsentBytes: number;
  readonly resets: number;
}

const STATES: Readonly<Record<number, MemberReport['state']>> = {
  [NODE_STATE.up]: 'up',
  [NODE_STATE.drained]: 'drained',
};

export interface ClusterReport {
  readonly node: string;
  /** It may serve: others do not count it out. */
  readonly healthy: boolean;
  readonly view: number;
  /** Version of stored rows that is in force. */
  readonly format: number;
  readonly members: readonly MemberReport[];
  readonly shards: readonly ShardReport[];
  readonly links: readonly LinkReport[];
  /** Connections of clients here. Null: an earlier version, which does not say. */
  readonly clients: number | null;
  readonly moves: number;
  readonly staleWrites: number;
  /** Null: this node does not drain. */
  readonly drain: DrainStatus | null;
}

/** Null: the node joins its cluster anew at this moment. */
export async function clusterReport(node: Node): Promise<ClusterReport | null> {
  const live = await census(node);
  return node.member === null ? alone(node, live) : together(node, node.member, live);
}

/** The few figures of it that belong to a node's own status; undefined for a node alone. */
export function clusterSummary({ member }: Node): Readonly<Record<string, number>> | undefined {
  const status = member?.cluster.status();
  if (status === undefined || status === null) return undefined;
  const { members, shards, view, incarnation, moves, stale } = status;
  const own = shards.filter(({ mine }) => mine).length;
  return { members: members.length, shards: own, view, incarnation, moves, staleWrites: stale };
}

interface Census {
  readonly chats: readonly number[];
  readonly users: readonly number[];
}

/** Live actors by shard. Counted in pieces: there may be a million, and clients wait meanwhile. */
async function census({ users, chats, options: { world } }: Node): Promise<Census> {
  const counts = (): number[] => Array.from({ length: LIMITS.shards }, () => 0);
  const found = { chats: counts(), users: counts() };
  let looked = 0;
  const count = async (keys: Iterable<[string, unknown]>, into: number[], shardOf: (key: string) => number) => {
    for (const [key] of keys) {
      into[shardOf(key)]! += 1;
      looked++;
      if (looked % LIMITS.censusCells === 0) await new Promise<void>((resolve) => world.defer(resolve));
    }
  };
  await count(users.entries(), found.users, shardOfUser);
  for (const pool of chats) await count(pool.entries(), found.chats, shardOfChat);
  return found;
}

async function alone(
  { options, store, fabric, log, acceptor }: Node,
  { chats, users }: Census,
): Promise<ClusterReport> {
  const { node } = options;
  const shards = chats.map(async (live, shard): Promise<ShardReport> => {
    const grant = await store.get(grantKey(shard));
    const epoch = grant === undefined ? 0 : decodeGrant(grant).epoch;
    return { shard, owner: node, epoch, chats: live, users: users[shard] ?? 0, dirty: 0 };
  });
  const p99Ms = fabric.latency.p99;
  return {
    node,
    healthy: true,
    view: 0,
    format: log.format,
    members: [
      {
        node,
        state: 'up',
        incarnation: 0,
        silenceMs: 0,
        address: '',
        shards: LIMITS.shards,
        format: FORMATS.high,
        p99Ms,
      },
    ],
    shards: await Promise.all(shards),
    links: [],
    clients: acceptor.size,
    moves: 0,
    staleWrites: 0,
    drain: null,
  };
}

function together({ options, acceptor }: Node, { cluster, links }: Member, live: Census): ClusterReport | null {
  const status = cluster.status();
  if (status === null) return null;
  const shards = status.shards.map(({ shard, granted, epoch, owned, mine }): ShardReport => {
    const owner = owned ? granted : null;
    if (!mine) return { shard, owner, epoch, chats: null, users: null, dirty: null };
    const [chats, users] = [live.chats[shard] ?? 0, live.users[shard] ?? 0];
    return { shard, owner, epoch, chats, users, dirty: cluster.log.dirty(shard) };
  });
  return {
    node: options.node,
    healthy: !status.lapsed,
    view: status.view,
    format: status.format,
    members: status.members.map(({ node, incarnation, state, address, silence, rows, p99 }) => ({
      node,
      state: STATES[state] ?? 'draining',
      incarnation,
      silenceMs: Math.round(silence),
      address,
      shards: shards.filter(({ owner }) => owner === node).length,
      format: rows,
      p99Ms: p99,
    })),
    shards,
    links: links.stats().map(({ node, state, end, version, roundTrip, queued, unsent, resets }) => {
      const roundTripMs = roundTrip === null ? null : thousandths(roundTrip);
      const why = state === 'up' ? null : end;
      return { node, state, end: why, version, roundTripMs, queuedBytes: queued, unsentBytes: unsent, resets };
    }),
    clients: acceptor.size,
    moves: status.moves,
    staleWrites: status.stale,
    drain: cluster.drainage,
  };
}

/** More digits than a clock has. */
function thousandths(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
