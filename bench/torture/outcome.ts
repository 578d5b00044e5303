// Owns what a torture tells: figures after each round, and the outcome.
// Invariant: nothing here depends on how many nodes there were.
// Must not: judge, or print.

import type { Violation } from './checker.js';
import type { Crowd } from './crowd.js';
import type { Where } from './where.js';

export interface TortureOptions {
  readonly rounds: number;
  readonly clients: number;
  readonly seed: number;
  /** Empty folder for the nodes' data and the clients' stores. */
  readonly folder: string;
  /** Nodes of the host; 1: a node without a host. */
  readonly nodes: number;
  /** ms that a node is frozen: one alone at most, one of several exactly; 0: never. Beyond 40,000 every client gives its connection up. */
  readonly freeze: number;
  readonly where: Where;
  /** A process of the store that some rounds freeze, of several nodes; null: none. */
  readonly storePid: number | null;
  readonly progress: (figures: Figures) => void;
}

export interface Figures {
  readonly round: number;
  readonly acked: number;
  readonly deliveries: number;
  readonly kills: number;
  readonly freezes: number;
  readonly reconnects: number;
  readonly restarts: number;
  readonly crashes: number;
  readonly cuts: number;
  /** Median ms from the start of a killed node to `weft ready`; of several nodes, from what happened to a whole cluster. */
  readonly readyMs: number;
  /** Null for a node alone. */
  readonly cluster: ClusterFigures | null;
}

export interface ClusterFigures {
  /** What happened in the newest round; ms until its processes ran again, and until the cluster was whole. */
  readonly last: { readonly kind: string; readonly againMs: number; readonly wholeMs: number };
  /** Of one node, in order. */
  readonly stops: number;
  readonly drains: number;
  /** Freezes of the store. */
  readonly stalls: number;
  /** Of the whole host, with -9. */
  readonly hosts: number;
  /** What was acknowledged just before something happened, and reached a device that did not reconnect: how often, and the most ms it took. */
  readonly told: number;
  readonly toldMs: number;
  /** Shards that were taken from a node that did not hand them over, and appends that were refused because of that. */
  readonly owners: number;
  readonly stale: number;
}

export interface Outcome {
  readonly figures: Figures;
  readonly chats: number;
  readonly violations: readonly Violation[];
  /** What went wrong around the checks: sessions that failed, waits that ended without what they waited for. */
  readonly troubles: readonly string[];
  /** The nodes' newest lines. */
  readonly log: readonly string[];
}

/** A torture under way. */
export interface Course {
  run(): Promise<Outcome>;
  end(): Promise<void>;
}

export function crowdFigures({
  acks,
  tally,
}: Crowd): Pick<Figures, 'acked' | 'deliveries' | 'reconnects' | 'restarts' | 'crashes' | 'cuts'> {
  const { deliveries, reconnects, restarts, crashes, cuts } = tally;
  return { acked: acks.length, deliveries, reconnects, restarts, crashes, cuts };
}

export function troublesOf({ tally }: Crowd): string[] {
  return [...tally.troubles].map(([text, times]) => (times === 1 ? text : `${times} × ${text}`));
}
