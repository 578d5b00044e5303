// Owns the proposal of which node should have which shard.
// Invariant: a function of the member names alone, so that all who see the same members propose the same; nobody gets more than its
// equal share, and when a node comes or goes few shards move but its own.
// Must not: be taken for a grant: it only says who may ask for one.
//
// Rendezvous hashing (Thaler and Ravishankar, "A name-based mapping scheme for rendezvous", 1996) with bounded loads (Mirrokni,
// Thorup and Zadimoghaddam, "Consistent hashing with bounded loads", 2018): with 32 shards, plain rendezvous would give
// one of three nodes half as much again as its share.

import { LIMITS } from '../actors/limits.js';

/** Node of each shard; empty without members. */
export function propose(members: readonly string[]): readonly string[] {
  const most = Math.ceil(LIMITS.shards / Math.max(1, members.length));
  const pairs = members.flatMap((node) => {
    const seed = hash(node);
    return Array.from({ length: LIMITS.shards }, (_, shard) => ({ node, shard, score: mix(seed, shard) }));
  });
  // Names break ties, so that the order in which members are listed counts for nothing.
  pairs.sort((a, b) => b.score - a.score || a.shard - b.shard || (a.node < b.node ? -1 : 1));
  const plan: string[] = [];
  const loads = new Map<string, number>();
  for (const { node, shard } of pairs) {
    const load = loads.get(node) ?? 0;
    if (plan[shard] !== undefined || load === most) continue;
    plan[shard] = node;
    loads.set(node, load + 1);
  }
  return plan;
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}

/** Every bit of both counts for every bit of the score (the finalizer of MurmurHash3). */
function mix(seed: number, shard: number): number {
  let value = (seed ^ Math.imul(shard + 1, 0x9e3779b1)) >>> 0;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
