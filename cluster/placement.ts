// Owns the question where a shard's actors live, as everything above asks it.
// Invariant: at most one node is told `mine` for a shard and its epoch; the answer may be out of date, and then the append is
// refused (storage/log.ts), never the other way round.
// Must not: decide who owns a shard (ownership.ts), or reach the owner (router.ts).

/** Who may write a shard, as far as this node knows. */
export interface Owner {
  /** Node id. */
  readonly node: string;
  /** This node, in this life: its actors of the shard may be activated here. */
  readonly mine: boolean;
}

export interface Placement {
  /** Null: nobody known, or on its way from one node to another. SENDs wait (shard-buffer.ts), other senders try again soon. */
  owner(shard: number): Owner | null;
  /** Told of each change once it holds; must not throw. The returned function ends it. */
  subscribe(listener: (shard: number, owner: Owner | null) => void): () => void;
  /** Another node says that what is known here is out of date: grants are read again soon. May be said often. */
  hint(): void;
}

/** All shards are this node's, for ever: no other shares its store. */
export function alone(node: string): Placement {
  const owner: Owner = { node, mine: true };
  return { owner: () => owner, subscribe: () => () => undefined, hint: () => undefined };
}
