// Owns what this node knows of all members: who they are, how long each has been silent, and who may be evicted.
// Invariant: only time in which this node's own beats reached the store counts as another's silence, and of one round no more than
// two beats: a store that stalls for all makes nobody look dead, nor does a clock that jumps or a freeze of the observer. An
// eviction is a transaction on the very row that was silent.
// Must not: read the store, or judge by wall clocks.

import { LIMITS } from '../actors/limits.js';
import { equalBytes } from '../storage/bytes.js';
import { nodeInKey } from '../storage/cluster-keys.js';
import { decodeNode, NODE_STATE, type NodeRow } from '../storage/cluster-rows.js';
import type { Row } from '../storage/store.js';

export interface Member extends NodeRow {
  readonly node: string;
}

interface Seen {
  readonly member: Member;
  readonly key: Uint8Array;
  readonly bytes: Uint8Array;
  /** ms without a change of the row, as far as it counts. */
  silence: number;
  /** When the row was first seen as it is. */
  readonly changed: number;
  /** When this life was first seen. */
  readonly since: number;
  /** ms for which it is given nothing of living owners. */
  readonly rest: number;
}

export class Observer {
  readonly #seen = new Map<string, Seen>();
  /** When lives of a node were first seen, of late. */
  readonly #comings = new Map<string, number[]>();
  /** When the last round that counts had read the rows. */
  #looked: number | null = null;

  /**
   * All rows of members as read since `began`; `counts`: a beat of this node reached the store since the last time that it
   * counted. Answers the rows that have been silent for too long.
   */
  see(rows: readonly Row[], began: number, ended: number, counts: boolean): readonly Row[] {
    const passed = counts && this.#looked !== null ? began - this.#looked : 0;
    const silence = Math.max(0, Math.min(passed, 2 * LIMITS.beatMs));
    if (counts) this.#looked = ended;
    const names = new Set<string>();
    for (const { key, value } of rows) {
      const node = nodeInKey(key);
      names.add(node);
      const seen = this.#seen.get(node);
      // A round that does not count may have seen it change in the meantime (seed 120 of the cluster).
      if (seen !== undefined && equalBytes(seen.bytes, value))
        seen.silence += Math.max(0, Math.min(silence, began - seen.changed));
      else this.#changed(node, key, value, seen, ended);
    }
    for (const node of this.#seen.keys()) if (!names.has(node)) this.#seen.delete(node);
    return [...this.#seen.values()]
      .filter((seen) => seen.silence >= LIMITS.leaseMs)
      .map(({ key, bytes }) => ({ key, value: bytes }));
  }

  #changed(node: string, key: Uint8Array, bytes: Uint8Array, before: Seen | undefined, now: number): void {
    const member = { node, ...decodeNode(bytes) };
    const same = before !== undefined && before.member.nonce === member.nonce;
    const { since, rest } = same ? before : { since: now, rest: this.#came(node, now) };
    this.#seen.set(node, { member, key, bytes, silence: 0, changed: now, since, rest });
  }

  /** A node that comes and goes would take its shards along each time: it rests longer each time. */
  #came(node: string, now: number): number {
    for (const [other, times] of this.#comings) {
      const late = times.filter((time) => now - time < LIMITS.flapMs);
      if (late.length > 0) this.#comings.set(other, late);
      else this.#comings.delete(other);
    }
    const times = this.#comings.get(node) ?? [];
    times.push(now);
    this.#comings.set(node, times);
    return Math.min(LIMITS.joinRestMostMs, LIMITS.joinRestMs * 2 ** (times.length - 1));
  }

  member(node: string): Member | undefined {
    return this.#seen.get(node)?.member;
  }

  /** In order of name. */
  get members(): readonly Member[] {
    return [...this.#seen.values()].map(({ member }) => member).sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  /** Those that shards are meant for: who drains, only where nobody else is left. */
  get candidates(): readonly string[] {
    const { members } = this;
    const up = members.filter(({ state }) => state === NODE_STATE.up);
    return (up.length > 0 ? up : members).map(({ node }) => node);
  }

  /** It has been there for long enough to be trusted with the shards of living owners. */
  rested(node: string, now: number): boolean {
    const seen = this.#seen.get(node);
    return seen !== undefined && now - seen.since >= seen.rest;
  }

  /** ms of its silence. */
  silence(node: string): number {
    return this.#seen.get(node)?.silence ?? 0;
  }
}
