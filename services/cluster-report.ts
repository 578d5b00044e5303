// Owns what a node tells operators of its cluster: who is there, who owns which shard, how its links are.
// Invariant: what only another node knows is null here; a node alone tells of itself as the only member.
// Must not: ask the store or another node.

export interface MemberReport {
  readonly node: string;
  readonly state: 'up' | 'draining';
  readonly incarnation: number;
  /** ms since its last beat that this node saw. */
  readonly silenceMs: number;
  /** Where nodes reach it; '' a node alone. */
  readonly address: string;
  readonly shards: number;
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
  readonly roundTripMs: number | null;
  readonly queuedBytes: number;
  readonly unsentBytes: number;
  readonly resets: number;
}

export interface ClusterReport {
  readonly node: string;
  /** It may serve: others do not count it out. */
  readonly healthy: boolean;
  readonly view: number;
  readonly members: readonly MemberReport[];
  readonly shards: readonly ShardReport[];
  readonly links: readonly LinkReport[];
  readonly moves: number;
  readonly staleWrites: number;
}
