// Owns a cluster as operators see it: what its nodes say, put together.
// Invariant: each fact comes from the node that knows it; a node that does not answer leaves its own facts null, and is named.
// Must not: print.

import { z } from 'zod';
import type { DrainStatus } from '../cluster/drain.js';
import type { ClusterReport } from '../services/cluster-report.js';
import { addressOf, get, noNode, parse } from './ask.js';
import { CliFailure } from './failure.js';

const count = z.number().int().nonnegative();

export const drainSchema: z.ZodType<DrainStatus> = z.object({
  rate: z.number(),
  clients: z.number(),
  maxP99: z.number(),
  state: z.enum(['draining', 'drained']),
  shardsLeft: count.nullable(),
  clientsLeft: count,
  p99: z.number().nullable(),
  slowest: z.string().nullable(),
  pace: z.number(),
  waits: z.enum(['latency', 'nobody']).nullable(),
  ms: z.number(),
});

/** What a node of this or a later version answers; what it has beyond is left out. */
const schema: z.ZodType<ClusterReport> = z.object({
  node: z.string(),
  healthy: z.boolean(),
  view: count,
  format: count.default(1),
  members: z.array(
    z.object({
      node: z.string(),
      state: z.enum(['up', 'draining', 'drained']),
      incarnation: count,
      silenceMs: z.number(),
      address: z.string(),
      shards: count,
      format: count.default(1),
      p99Ms: z.number().nullable().default(null),
    }),
  ),
  shards: z.array(
    z.object({
      shard: count,
      owner: z.string().nullable(),
      epoch: count,
      chats: count.nullable(),
      users: count.nullable(),
      dirty: count.nullable(),
    }),
  ),
  links: z.array(
    z.object({
      node: z.string(),
      state: z.enum(['up', 'down']),
      end: z.string().nullable().default(null),
      version: count.nullable().default(null),
      roundTripMs: z.number().nullable(),
      queuedBytes: count,
      unsentBytes: count,
      resets: count,
    }),
  ),
  clients: count.nullable().default(null),
  moves: count,
  staleWrites: count,
  drain: drainSchema.nullable().default(null),
});

export interface ClusterView {
  /** Of the node that was asked first. */
  readonly own: ClusterReport;
  /** By node id; null: it does not answer. */
  readonly reports: ReadonlyMap<string, ClusterReport | null>;
}

/** Asks a node of the cluster, and by its word all others. Throws `unreachable`, `bad_usage`, `no_cluster`. */
export async function askCluster(url: string): Promise<ClusterView> {
  const base = addressOf(url);
  const own = await reportAt(base);
  const others = own.members.filter(({ node }) => node !== own.node);
  const answers = await Promise.all(
    others.map(async ({ node, address }) => [node, await reportAt(peerAddress(address), 1).catch(() => null)] as const),
  );
  return { own, reports: new Map([[own.node, own], ...answers]) };
}

async function reportAt(base: URL, tries?: number): Promise<ClusterReport> {
  const url = new URL('/cluster', base);
  const answer = await get(url, tries);
  if (answer.status === 503) {
    throw new CliFailure('between_lives', `${url.origin} joins its cluster anew at this moment; ask again`);
  }
  const parsed = schema.safeParse(answer.ok ? parse(answer.body) : null);
  if (!parsed.success) throw noNode(url);
  return parsed.data;
}

/** Nodes answer operators where they hear each other: the port of clients may be shared by many. */
export function peerAddress(address: string): URL {
  return new URL('/', address.replace(/^ws/, 'http'));
}
