// Owns the keys of what belongs to no chat and no user: shards, nodes, the view, the charter.
// Invariant: tags stand in the table of keys.ts, and none has two meanings.
// Must not: read or write a store.

import { prefixRange } from './keys.js';

const TAG = { grant: 7, dirty: 8, node: 16, view: 17, charter: 18 } as const;

interface Range {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}

export function grantKey(shard: number): Uint8Array {
  return withShard(TAG.grant, shard);
}

/** Grants of all shards. */
export function grantRange(): Range {
  return prefixRange(Uint8Array.of(TAG.grant));
}

export function dirtyKey(shard: number): Uint8Array {
  return withShard(TAG.dirty, shard);
}

/** Shard of a grant's key. */
export function shardInKey(key: Uint8Array): number {
  return (key[1]! << 8) | key[2]!;
}

export function nodeKey(node: string): Uint8Array {
  const name = Buffer.from(node, 'utf8');
  const key = new Uint8Array(1 + name.length);
  key[0] = TAG.node;
  key.set(name, 1);
  return key;
}

/** Rows of all nodes that are up. */
export function nodeRange(): Range {
  return prefixRange(Uint8Array.of(TAG.node));
}

/** Node id of a node row's key. */
export function nodeInKey(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('utf8', 1);
}

export function viewKey(): Uint8Array {
  return Uint8Array.of(TAG.view);
}

export function charterKey(): Uint8Array {
  return Uint8Array.of(TAG.charter);
}

function withShard(tag: number, shard: number): Uint8Array {
  return Uint8Array.of(tag, shard >>> 8, shard & 0xff);
}
